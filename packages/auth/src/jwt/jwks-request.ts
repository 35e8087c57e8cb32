import type { Clock } from '@macadam/core';
import { AnswerTooLongError, fetchBounded, type FetchLike } from '../fetch/bounded-fetch.ts';
import { type JwtAlgorithm } from './algorithms.ts';
import { type KeySet, KeySetError, readKeySet } from './key-set.ts';
import { readStrictObject } from './strict-json.ts';

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
  const { before, etag, uri, fetch, clock, timeoutMs, signal } = request;
  const headers: Record<string, string> = { accept: 'application/jwk-set+json, application/json' };
  if (etag !== undefined && before !== undefined) headers['if-none-match'] = etag;
  const bounds = { fetch, clock, timeoutMs, maxBytes: MAX_BYTES, reads: (status: number) => status === 200, signal };
  const answer = await fetchBounded({ purpose: 'jwks', url: uri, method: 'GET', headers, ...bounds }).catch(
    (error: unknown) => {
      throw error instanceof AnswerTooLongError ? new KeySetError(error.message) : error;
    },
  );
  const freshMs = freshnessOf(answer.headers.get('cache-control'));
  if (answer.status === 304 && before !== undefined) return { kind: 'unchanged', freshMs };
  if (answer.status !== 200) throw new KeySetError(`the answer has status ${answer.status}`);
  const value = readStrictObject(answer.text);
  if (value === undefined) throw new KeySetError('the answer is not a JSON object in which each name is there once');
  const keys = readKeySet(value, request.algorithms, before);
  return { kind: 'changed', keys, etag: answer.headers.get('etag') ?? undefined, freshMs };
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
