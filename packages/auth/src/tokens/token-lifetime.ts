// Decides how long a token is used, as pure functions.
import type { Random } from '@macadam/core';
import type { Lifespan } from '../refresh/refresh-plan.ts';

/** Assumed without a usable `expires_in`: long enough to be useful, short enough that a wrong guess is soon corrected. */
export const DEFAULT_LIFETIME_MS = 300_000;
/**
 * For an `expires_in` of 0 or less. Requesting a token for each call would be a storm; a 401 shows if it has really
 * expired.
 */
const EXPIRED_LIFETIME_MS = 10_000;
const MIN_LIFETIME_MS = 1_000;
const MAX_LIFETIME_MS = 86_400_000;
/**
 * A token is not sent within this time before it expires, even if there is no other one: clocks differ, and requests
 * take time.
 */
const SAFETY_MS = 10_000;

/** The parsed `expires_in`. */
export interface TokenLifetime {
  readonly lifetimeMs: number;
  /** Whether it was missing, not a number, or out of range. */
  readonly isOddLifetime: boolean;
}

/** Parses `expires_in` (RFC 6749 section 5.1): seconds, which some endpoints send as text, as 0, or not at all. */
export function lifetimeOf(expiresIn: unknown): TokenLifetime {
  const isNumericText = typeof expiresIn === 'string' && /^\s*-?\d{1,20}(\.\d+)?\s*$/.test(expiresIn);
  const seconds = typeof expiresIn === 'number' || isNumericText ? Number(expiresIn) : Number.NaN;
  if (Number.isNaN(seconds)) return { lifetimeMs: DEFAULT_LIFETIME_MS, isOddLifetime: true };
  if (seconds <= 0) return { lifetimeMs: EXPIRED_LIFETIME_MS, isOddLifetime: true };
  const lifetimeMs = Math.min(MAX_LIFETIME_MS, Math.max(MIN_LIFETIME_MS, seconds * 1_000));
  return { lifetimeMs, isOddLifetime: isNumericText || !Number.isInteger(seconds) || lifetimeMs !== seconds * 1_000 };
}

/**
 * When a token is refreshed: in the background at a random 60 to 90 % of the time it is used, so that instances that
 * started together spread out; callers wait for a new one once less than `minRemainingMs` is left.
 */
export function lifespanOf(startedAt: number, lifetimeMs: number, minRemainingMs: number, random: Random): Lifespan {
  // A token with a shorter lifetime than `minRemainingMs` is used for half of it.
  const usableMs = lifetimeMs - Math.min(minRemainingMs, lifetimeMs / 2);
  return {
    refreshAt: startedAt + usableMs * (0.6 + 0.3 * random()),
    staleAt: startedAt + usableMs,
    unusableAt: startedAt + lifetimeMs - Math.min(SAFETY_MS, lifetimeMs / 4),
  };
}
