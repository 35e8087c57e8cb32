import { abortable, type Clock, onAbort, TimeoutError } from '@macadam/core';
import { type FetchPurpose, recordFetch } from '../instruments.ts';

/** The part of `fetch` that is used, so that any HTTP client fits, such as `client.fetch` of `@macadam/http`. */
export type FetchLike = (url: string, init: FetchInit) => Promise<FetchResponse>;

/** The options of one request. */
export interface FetchInit {
  /** The method. */
  method: 'GET' | 'POST';
  /** The header fields. */
  headers: Record<string, string>;
  /** The body. */
  body?: string;
  /** Aborts when the time limit runs out. */
  signal: AbortSignal;
  /** Redirects are never followed. */
  redirect: 'manual';
}

/** The part of a `Response` that is used. */
export interface FetchResponse {
  /** The status code. */
  readonly status: number;
  /** The header fields. */
  readonly headers: {
    /** Returns a field by its name. */
    get(name: string): string | null;
  };
  /** The body. */
  readonly body: ReadableStream<Uint8Array> | null;
}

/** A response that was received completely. */
export interface BoundedResponse {
  readonly status: number;
  readonly headers: FetchResponse['headers'];
  /** The body; empty unless `readsBody` returned true for the status. */
  readonly text: string;
}

/** A request, with its limits on time and size. */
export interface BoundedRequest {
  readonly purpose: FetchPurpose;
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Record<string, string>;
  readonly body?: string;
  readonly fetch: FetchLike;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly maxBytes: number;
  /** Whether the body of a response with this status is read; others are cancelled. */
  readonly readsBody: (status: number) => boolean;
  readonly signal: AbortSignal;
}

/** The body of the response exceeds `maxBytes`. */
export class ResponseTooLargeError extends Error {}
ResponseTooLargeError.prototype.name = 'ResponseTooLargeError';

/**
 * Sends one request, limited in time and size of the response.
 *
 * Rejects with the error of `fetch`, a `TimeoutError`, a {@link ResponseTooLargeError}, or the reason of the signal. The
 * limits hold even if `fetch` ignores its signal.
 */
export async function fetchBounded(request: BoundedRequest): Promise<BoundedResponse> {
  const { clock, timeoutMs, purpose } = request;
  request.signal.throwIfAborted();
  const startedAt = clock.monotonic();
  let hasResponse = false;
  const controller = new AbortController();
  const timer = clock.setTimer(
    () => controller.abort(new TimeoutError(`No response within ${timeoutMs} ms.`, timeoutMs)),
    timeoutMs,
  );
  const unsubscribe = onAbort(request.signal, (reason) => controller.abort(reason));
  try {
    const response = await send(request, controller.signal);
    hasResponse = true;
    return response;
  } finally {
    timer.cancel();
    unsubscribe();
    recordFetch(purpose, clock.monotonic() - startedAt, hasResponse);
  }
}

async function send(
  { url, method, headers, body, fetch, maxBytes, readsBody }: BoundedRequest,
  signal: AbortSignal,
): Promise<BoundedResponse> {
  const init: FetchInit = { method, headers, signal, redirect: 'manual' };
  if (body !== undefined) init.body = body;
  const fetching = fetch(url, init);
  // A response that comes too late is not read by anyone.
  fetching.then((late) => signal.aborted && cancel(late.body, signal.reason)).catch(() => {});
  const response = await abortable(fetching, signal);
  if (!readsBody(response.status)) cancel(response.body, undefined);
  const reader = readsBody(response.status) ? response.body?.getReader() : undefined;
  const text = reader === undefined ? '' : await readText(reader, maxBytes, signal);
  return { status: response.status, headers: response.headers, text };
}

async function readText(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  maxBytes: number,
  signal: AbortSignal,
): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await abortable(reader.read(), signal);
      if (done) break;
      size += value.byteLength;
      if (size > maxBytes) throw new ResponseTooLargeError(`the response is longer than ${maxBytes} bytes`);
      chunks.push(value);
    }
  } catch (error) {
    cancel(reader, error);
    throw error;
  }
  // Like `Response.text()`: a byte order mark is dropped, since it would not be valid JSON.
  return new TextDecoder().decode(Buffer.concat(chunks));
}

/** Not awaited: a stream decides for itself how long its cancellation takes. */
function cancel(stream: Pick<ReadableStream, 'cancel'> | null, reason: unknown): void {
  stream?.cancel(reason).catch(() => {});
}
