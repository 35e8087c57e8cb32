/**
 * The current age and the freshness lifetime of a response: the arithmetic of RFC 9111, sections 4.2.1 to 4.2.3, in
 * milliseconds.
 */
import type { CacheControl } from './cache-control.ts';
import { deltaSeconds, parseDate, responseField } from './fields.ts';
import type { CacheMode, StoredResponse } from './stored-response.ts';

/** Heuristic freshness, as a fraction of the time since the last modification. Source: RFC 9111, section 4.2.2. */
const HEURISTIC_FRACTION = 0.1;
/** Heuristic freshness lasts a day at most. */
const MAX_HEURISTIC_MS = 86_400_000;

/** Heuristically cacheable statuses (RFC 9110, section 15.1). */
const HEURISTICALLY_CACHEABLE: ReadonlySet<number> = new Set([
  200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501,
]);

/** The part of a stored response from which its age and lifetime are calculated. */
export type DatedResponse = Pick<StoredResponse, 'headers' | 'receivedAtMs' | 'requestedAtMs' | 'status'>;

/** The current age of a response at `now` (RFC 9111, section 4.2.3). */
export function currentAgeMs(response: DatedResponse, now: number): number {
  const { headers, requestedAtMs, receivedAtMs } = response;
  const date = parseDate(responseField(headers, 'date'), receivedAtMs) ?? receivedAtMs;
  const apparentAgeMs = Math.max(0, receivedAtMs - date);
  // The first of several values counts; an invalid one is ignored (section 5.1).
  const ageSeconds = deltaSeconds(responseField(headers, 'age')?.split(',', 1)[0]?.trim()) ?? 0;
  const responseDelayMs = Math.max(0, receivedAtMs - requestedAtMs);
  const correctedAgeMs = ageSeconds * 1_000 + responseDelayMs;
  // A wall clock that was set back must not make a response younger than it was when it arrived.
  const residentTimeMs = Math.max(0, now - receivedAtMs);
  return Math.max(apparentAgeMs, correctedAgeMs) + residentTimeMs;
}

/** The freshness lifetime of a response (RFC 9111, section 4.2.1): its age up to which it is fresh. */
export function freshnessLifetimeMs(response: DatedResponse, control: CacheControl, mode: CacheMode): number {
  const { headers, status, receivedAtMs } = response;
  // An invalid value makes the response stale, instead of leaving the decision to a weaker field.
  if (mode === 'shared' && control.has('s-maxage')) return (control.seconds('s-maxage') ?? 0) * 1_000;
  if (control.has('max-age')) return (control.seconds('max-age') ?? 0) * 1_000;
  const date = parseDate(responseField(headers, 'date'), receivedAtMs) ?? receivedAtMs;
  const expires = responseField(headers, 'expires');
  if (expires !== undefined) return Math.max(0, (parseDate(expires, receivedAtMs) ?? -Infinity) - date);
  if (!isHeuristicallyCacheable(status) && !control.has('public')) return 0;
  const modified = parseDate(responseField(headers, 'last-modified'), receivedAtMs);
  if (modified === undefined) return 0;
  return Math.min(Math.max(0, date - modified) * HEURISTIC_FRACTION, MAX_HEURISTIC_MS);
}

export function isHeuristicallyCacheable(status: number): boolean {
  return HEURISTICALLY_CACHEABLE.has(status);
}
