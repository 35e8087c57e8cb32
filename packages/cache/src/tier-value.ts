import type { TierValue } from './lookup-result.ts';
import type { Opened } from './wire/envelopes.ts';

/** An entry of the shared tier that was decoded to a value. */
type DecodedValue<T> = Extract<Opened<T>, { readonly state: 'expired' | 'value' }>;

/**
 * Calculates how long a value of the shared tier is fresh and may be served from now on. Undefined when it may not be
 * served any more.
 *
 * @param tierRemainingMs how long the tier will keep the entry
 * @param expiredInMs when a tag expiry ended its freshness, from now: negative in the past, `Infinity` for no expiry,
 *   `-Infinity` when the time is unknown
 */
export function tierValue<T>(
  decoded: DecodedValue<T>,
  tierRemainingMs: number,
  expiredInMs: number,
): TierValue<T> | undefined {
  const { state, value, tags, validator, loadMs, freshForMs, staleForMs } = decoded;
  // The server may be made to keep an entry longer than it was written for, which makes it no younger.
  const leftMs = Math.min(tierRemainingMs, freshForMs + staleForMs);
  const freshLeftMs = state === 'value' ? leftMs - staleForMs : Math.min(0, leftMs - staleForMs);
  const freshForNowMs = Math.min(freshLeftMs, Math.max(expiredInMs, -staleForMs));
  // The stale window starts where the freshness ended; now, when that time is unknown.
  const serveForMs = Math.min(leftMs, staleForMs + (expiredInMs === -Infinity ? 0 : freshForNowMs));
  if (serveForMs <= 0) return undefined;
  return {
    state: 'value',
    value,
    tags,
    validator,
    loadMs,
    ageMs: Math.max(0, freshForMs - freshLeftMs),
    freshForMs: freshForNowMs,
    remainingMs: serveForMs,
  };
}
