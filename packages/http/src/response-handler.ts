import type { Clock, Timer } from '@macadam/core';
import type { ExecuteContext } from '@macadam/resilience';
import type { AttemptLog } from './attempts.ts';
import {
  decodeContent,
  isDecodeFailure,
  parseEncodings,
  type DecodedLimits,
  type DecodeFailure,
} from './content-decoding.ts';
import type { DispatchController, DispatchHandler, RawHeaders } from './dispatcher.ts';
import { decodeError, HttpNetworkError, HttpResponseTooLargeError, HttpStatusError, type HttpError } from './errors.ts';
import type { PreparedRequest } from './request.ts';
import { HttpResponse } from './response.ts';
import { isRetryableFailure, isRetryableStatus, type RetryRules } from './retry-rules.ts';
import { parseRetryAfter } from './retry-after.ts';

/** Of the body of a failed try, so much is read: enough for a problem document, and it keeps the socket usable. */
export const ERROR_BODY_BYTES = 65_536;
/** A failed try that may be repeated waits no longer for the rest of its body; then its socket is dropped. */
export const DRAIN_MS = 50;
/** Compressed error bodies may unpack to this before they are cut. */
const ERROR_BODY_DECODED_BYTES = 1_048_576;

/** What a try needs to know of its client. */
export interface AttemptSettings {
  readonly clock: Clock;
  readonly rules: RetryRules;
  readonly limits: DecodedLimits;
  readonly maxAttempts: number;
}

/**
 * One try on the wire: collects the answer and settles once, with a response or an error. The transport calls it back
 * (`onRequestStart` … `onResponseEnd`), possibly before `dispatch` returns, and once more after an abort.
 */
export class ResponseHandler implements DispatchHandler {
  readonly request: PreparedRequest;
  readonly #settings: AttemptSettings;
  readonly #log: AttemptLog;
  readonly #context: ExecuteContext;
  readonly #resolve: (response: HttpResponse) => void;
  readonly #reject: (error: unknown) => void;
  #controller: DispatchController | undefined = undefined;
  #settled = false;
  #cancelReason: Error | undefined = undefined;
  #drainTimer: Timer | undefined = undefined;
  #status = 0;
  #headers: RawHeaders = {};
  /** Most bodies come in one piece, which is kept as it is. */
  #first: Uint8Array | undefined = undefined;
  #rest: Uint8Array[] | undefined = undefined;
  #size = 0;

