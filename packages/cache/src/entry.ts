import type { Random } from '@macadam/core';

/** A value in memory. All times are on the monotonic clock. */
export interface Entry<T> {
  readonly value: T;
  readonly tags: readonly string[];
  /** What its source compares to say that nothing changed; empty for none. */
  readonly validator: string;
  /** How many tag invalidations there had been when its load began. */
  readonly position: number;
  readonly storedAt: number;
  readonly bytes: number;
  /** From here on a read refreshes it behind the caller's back; never after `freshUntil`. */
  refreshAt: number;
  freshUntil: number;
  /** Until here it is served while it is loaded anew. */
  staleUntil: number;
  /** Until here it is served when loading anew fails or is slow. */
  errorUntil: number;
  /** The number of tag invalidations it was last judged against. */
  checkedAt: number;
  /** The tag expiry that was last applied to it. */
  expiredAt: number;
  /** Loads that failed since it was stored, in a row. */
  failures: number;
  /** Not loaded anew before this, after a failure. */
  retryAt: number;
  /** Was removed, and must not serve again in any role. */
  removed: boolean;
}

/**
 * How an entry may be used. `fresh`: served as a hit. `stale`: served while it is reloaded in the background
 * (`staleWhileRevalidateMs`). `staleIfError`: served only if the reload fails or is slow (`staleIfErrorMs`). `dead`:
 * never served again.
 */
export type Freshness = 'dead' | 'fresh' | 'stale' | 'staleIfError';

export function freshnessOf(entry: Entry<unknown>, now: number): Freshness {
  if (now < entry.freshUntil) return 'fresh';
  if (now < entry.staleUntil) return 'stale';
  return now < entry.errorUntil ? 'staleIfError' : 'dead';
}

/** How long values live; see the options of the same names. */
export interface Lifetimes {
  readonly ttlJitter: number;
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
  readonly earlyRefresh: boolean;
}

/** How long a value may serve after it was fresh. */
export function longestStaleMs({ staleIfErrorMs, staleWhileRevalidateMs }: Lifetimes): number {
  return Math.max(staleIfErrorMs, staleWhileRevalidateMs);
}

/** A load and what it gave. */
export interface Loaded<T> {
  readonly value: T;
  readonly ttlMs: number;
  readonly tags: readonly string[];
  readonly validator: string;
  readonly position: number;
  readonly bytes: number;
  /** How long the loader took, in milliseconds; 0 for a value that was set. */
  readonly loadMs: number;
}

/** An early refresh begins at most this share of the lifetime before its end. */
const EARLIEST_REFRESH = 0.2;

/**
 * Early refresh is XFetch (Vattani and others, "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015) with its
 * beta of 1: the refresh begins an exponentially distributed time before expiry, in units of how long the load took. It
 * is drawn once, here, so that a hit costs one comparison and no random number. Processes draw apart from each other,
 * so they do not refresh together. With one draw an entry, instead of one a read, a hot key would often begin too late
 * to be done in time: the load's own duration is therefore added.
 *
 * Jitter only shortens: a lifetime that an upstream stated is never exceeded.
 */
export function entryOf<T>(loaded: Loaded<T>, now: number, lifetimes: Lifetimes, random: Random): Entry<T> {
  const ttlMs = loaded.ttlMs * (1 - lifetimes.ttlJitter * random());
  return freshEntry(loaded, ttlMs, now, lifetimes, random);
}

function freshEntry<T>(loaded: Loaded<T>, ttlMs: number, now: number, lifetimes: Lifetimes, random: Random): Entry<T> {
  const leadMs = lifetimes.earlyRefresh
    ? Math.min((1 - Math.log(1 - random())) * loaded.loadMs, ttlMs * EARLIEST_REFRESH)
    : 0;
  const freshUntil = now + ttlMs;
  // An absence must not outlive its time: what has come into being since would stay hidden.
  const absent = loaded.value === null;
  return {
    value: loaded.value,
    tags: loaded.tags,
    validator: loaded.validator,
    position: loaded.position,
    storedAt: now,
    bytes: loaded.bytes,
    refreshAt: ttlMs === Infinity ? Infinity : freshUntil - leadMs,
    freshUntil,
    staleUntil: freshUntil + (absent ? 0 : lifetimes.staleWhileRevalidateMs),
    errorUntil: freshUntil + (absent ? 0 : longestStaleMs(lifetimes)),
    checkedAt: loaded.position,
    expiredAt: 0,
    failures: 0,
    retryAt: -Infinity,
    removed: false,
  };
}

/** A value that another instance has loaded, and how it stands. */
export interface Shared<T> extends Omit<Loaded<T>, 'ttlMs'> {
  readonly ageMs: number;
  /** At most 0 for what may only serve as stale. */
  readonly freshForMs: number;
  /** For how long it may serve in any role. */
  readonly remainingMs: number;
}

/** Its times end here when they end there: durations are taken over, never moments. */
export function entryOfShared<T>(shared: Shared<T>, now: number, lifetimes: Lifetimes, random: Random): Entry<T> {
  const { freshForMs, remainingMs, ageMs } = shared;
  const loaded = { ...shared, ttlMs: freshForMs };
  const entry = freshEntry(loaded, Math.max(0, freshForMs), now, lifetimes, random);
  const errorUntil = now + remainingMs;
  return {
    ...entry,
    storedAt: now - ageMs,
    freshUntil: now + freshForMs,
    staleUntil: Math.min(entry.staleUntil + Math.min(0, freshForMs), errorUntil),
    errorUntil,
  };
}

/** Ends its freshness as of `at`; the times in which it may still serve begin there, and never become longer. */
export function expireEntry(entry: Entry<unknown>, at: number, lifetimes: Lifetimes): void {
  const absent = entry.value === null;
  if (at >= entry.freshUntil) return;
  entry.freshUntil = at;
  entry.refreshAt = Math.min(entry.refreshAt, at);
  endStaleness(
    entry,
    at + (absent ? 0 : lifetimes.staleWhileRevalidateMs),
    at + (absent ? 0 : longestStaleMs(lifetimes)),
  );
  entry.retryAt = -Infinity;
}

/** Ends the times in which it may serve as stale; they never become longer. */
export function endStaleness(entry: Entry<unknown>, staleUntil: number, errorUntil: number): void {
  entry.staleUntil = Math.min(entry.staleUntil, staleUntil);
  entry.errorUntil = Math.min(entry.errorUntil, errorUntil);
}

const FIRST_BACKOFF_MS = 1_000;
const LONGEST_BACKOFF_MS = 30_000;

/** Notes that loading anew failed: the next attempt waits 1 s, doubling up to 30 s, half of it drawn at random. */
export function noteFailure(entry: Entry<unknown>, now: number, random: Random): void {
  const backoffMs = Math.min(FIRST_BACKOFF_MS * 2 ** entry.failures, LONGEST_BACKOFF_MS);
  entry.failures++;
  entry.retryAt = now + backoffMs * (0.5 + random() / 2);
}
