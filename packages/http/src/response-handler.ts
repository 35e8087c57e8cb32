import type { MacadamError, Timer } from '@macadam/core';
import { wasCutShort, type ExecuteContext, type Verdict } from '@macadam/resilience';
import type { AttemptLog } from './attempts.ts';
import type { AuthHeaders } from './auth.ts';
import type { OpenStream } from './body/source.ts';
import { isDecodeFailure, type DecodeFailure } from './content-decoding.ts';
import type { AsyncScope, AttemptSettings, FollowUpSender } from './attempt-settings.ts';
import { errorBodyLimitMs } from './attempt-time.ts';
import { abortRequest, type DispatchController, type RawHeaders, type Receiver } from './dispatcher.ts';
import { decodeError, HttpResponseTooLargeError } from './body-errors.ts';
import { setTruncationReason } from './body-truncation.ts';
import { HttpNetworkError, HttpStatusError, isTimeLimitError, requestFailure, type RequestPart } from './errors.ts';
import { attemptFailure, codeOf, codeOfReason } from './network-failure.ts';
import type { PreparedRequest } from './request.ts';
import { encodingsToUndo, MAX_ERROR_BODY_BYTES, ReceivedBody } from './received-body.ts';
import type { RedirectRefusal } from './redirect.ts';
import { HttpResponse } from './response.ts';
import { classifyFailure, classifyStatus, isRetryableStatus } from './retry-rules.ts';
import { retryAfterOf } from './retry-after.ts';
import { mustBeFollowed } from './stream/options.ts';
import { truncationError } from './transport/http2-streams.ts';

/**
 * One request of an attempt on the wire: reads the response and settles once, with a response or an error. The transport
 * calls it back (`onRequestStart` … `onResponseEnd`), possibly before `dispatch` returns, and once more after an abort.
 */
export class ResponseHandler implements Receiver {
  readonly request: PreparedRequest;
  readonly log: AttemptLog;
  readonly context: ExecuteContext;
  readonly resolve: (response: HttpResponse) => void;
  readonly reject: (error: unknown) => void;
  /** Runs the caller's code (`auth`, body streams) in the caller's asynchronous context, which the transport does not keep. */
  scope: AsyncScope | undefined = undefined;
  /** The credentials the request was sent with, if they came from `auth`. */
  authorization: AuthHeaders | undefined = undefined;
  /** The stream that the body of the request is read from. */
  upload: OpenStream | undefined = undefined;
  /** How often the credentials of the call had been renewed when the request was sent. */
  renewals = 0;
  /** The headers of the response. */
  headers: RawHeaders = {};
  settled = false;
  readonly #settings: AttemptSettings;
  readonly #followUps: FollowUpSender;
  #controller: DispatchController | undefined = undefined;
  #cancelReason: Error | undefined = undefined;
  #errorBodyTimer: Timer | undefined = undefined;
  /** 0 until the response headers have arrived. */
  #status = 0;
  /** Whether the body belongs to a status that is reported without it too. False where `fetch` needs a complete body. */
  #isErrorBody = false;
  /** Whether reading is over. The body may still be decoded; meanwhile its connection may break, or be dropped. */
  #isRead = false;
  #body: ReceivedBody | undefined = undefined;
  #truncationReason: string | undefined = undefined;

  constructor(
    settings: AttemptSettings,
    request: PreparedRequest,
    log: AttemptLog,
    context: ExecuteContext,
    resolve: (response: HttpResponse) => void,
    reject: (error: unknown) => void,
    followUps: FollowUpSender,
  ) {
    this.#settings = settings;
    this.request = request;
    this.log = log;
    this.context = context;
    this.resolve = resolve;
    this.reject = reject;
    this.#followUps = followUps;
  }

