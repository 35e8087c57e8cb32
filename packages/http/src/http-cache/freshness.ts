/**
 * How old a stored response is and how long it is good for: the arithmetic of RFC 9111, sections 4.2.1 to 4.2.3, in
 * milliseconds.
 */
import type { CacheControl } from './cache-control.ts';
import { deltaSeconds, parseDate, responseField } from './fields.ts';
import type { CacheMode, StoredResponse } from './stored-response.ts';

/** Of the time since the last change, so much counts as fresh. Source: RFC 9111, section 4.2.2. */
const HEURISTIC_SHARE = 0.1;
/** A guess is good for a day at most. */
const LONGEST_GUESS_MS = 86_400_000;

/** Statuses whose freshness may be guessed (RFC 9110, section 15.1). */
const GUESSED_STATUSES: ReadonlySet<number> = new Set([200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501]);

/** A response and when it came: what its age is counted from. */
export type Aged = Pick<StoredResponse, 'headers' | 'receivedAtMs' | 'requestedAtMs' | 'status'>;

/** How old the response is at `now`. */
export function currentAgeMs(stored: Aged, now: number): number {
  const { headers, requestedAtMs, receivedAtMs } = stored;
  const date = parseDate(responseField(headers, 'date'), receivedAtMs) ?? receivedAtMs;
  const apparentMs = Math.max(0, receivedAtMs - date);
  // Of several values the first counts (section 5.1); what is no number of seconds is ignored.
  const told = deltaSeconds(responseField(headers, 'age')?.split(',', 1)[0]?.trim()) ?? 0;
  const correctedMs = told * 1_000 + Math.max(0, receivedAtMs - requestedAtMs);
  // A wall clock that was set back must not make anything younger than it came.
  return Math.max(apparentMs, correctedMs) + Math.max(0, now - receivedAtMs);
}

/** How long the response counts as fresh, from its making. */
export function freshnessLifetimeMs(stored: Aged, control: CacheControl, mode: CacheMode): number {
  const { headers, status, receivedAtMs } = stored;
  // A value that is none makes the response stale, rather than leaving the decision to something weaker.
  if (mode === 'shared' && control.has('s-maxage')) return (control.seconds('s-maxage') ?? 0) * 1_000;
  if (control.has('max-age')) return (control.seconds('max-age') ?? 0) * 1_000;
  const date = parseDate(responseField(headers, 'date'), receivedAtMs) ?? receivedAtMs;
  const expires = responseField(headers, 'expires');
  if (expires !== undefined) return Math.max(0, (parseDate(expires, receivedAtMs) ?? -Infinity) - date);
  if (!GUESSED_STATUSES.has(status) && !control.has('public')) return 0;
  const modified = parseDate(responseField(headers, 'last-modified'), receivedAtMs);
  if (modified === undefined) return 0;
  return Math.min(Math.max(0, date - modified) * HEURISTIC_SHARE, LONGEST_GUESS_MS);
}

/** Whether something about the response says how long it may be used, were it only by its status. */
export function hasFreshness(status: number, control: CacheControl, mode: CacheMode, expires: boolean): boolean {
  if (control.has('public') || control.has('max-age') || expires) return true;
  if (control.has(mode === 'private' ? 'private' : 's-maxage')) return true;
  return GUESSED_STATUSES.has(status);
}
