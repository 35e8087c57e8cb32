import type { MacadamError, Timer } from '@macadam/core';
import { wasCutShort, type ExecuteContext, type Verdict } from '@macadam/resilience';
import type { AttemptLog } from './attempts.ts';
import type { AuthHeaders } from './auth.ts';
import { isDecodeFailure, type DecodeFailure } from './content-decoding.ts';
import { MAX_ERROR_BODY_BYTES, type AttemptSettings, type FollowUpSender, type Scope } from './attempt-settings.ts';
import { errorBodyLimitMs } from './attempt-time.ts';
import { abortRequest, type DispatchController, type RawHeaders, type Receiver } from './dispatcher.ts';
import { decodeError, HttpResponseTooLargeError } from './body-errors.ts';
import { setTruncationReason } from './body-truncation.ts';
import { HttpNetworkError, HttpStatusError, requestFailure, type RequestPart } from './errors.ts';
import { attemptFailure, codeOf, codeOfReason } from './network-failure.ts';
import type { PreparedRequest } from './request.ts';
import { encodingsToUndo, ReceivedBody } from './received-body.ts';
import { isRedirect, type RedirectRefusal } from './redirect.ts';
import { HttpResponse } from './response.ts';
import { classifyFailure, classifyStatus, isRetryableStatus } from './retry-rules.ts';
import { firstOf, retryAfterOf } from './retry-after.ts';
import { truncationError } from './transport/http2-streams.ts';

/**
 * One request of a try on the wire: collects the answer and settles once, with a response or an error. The transport
 * calls it back (`onRequestStart` … `onResponseEnd`), possibly before `dispatch` returns, and once more after an abort.
 */
export class ResponseHandler implements Receiver {
  readonly request: PreparedRequest;
  readonly log: AttemptLog;
  readonly context: ExecuteContext;
  readonly resolve: (response: HttpResponse) => void;
  readonly reject: (error: unknown) => void;
  /** Runs what is the caller's in his asynchronous context, which the transport does not keep. */
  scope: Scope | undefined = undefined;
  /** The credentials it was sent with, when they came from `auth`. */
  authorization: AuthHeaders | undefined = undefined;
  /** How often credentials had been renewed for its call when it was sent. */
  renewals = 0;
  readonly #settings: AttemptSettings;
  readonly #followUps: FollowUpSender;
  #controller: DispatchController | undefined = undefined;
  #settled = false;
  #cancelReason: Error | undefined = undefined;
  #drainTimer: Timer | undefined = undefined;
  #status = 0;
  /** Whether the body is an extra to a status, of which the beginning will do, or none. `fetch` knows answers only. */
  #isExtra = false;
  /** Whether all of it that will be read is here: it may still be decoded while its connection breaks, or is dropped. */
  #isRead = false;
  #headers: RawHeaders = {};
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