  /** Ends the attempt because it is out of time, or because nobody waits for it. */
  cancel(reason: unknown): void {
    if (this.settled) return;
    // Keeps the failure of an earlier attempt: a timeout that follows it is its consequence.
    this.log.failure ??= reason;
    const isLate = isTimeLimitError(reason);
    if (!isLate) this.log.trace?.requestCancelled(this.context.attempt);
    this.#end(this.#status || undefined, codeOfReason(reason), isLate && !wasCutShort(reason) ? 'failure' : 'neutral');
    this.reject(reason);
    // A request that is still queued in the transport has no controller: `onRequestStart` refuses it when its turn comes.
    this.#cancelReason = reason instanceof Error ? reason : new Error('cancelled');
    if (this.#controller !== undefined) abortRequest(this.#controller, this.#cancelReason);
  }

  /** Whether another request may follow a response with this status outside 2xx. */
  mayContinue(status: number, headers: RawHeaders): boolean {
    if (this.#followUps.mayFollowUp(this, status, headers)) return true;
    const { rules, maxAttemptNumber } = this.#settings;
    return this.context.attempt < maxAttemptNumber && isRetryableStatus(rules, status, this.#repeatable);
  }

  /** Ends the attempt with its headers: the body is streamed to the caller. */
  settleWithStream(response: HttpResponse, headers: RawHeaders): void {
    this.headers = headers;
    this.#settleWith(response);
  }

  /** Fails a request that was not sent, because its credentials or its body could not be obtained. */
  failBeforeSending(part: RequestPart, cause: unknown): void {
    if (!this.settled) this.fail(requestFailure(this.request.subject, part, cause));
  }

  onRequestStart(controller: DispatchController): void {
    // Throwing, unlike aborting, keeps the connection that was chosen for the request.
    if (this.#cancelReason !== undefined) throw this.#cancelReason;
    this.#controller = controller;
  }

  onResponseStart(controller: DispatchController, status: number, headers: RawHeaders): void {
    if (this.settled || status < 200) return;
    this.#status = status;
    this.headers = headers;
    this.log.trace?.responseStarted(this.context.attempt, controller);
    if (status >= 300) this.#limitErrorBody();
    else if (Number(headers['content-length']) > this.#settings.limits.maxBytes && this.request.method !== 'HEAD') {
      this.#failTooLarge(controller);
    }
  }

  onResponseData(controller: DispatchController, chunk: Uint8Array): void {
    if (this.settled || this.#isRead) return;
    const body = (this.#body ??= new ReceivedBody());
    body.add(chunk);
    const { limits } = this.#settings;
    if (this.#isErrorBody) {
      if (body.size > MAX_ERROR_BODY_BYTES) this.#stopReading();
    } else if (body.size > limits.maxBytes) this.#failTooLarge(controller);
    else if (body.isLong) {
      const encodings = encodingsToUndo(this.request, this.headers);
      body.decodeIncrementally(controller, encodings, limits, (result) => this.#settleDecoded(result, false));
    }
  }

  onResponseEnd(): void {
    if (this.settled || this.#isRead) return;
    const error = truncationError(this.headers);
    if (error === undefined) this.#finishBody(false);
    else this.onResponseError(null, error);
  }

  onResponseError(_controller: DispatchController | null, error: Error): void {
    if (this.settled || this.#isRead) return;
    if (this.#isErrorBody) return this.#finishBody(true, `its body broke off: ${codeOf(error)}`);
    const phase = this.#status > 0 ? 'response' : this.#controller === undefined ? 'connect' : 'request';
    this.fail(attemptFailure(this, this.#settings.rules, error, phase));
  }

  /** Limits how long the body of an error response is read: only briefly when another request may follow. */
  #limitErrorBody(): void {
    const mayContinue = this.mayContinue(this.#status, this.headers);
    const { stream } = this.request;
    const needsWhole = stream?.captureRule !== undefined && !mustBeFollowed(stream, this.#status, this.headers);
    this.#isErrorBody = mayContinue || !needsWhole;
    if (!this.#isErrorBody) return;
    const limitMs = errorBodyLimitMs(this, this.#settings, mayContinue);
    const reason = `its body did not arrive within ${limitMs} ms`;
    this.#errorBodyTimer = this.#settings.clock.setTimer(() => this.#stopReading(reason), limitMs);
  }

  /** Settles with what has arrived of the body, and drops the connection. */
  #stopReading(reason?: string): void {
    if (this.settled || this.#isRead) return;
    this.#finishBody(true, reason);
    if (this.#controller !== undefined) abortRequest(this.#controller, new Error('the rest of the body is not needed'));
  }

  #failTooLarge(controller: DispatchController): void {
    const { maxBytes } = this.#settings.limits;
    const error = new HttpResponseTooLargeError(this.request.subject, 'maxBytes', maxBytes, this.#status);
    this.fail(error);
    abortRequest(controller, error);
  }

  #finishBody(truncated: boolean, reason?: string): void {
    this.#isRead = true;
    this.#truncationReason = reason;
    const body = this.#body;
    if (body === undefined) return this.#settleRead(undefined, truncated);
    const { limits } = this.#settings;
    const encodings = encodingsToUndo(this.request, this.headers);
    const decoded = this.#isErrorBody
      ? body.finishErrorBody(truncated, encodings, limits)
      : body.finish(encodings, limits);
    if (decoded instanceof Promise) {
      // Never rejects: the failure of a decoder is a value.
      void decoded.then((result) => this.#settleDecoded(result, truncated));
    } else if (decoded !== undefined) this.#settleDecoded(decoded, truncated);
  }

  #settleDecoded(result: Uint8Array | DecodeFailure, truncated: boolean): void {
    if (this.settled) return;
    if (!isDecodeFailure(result)) this.#settleRead(result, truncated);
    // An error body that cannot be decoded must not hide the status.
    else if (this.#isErrorBody) this.#settleRead(undefined, true);
    else this.fail(decodeError(this.request.subject, this.#status, result));
  }

  #settleRead(bytes: Uint8Array | undefined, truncated: boolean): void {
    const isTooLong = bytes !== undefined && bytes.length > MAX_ERROR_BODY_BYTES && this.#isErrorBody;
    const body = isTooLong ? bytes.subarray(0, MAX_ERROR_BODY_BYTES) : bytes;
    const response = new HttpResponse(this.request.subject, this.#status, this.headers, body, truncated || isTooLong);
    setTruncationReason(response, this.#truncationReason);
    this.#settleWith(response);
  }

  #settleWith(response: HttpResponse): void {
    const { status } = response;
    this.#end(status, undefined, classifyStatus(status));
    if (response.ok) {
      this.resolve(response);
      return;
    }
    let refused: RedirectRefusal | undefined;
    if (status < 400 || status === 401) {
      const followed = this.#followUps.followUp(this, status, this.headers);
      if (followed === true) return;
      if (followed !== false) refused = followed;
    }
    const { rules, clock } = this.#settings;
    const retryable = isRetryableStatus(rules, status, this.#repeatable);
    const waitMs = retryAfterOf(status, this.headers, clock.now());
    this.log.failure = new HttpStatusError(this.request.subject, response, retryable, waitMs, refused);
    this.reject(this.log.failure);
  }

  /** Whether the request may be sent again, by its rules and because its body is still available. */
  get #repeatable(): boolean {
    return this.request.repeatable && this.request.source?.replayable !== false;
  }

  /** Fails an attempt that has no usable response. */
  fail(error: MacadamError, status: number = this.#status): void {
    const errorCode = error instanceof HttpNetworkError ? error.errorCode : error.code;
    this.log.failure = error;
    this.#end(status || undefined, errorCode, classifyFailure(error));
    this.reject(error);
  }

  #end(status: number | undefined, errorCode: string | undefined, verdict: Verdict): void {
    this.settled = true;
    this.#errorBodyTimer?.cancel();
    this.#body?.discard();
    this.log.end(this.context.attempt, this.#settings.clock.monotonic(), status, errorCode, verdict);
  }
}