  constructor(
    settings: AttemptSettings,
    request: PreparedRequest,
    log: AttemptLog,
    context: ExecuteContext,
    resolve: (response: HttpResponse) => void,
    reject: (error: unknown) => void,
  ) {
    this.#settings = settings;
    this.request = request;
    this.#log = log;
    this.#context = context;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** The try is out of time, or nobody waits for it any more. */
  cancel(reason: unknown): void {
    if (this.#settled) return;
    const { code, name } = Object(reason) as { code?: unknown; name?: unknown };
    const error = reason instanceof Error ? reason : new Error('cancelled');
    // Time runs out because of what failed before, if anything did.
    this.#log.failure ??= reason;
    this.#end(this.#statusSeen, typeof code === 'string' ? code : typeof name === 'string' ? name : 'cancelled');
    this.#reject(reason);
    // A request still in the transport's queue has no controller: it is refused when its turn comes.
    this.#cancelReason = error;
    this.#controller?.abort(error);
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
    if (status >= 300) this.#drain();
    else if (Number(headers['content-length']) > this.#settings.limits.maxBytes && this.request.method !== 'HEAD') {
      this.#refuse(controller);
    }
  }

  onResponseData(controller: DispatchController, chunk: Uint8Array): void {
    if (this.#settled) return;
    this.#size += chunk.length;
    if (this.#first === undefined) this.#first = chunk;
    else if (this.#rest === undefined) this.#rest = [this.#first, chunk];
    else this.#rest.push(chunk);
    if (this.#status >= 300) {
      if (this.#size > ERROR_BODY_BYTES) this.#cut();
    } else if (this.#size > this.#settings.limits.maxBytes) this.#refuse(controller);
  }

  onResponseEnd(): void {
    if (!this.#settled) this.#finish(false);
  }

  onResponseError(_controller: DispatchController | null, error: Error): void {
    if (this.#settled) return;
    const errorCode = codeOf(error);
    const phase = this.#status > 0 ? 'response' : this.#controller === undefined ? 'connect' : 'request';
    const { subject, repeatable } = this.request;
    const retryable = isRetryableFailure(this.#settings.rules, errorCode, repeatable, phase === 'connect');
    // A parse error quotes the bytes it choked on, which may be anything.
    if ('data' in error) error.data = undefined;
    this.#fail(new HttpNetworkError(subject, errorCode, phase, retryable, error), errorCode);
  }

  /** The body of a failed try is read to its end, but not for long when another try may follow. */
  #drain(): void {
    const { clock, rules, maxAttempts } = this.#settings;
    if (this.#context.attempt >= maxAttempts) return;
    if (!isRetryableStatus(rules, this.#status, this.request.repeatable)) return;
    this.#drainTimer = clock.setTimer(() => this.#cut(), DRAIN_MS);
  }

  /** Takes what has come of the body, and drops the connection. */
  #cut(): void {
    if (this.#settled) return;
    this.#finish(true);
    this.#controller?.abort(new Error('the rest of the body is not needed'));
  }

  #refuse(controller: DispatchController): void {
    const { maxBytes } = this.#settings.limits;
    const error = new HttpResponseTooLargeError(this.request.subject, 'maxBytes', maxBytes, this.#status);
    this.#fail(error, error.code);
    controller.abort(error);
  }

  #finish(truncated: boolean): void {
    const wire = this.#rest === undefined ? this.#first : Buffer.concat(this.#rest, this.#size);
    this.#first = this.#rest = undefined;
    const encoding = this.#headers['content-encoding'];
    if (wire === undefined || wire.length === 0 || encoding === undefined) {
      this.#settle(wire, truncated);
      return;
    }
    const failed = this.#status >= 300;
    const limits = failed ? { ...this.#settings.limits, maxBytes: ERROR_BODY_DECODED_BYTES } : this.#settings.limits;
    const decoded = decodeContent(wire, parseEncodings(encoding), limits);
    if (decoded instanceof Promise) {
      // Not rejecting: every failure of a decoder is a value.
      void decoded.then((result) => this.#settleDecoded(result, truncated));
    } else this.#settleDecoded(decoded, truncated);
  }

  #settleDecoded(result: Uint8Array | DecodeFailure, truncated: boolean): void {
    if (this.#settled) return;
    if (!isDecodeFailure(result)) this.#settle(result, truncated);
    // What came with an error is an extra; that it cannot be read must not hide the status.
    else if (this.#status >= 300) this.#settle(undefined, true);
    else {
      const error = decodeError(this.request.subject, this.#status, result);
      this.#fail(error, error.code);
    }
  }

  #settle(bytes: Uint8Array | undefined, truncated: boolean): void {
    const { subject, repeatable } = this.request;
    const status = this.#status;
    const failed = status >= 300;
    const cut = failed && bytes !== undefined && bytes.length > ERROR_BODY_BYTES;
    const body = cut ? bytes.subarray(0, ERROR_BODY_BYTES) : bytes;
    const response = new HttpResponse(subject, status, this.#headers, body, truncated || cut);
    this.#end(status, undefined);
    if (!failed) {
      this.#resolve(response);
      return;
    }
    const retryable = isRetryableStatus(this.#settings.rules, status, repeatable);
    const error = new HttpStatusError(subject, response, retryable, this.#retryAfterMs());
    this.#log.failure = error;
    this.#reject(error);
  }

  #retryAfterMs(): number | undefined {
    const headers = this.#headers;
    const retryAfter = one(headers['retry-after']);
    const retryAfterMs = one(headers['retry-after-ms']);
    if (retryAfter === undefined && retryAfterMs === undefined) return undefined;
    return parseRetryAfter({ retryAfter, retryAfterMs, date: one(headers['date']) }, this.#settings.clock.now());
  }

  get #statusSeen(): number | undefined {
    return this.#status === 0 ? undefined : this.#status;
  }

  #fail(error: HttpError, errorCode: string): void {
    this.#log.failure = error;
    this.#end(this.#statusSeen, errorCode);
    this.#reject(error);
  }

  #end(status: number | undefined, errorCode: string | undefined): void {
    this.#settled = true;
    this.#drainTimer?.cancel();
    this.#log.end(this.#context.attempt, this.#settings.clock.monotonic(), status, errorCode);
  }
}

/** A header sent more than once counts as its first. */
function one(value: string | string[] | undefined): string | undefined {
  return typeof value === 'object' ? value[0] : value;
}

/** The code of a network error; of several addresses tried, the first one's. */
function codeOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code === 'string') return code;
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return codeOf(error.errors[0]);
  return error.name;
}
