import { type Clock, onAbort, TimeoutError } from '@macadam/core';
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

/** An answer that arrived whole. */
export interface BoundedAnswer {
  readonly status: number;
  readonly headers: FetchResponse['headers'];
  /** Empty unless the status is one of `read`. */
  readonly text: string;
}

/** A request, and what may be spent on it. */
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
  /** Whether the body of an answer with this status is of interest; others are not read. */
  readonly reads: (status: number) => boolean;
  readonly signal: AbortSignal;
}

/** An answer that is longer than anybody honest sends. */
export class AnswerTooLongError extends Error {}
AnswerTooLongError.prototype.name = 'AnswerTooLongError';

/** Asks once, within a time and a size. Rejects with what `fetch` did, a `TimeoutError`, or the signal's reason. */
export async function fetchBounded(request: BoundedRequest): Promise<BoundedAnswer> {
  const { clock, timeoutMs, purpose } = request;
  request.signal.throwIfAborted();
  const startedAt = clock.monotonic();
  let answered = false;
  const controller = new AbortController();
  const timer = clock.setTimer(
    () => controller.abort(new TimeoutError(`No answer within ${timeoutMs} ms.`, timeoutMs)),
    timeoutMs,
  );
  const unsubscribe = onAbort(request.signal, (reason) => controller.abort(reason));
  try {
    const answer = await ask(request, controller.signal);
    answered = true;
    return answer;
  } finally {
    timer.cancel();
    unsubscribe();
    recordFetch(purpose, clock.monotonic() - startedAt, answered);
  }
}

async function ask(
  { url, method, headers, body, fetch, maxBytes, reads }: BoundedRequest,
  signal: AbortSignal,
): Promise<BoundedAnswer> {
  const init: FetchInit = { method, headers, signal, redirect: 'manual' };
  if (body !== undefined) init.body = body;
  const response = await orAbort(fetch(url, init), signal);
  if (reads(response.status)) {
    const text = await orAbort(readText(response, maxBytes), signal);
    return { status: response.status, headers: response.headers, text };
  }
  // Not waited for: whoever gave the body may take as long as they like to let go of it.
  response.body?.cancel().catch(() => {});
  return { status: response.status, headers: response.headers, text: '' };
}

/** A `fetch` that takes no notice of its signal must not make anybody wait for ever. */
function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const unsubscribe = onAbort(signal, (reason) => reject(reason as Error));
    promise.then(resolve, reject).finally(unsubscribe);
  });
}

async function readText(response: FetchResponse, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    // Leaving the loop cancels the stream.
    if (size > maxBytes) throw new AnswerTooLongError(`the answer is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  // As `Response.text()` decodes: a mark of the byte order is none of the text, and no JSON.
  return new TextDecoder().decode(Buffer.concat(chunks));
}
