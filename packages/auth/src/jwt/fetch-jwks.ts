import type { Clock } from '@macadam/core';
import { fetchBounded, type FetchLike, type FetchResponse, ResponseTooLargeError } from '../fetch/bounded-fetch.ts';
import { querySecrets, redactedCause } from '../fetch/redacted-cause.ts';
import { type JwtAlgorithm } from './algorithms.ts';
import { type KeySet, KeySetError, parseKeySet } from './key-set.ts';
import { parseStrictObject } from './strict-json.ts';

/** The result of fetching a key set. */
export type JwksResponse =
  | {
      readonly kind: 'modified';
      readonly keys: KeySet;
      readonly etag: string | undefined;
      readonly freshnessMs: number;
    }
  | { readonly kind: 'notModified'; readonly freshnessMs: number };

/** What to fetch, and the current key set with its validator. */
export interface JwksRequest {
  readonly url: URL;
  readonly algorithms: readonly JwtAlgorithm[];
  readonly fetch: FetchLike;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly previous: KeySet | undefined;
  readonly etag: string | undefined;
  readonly signal: AbortSignal;
}

/** Far larger than any real key set: a bound on memory against an endless response. */
const MAX_BYTES = 262_144;
const DEFAULT_FRESH_MS = 600_000;
const MIN_FRESH_MS = 60_000;
const MAX_FRESH_MS = 86_400_000;

/**
 * Fetches a key set once, with `If-None-Match`, within limits on time and size. Rejects with an error that contains nothing
 * of the body of the response.
 */
export async function fetchJwks(request: JwksRequest): Promise<JwksResponse> {
  const { previous, etag, url, fetch, clock, timeoutMs, signal } = request;
  const headers: Record<string, string> = { accept: 'application/jwk-set+json, application/json' };
  if (etag !== undefined && previous !== undefined) headers['if-none-match'] = etag;
  const bounds = {
    fetch,
    clock,
    timeoutMs,
    maxBytes: MAX_BYTES,
    readsBody: (status: number) => status === 200,
    signal,
  };
  const response = await fetchBounded({ purpose: 'jwks', url: url.href, method: 'GET', headers, ...bounds }).catch(
    (error: unknown) => {
      if (error instanceof ResponseTooLargeError) throw new KeySetError(error.message);
      // HTTP clients quote the URL in their errors.
      throw url.search === '' ? error : redactedCause(error, querySecrets(url));
    },
  );
  const freshnessMs = remainingFreshnessMs(response.headers);
  if (response.status === 304 && previous !== undefined) return { kind: 'notModified', freshnessMs };
  if (response.status !== 200) throw new KeySetError(`the response has status ${response.status}`);
  const value = parseStrictObject(response.text);
  if (value === undefined) throw new KeySetError('the response is not a JSON object without duplicate names');
  const keys = parseKeySet(value, request.algorithms, previous);
  return { kind: 'modified', keys, etag: response.headers.get('etag') ?? undefined, freshnessMs };
}

/**
 * How long a key set is still fresh (RFC 9111 section 4.2): `max-age` of `Cache-Control` less `Age`, the time that the
 * response has spent in caches; between a minute and a day. 10 minutes without `max-age`.
 */
function remainingFreshnessMs(headers: FetchResponse['headers']): number {
  const directives = (headers.get('cache-control') ?? '')
    .toLowerCase()
    .split(',')
    .map((one) => one.trim());
  if (directives.includes('no-store') || directives.includes('no-cache')) return MIN_FRESH_MS;
  const maxAge = directives.find((one) => /^max-age="?\d+"?$/.test(one));
  if (maxAge === undefined) return DEFAULT_FRESH_MS;
  const age = /^\d+/.exec(headers.get('age') ?? '')?.[0] ?? '0';
  const seconds = deltaSeconds(maxAge.replaceAll(/\D/g, '')) - deltaSeconds(age);
  return Math.min(MAX_FRESH_MS, Math.max(MIN_FRESH_MS, seconds * 1_000));
}

/** A larger value, however many digits it has, counts as 2^31 (RFC 9111 section 1.2.2). */
function deltaSeconds(digits: string): number {
  return Math.min(2 ** 31, Number(digits));
}
