// How long a token is used, as pure functions.
import type { Random } from '@macadam/core';
import type { Lifespan } from '../refresh/refresh-plan.ts';

/** What an answer without a usable `expires_in` is taken for: long enough to be of use, and asked for soon enough anew. */
export const DEFAULT_LIFETIME_MS = 300_000;
/** A token that is said to have ended already. A grant for each call would be a storm; the 401 tells if it is true. */
const ENDED_LIFETIME_MS = 10_000;
const MIN_LIFETIME_MS = 1_000;
const MAX_LIFETIME_MS = 86_400_000;
/** A token that ends sooner is not sent, even if no other is to be had: clocks differ, and requests take their time. */
const SAFETY_MS = 10_000;

/** What is made of `expires_in`. */
export interface TokenLifetime {
  readonly lifetimeMs: number;
  /** It was missing, not a number, or out of every reason. */
  readonly odd: boolean;
}

/** Reads `expires_in` (RFC 6749 section 5.1): seconds, which some endpoints send as text, as 0, or not at all. */
export function lifetimeOf(expiresIn: unknown): TokenLifetime {
  const text = typeof expiresIn === 'string' && /^\s*-?\d{1,20}(\.\d+)?\s*$/.test(expiresIn);
  const seconds = typeof expiresIn === 'number' || text ? Number(expiresIn) : Number.NaN;
  if (Number.isNaN(seconds)) return { lifetimeMs: DEFAULT_LIFETIME_MS, odd: true };
  if (seconds <= 0) return { lifetimeMs: ENDED_LIFETIME_MS, odd: true };
  const lifetimeMs = Math.min(MAX_LIFETIME_MS, Math.max(MIN_LIFETIME_MS, seconds * 1_000));
  return { lifetimeMs, odd: text || !Number.isInteger(seconds) || lifetimeMs !== seconds * 1_000 };
}

/**
 * When a token is got anew: in the background at 60 to 90 % of the time it may be used, by chance, so that a fleet that
 * began at once spreads out; and waited for once less than `minRemainingMs` is left of it.
 */
export function lifespanOf(startedAt: number, lifetimeMs: number, minRemainingMs: number, random: Random): Lifespan {
  // A token that lives shorter than that is still of use for half of its life.
  const usedMs = lifetimeMs - Math.min(minRemainingMs, lifetimeMs / 2);
  return {
    refreshAt: startedAt + usedMs * (0.6 + 0.3 * random()),
    staleAt: startedAt + usedMs,
    deadAt: startedAt + lifetimeMs - Math.min(SAFETY_MS, lifetimeMs / 4),
  };
}