  /** The try is out of time, or nobody waits for it any more. */
  cancel(reason: unknown): void {
    if (this.#settled) return;
    // Time runs out because of what failed before, if anything did.
    this.log.failure ??= reason;
    const code = codeOfReason(reason);
    if (code !== 'MAC_TIMEOUT') this.log.trace?.cancelled(this.context.attempt);
    this.#end(this.#status || undefined, code, code === 'MAC_TIMEOUT' && !wasCutShort(reason) ? 'failure' : 'neutral');
    this.reject(reason);
    // A request still in the transport's queue has no controller: it is refused when its turn comes.
    this.#cancelReason = reason instanceof Error ? reason : new Error('cancelled');
    if (this.#controller !== undefined) abortRequest(this.#controller, this.#cancelReason);
  }

  /** Whether a failed answer may be followed by another request. */
  mayContinue(status: number, headers: RawHeaders): boolean {
    if (status === 401) return this.authorization !== undefined;
    if (status < 400) return isRedirect(status, firstOf(headers['location']));
    const { rules, maxAttemptNumber } = this.#settings;
    return this.context.attempt < maxAttemptNumber && isRetryableStatus(rules, status, this.#repeatable);
  }

  /** Somebody else reads the body: the try is over with its headers. */
  settleWithStream(response: HttpResponse, headers: RawHeaders): void {
    this.#headers = headers;
    this.#conclude(response);
  }

  /** Nothing is sent, because what is needed for it could not be had. */
  failBeforeSending(part: RequestPart, cause: unknown): void {
    if (!this.#settled) this.fail(requestFailure(this.request.subject, part, cause));
  }

  /** Those of the answer. */
  get headers(): RawHeaders {
    return this.#headers;
  }

  get settled(): boolean {
    return this.#settled;
  }

  onRequestStart(controller: DispatchController): void {
    // Throwing, instead of aborting, leaves the connection that was picked for it alone.
    if (this.#cancelReason !== undefined) throw this.#cancelReason;
    this.#controller = controller;
  }

  onResponseStart(controller: DispatchController, status: number, headers: RawHeaders): void {
    if (this.#settled || status < 200) return;
    this.#status = status;
    this.#headers = headers;
    this.log.trace?.answered(this.context.attempt, controller);
    if (status >= 300) this.#drain();
    else if (Number(headers['content-length']) > this.#settings.limits.maxBytes && this.request.method !== 'HEAD') {
      this.#refuse(controller);
    }
  }

  onResponseData(controller: DispatchController, chunk: Uint8Array): void {
    if (this.#settled || this.#isRead) return;
    const body = (this.#body ??= new ReceivedBody());
    body.add(chunk);
    const { limits } = this.#settings;
    if (this.#isExtra) {
      if (body.size > MAX_ERROR_BODY_BYTES) this.#cut();
    } else if (body.size > limits.maxBytes) this.#refuse(controller);
    else if (body.isLong) {
      const encodings = encodingsToUndo(this.request, this.#headers);
      body.grow(controller, encodings, limits, (result) => this.#settleDecoded(result, false));
    }
  }

  onResponseEnd(): void {
    if (this.#settled || this.#isRead) return;
    const cut = truncationError(this.#headers);
    if (cut === undefined) this.#finish(false);
    else this.onResponseError(null, cut);
  }

  onResponseError(_controller: DispatchController | null, error: Error): void {
    if (this.#settled || this.#isRead) return;
    if (this.#isExtra) return this.#finish(true, `its body broke off: ${codeOf(error)}`);
    const phase = this.#status > 0 ? 'response' : this.#controller === undefined ? 'connect' : 'request';
    this.fail(attemptFailure(this.request, this.#settings.rules, error, phase));
  }

  /** Limits how long the body of an error response is read: only briefly when another request may follow. */
  #drain(): void {
    const mayContinue = this.mayContinue(this.#status, this.#headers);
    this.#isExtra = mayContinue || this.request.stream?.captureRule === undefined;
    if (!this.#isExtra) return;
    const limitMs = errorBodyLimitMs(this, this.#settings, mayContinue);
    const reason = `its body did not arrive within ${limitMs} ms`;
    this.#drainTimer = this.#settings.clock.setTimer(() => this.#cut(reason), limitMs);
  }

  /** Takes what has come of the body, and drops the connection. */
  #cut(reason?: string): void {
    if (this.#settled || this.#isRead) return;
    this.#finish(true, reason);
    if (this.#controller !== undefined) abortRequest(this.#controller, new Error('the rest of the body is not needed'));
  }

  #refuse(controller: DispatchController): void {
    const { maxBytes } = this.#settings.limits;
    const error = new HttpResponseTooLargeError(this.request.subject, 'maxBytes', maxBytes, this.#status);
    this.fail(error);
    abortRequest(controller, error);
  }

  #finish(truncated: boolean, reason?: string): void {
    this.#isRead = true;
    this.#truncationReason = reason;
    const body = this.#body;
    if (body === undefined) return this.#settle(undefined, truncated);
    const { limits } = this.#settings;
    const encodings = encodingsToUndo(this.request, this.#headers);
    const decoded = this.#isExtra ? body.finishErrorBody(encodings, limits) : body.finish(encodings, limits);
    if (decoded instanceof Promise) {
      // Not rejecting: every failure of a decoder is a value.
      void decoded.then((result) => this.#settleDecoded(result, truncated));
    } else if (decoded !== undefined) this.#settleDecoded(decoded, truncated);
  }

  #settleDecoded(result: Uint8Array | DecodeFailure, truncated: boolean): void {
    if (this.#settled) return;
    if (!isDecodeFailure(result)) this.#settle(result, truncated);
    // What came with an error is an extra; that it cannot be read must not hide the status.
    else if (this.#isExtra) this.#settle(undefined, true);
    else this.fail(decodeError(this.request.subject, this.#status, result));
  }

  #settle(bytes: Uint8Array | undefined, truncated: boolean): void {
    const cut = bytes !== undefined && bytes.length > MAX_ERROR_BODY_BYTES && this.#isExtra;
    const body = cut ? bytes.subarray(0, MAX_ERROR_BODY_BYTES) : bytes;
    const response = new HttpResponse(this.request.subject, this.#status, this.#headers, body, truncated || cut);
    setTruncationReason(response, this.#truncationReason);
    this.#conclude(response);
  }

  #conclude(response: HttpResponse): void {
    const { status } = response;
    this.#end(status, undefined, classifyStatus(status));
    if (response.ok) {
      this.resolve(response);
      return;
    }
    let refused: RedirectRefusal | undefined;
    if (status < 400 || status === 401) {
      const followed = this.#followUps.follow(this, status, this.#headers);
      if (followed === true) return;
      if (followed !== false) refused = followed;
    }
    const { rules, clock } = this.#settings;
    const retryable = isRetryableStatus(rules, status, this.#repeatable);
    const waitMs = retryAfterOf(status, this.#headers, clock.now());
    this.log.failure = new HttpStatusError(this.request.subject, response, retryable, waitMs, refused);
    this.reject(this.log.failure);
  }

  /** By its rules, and because its body can be had again. */
  get #repeatable(): boolean {
    return this.request.repeatable && this.request.source?.replayable !== false;
  }

  /** There is no answer, or it is not what it should be. */
  fail(error: MacadamError, status: number = this.#status): void {
    const errorCode = error instanceof HttpNetworkError ? error.errorCode : error.code;
    this.log.failure = error;
    this.#end(status || undefined, errorCode, classifyFailure(error));
    this.reject(error);
  }

  #end(status: number | undefined, errorCode: string | undefined, verdict: Verdict): void {
    this.#settled = true;
    this.#drainTimer?.cancel();
    this.#body?.drop();
    this.log.end(this.context.attempt, this.#settings.clock.monotonic(), status, errorCode, verdict);
  }
}
