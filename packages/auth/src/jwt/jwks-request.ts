import { type Clock, onAbort, TimeoutError } from '@macadam/core';
import { type JwtAlgorithm } from './algorithms.ts';
import { type KeySet, KeySetError, readKeySet } from './key-set.ts';

/** The part of `fetch` that is used, so that any HTTP client serves: `client.fetch` of `@macadam/http`, say. */
export type FetchLike = (url: string, init: FetchInit) => Promise<FetchResponse>;

/** What a request is made with. */
export interface FetchInit {
  method: 'GET' | 'POST';
  headers: Record<string, string>;
  body?: string;
  signal: AbortSignal;
  /** Redirects are never followed: the answer would come from somebody else. */
  redirect: 'manual';
}

/** The part of a `Response` that is used. */
export interface FetchResponse {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: ReadableStream<Uint8Array> | null;
}

/** What came of asking for a key set. */
export type JwksAnswer =
  | { readonly kind: 'changed'; readonly keys: KeySet; readonly etag: string | undefined; readonly freshMs: number }
  | { readonly kind: 'unchanged'; readonly freshMs: number };

/** What to ask, and what is known already. */
export interface JwksRequest {
  readonly uri: string;
  readonly algorithms: readonly JwtAlgorithm[];
  readonly fetch: FetchLike;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly before: KeySet | undefined;
  readonly etag: string | undefined;
  readonly signal: AbortSignal;
}

/** No issuer's set comes near; an answer that does not end must not fill the memory. */
const MAX_BYTES = 262_144;
const DEFAULT_FRESH_MS = 600_000;
const MIN_FRESH_MS = 60_000;
const MAX_FRESH_MS = 86_400_000;

/** Asks for a key set, once, within a time and a size. Rejects with an error that holds nothing of the answer. */
export async function requestJwks(request: JwksRequest): Promise<JwksAnswer> {
  const { clock, timeoutMs } = request;
  request.signal.throwIfAborted();
  const controller = new AbortController();
  const timer = clock.setTimer(
    () => controller.abort(new TimeoutError(`The key set did not arrive within ${timeoutMs} ms.`, timeoutMs)),
    timeoutMs,
  );
  const unsubscribe = onAbort(request.signal, (reason) => controller.abort(reason));
  try {
    return await ask(request, controller.signal);
  } finally {
    timer.cancel();
    unsubscribe();
  }
}

async function ask(request: JwksRequest, signal: AbortSignal): Promise<JwksAnswer> {
  const { before, etag } = request;
  const headers: Record<string, string> = { accept: 'application/jwk-set+json, application/json' };
  if (etag !== undefined && before !== undefined) headers['if-none-match'] = etag;
  const asked = request.fetch(request.uri, { method: 'GET', headers, signal, redirect: 'manual' });
  const response = await orAbort(asked, signal);
  const freshMs = freshnessOf(response.headers.get('cache-control'));
  if (response.status === 304 && before !== undefined) return { kind: 'unchanged', freshMs };
  if (response.status !== 200) {
    await discard(response);
    throw new KeySetError(`the answer has status ${response.status}`);
  }
  const text = await orAbort(readText(response), signal);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new KeySetError('the answer is not JSON');
  }
  const keys = readKeySet(value, request.algorithms, before);
  return { kind: 'changed', keys, etag: response.headers.get('etag') ?? undefined, freshMs };
}

/** A `fetch` that takes no notice of its signal must not make a token wait for ever. */
function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const unsubscribe = onAbort(signal, (reason) => reject(reason as Error));
    promise.then(resolve, reject).finally(unsubscribe);
  });
}

async function readText(response: FetchResponse): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    // Leaving the loop cancels the stream.
    if (size > MAX_BYTES) throw new KeySetError(`the answer is longer than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

async function discard(response: FetchResponse): Promise<void> {
  await response.body?.cancel().catch(() => {});
}

/** How long a set is fresh: `max-age` between a minute and a day, 10 minutes where nothing is said. */
export function freshnessOf(cacheControl: string | null): number {
  const directives = (cacheControl ?? '')
    .toLowerCase()
    .split(',')
    .map((one) => one.trim());
  if (directives.includes('no-store') || directives.includes('no-cache')) return MIN_FRESH_MS;
  const maxAge = directives.find((one) => /^max-age="?\d+"?$/.test(one));
  if (maxAge === undefined) return DEFAULT_FRESH_MS;
  const seconds = Number(maxAge.replaceAll(/\D/g, ''));
  return Math.min(MAX_FRESH_MS, Math.max(MIN_FRESH_MS, seconds * 1_000));
}
