import type { Random } from '@macadam/core';

/** A value in memory, with the times that decide how it may be served. All times are on the monotonic clock. */
export interface Entry<T> {
  readonly value: T;
  readonly tags: readonly string[];
  /** The validator that the loader stored, such as an `ETag`; empty for none. */
  readonly validator: string;
  /** The `L1Store.position` when its load started: only later tag marks affect it. */
  readonly position: number;
  readonly storedAt: number;
  readonly bytes: number;
  /** From then on, a read refreshes it in the background. Never after `freshUntil`. */
  refreshAt: number;
  freshUntil: number;
  /** Until then it is served while it is reloaded in the background. */
  staleUntil: number;
  /** Until then it is served if the reload fails or is slow. */
  staleIfErrorUntil: number;
  /** The `L1Store.position` up to which tag marks were applied to it. */
  checkedPosition: number;
  /** The position of the tag expiry that was applied last. */
  expiredPosition: number;
  /** Loads in a row that failed since it was stored. */
  failures: number;
  /** After a failure: it is not reloaded before this time. */
  retryAt: number;
  /** Whether it was removed, and must not be served again. A load in flight may still refer to it. */
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
  return now < entry.staleIfErrorUntil ? 'staleIfError' : 'dead';
}

/** See the options of the same names. */
export interface Lifetimes {
  readonly ttlJitter: number;
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
  readonly earlyRefresh: boolean;
}

/** How long a value may be served after its freshness has ended. */
export function maxStaleMs({ staleIfErrorMs, staleWhileRevalidateMs }: Lifetimes): number {
  return Math.max(staleIfErrorMs, staleWhileRevalidateMs);
}

/** A value that was loaded or set, and what is known about it. */
export interface LoadedValue<T> {
  readonly value: T;
  readonly ttlMs: number;
  readonly tags: readonly string[];
  readonly validator: string;
  readonly position: number;
  readonly bytes: number;
  /** How long the loader took, in milliseconds; 0 for a value that was set. */
  readonly loadMs: number;
}

/** An early refresh starts at most this share of the lifetime before its end. */
const MAX_EARLY_REFRESH_RATIO = 0.2;

/**
 * Early refresh is XFetch (Vattani and others, "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015) with a
 * beta of 1: the refresh starts an exponentially distributed time before expiry, in units of the duration of the load.
 * The time is drawn once, when the entry is stored, so that a hit costs one comparison and no random number. Each
 * process draws its own, so they do not refresh together. With one draw per entry, instead of one per read, a hot key
 * would often start too late to finish in time: the duration of the load is therefore added.
 *
 * Jitter only shortens: a lifetime that the source stated is never exceeded.
 */
export function createEntry<T>(loaded: LoadedValue<T>, now: number, lifetimes: Lifetimes, random: Random): Entry<T> {
  const ttlMs = loaded.ttlMs * (1 - lifetimes.ttlJitter * random());
  return freshEntry(loaded, ttlMs, now, lifetimes, random);
}

function freshEntry<T>(
  loaded: LoadedValue<T>,
  ttlMs: number,
  now: number,
  lifetimes: Lifetimes,
  random: Random,
): Entry<T> {
  const leadMs = lifetimes.earlyRefresh
    ? Math.min((1 - Math.log(1 - random())) * loaded.loadMs, ttlMs * MAX_EARLY_REFRESH_RATIO)
    : 0;
  const freshUntil = now + ttlMs;
  // A cached absence is never stale: it would hide a value that was created in the meantime.
  const isNegative = loaded.value === null;
  return {
    value: loaded.value,
    tags: loaded.tags,
    validator: loaded.validator,
    position: loaded.position,
    storedAt: now,
    bytes: loaded.bytes,
    refreshAt: ttlMs === Infinity ? Infinity : freshUntil - leadMs,
    freshUntil,
    staleUntil: freshUntil + (isNegative ? 0 : lifetimes.staleWhileRevalidateMs),
    staleIfErrorUntil: freshUntil + (isNegative ? 0 : maxStaleMs(lifetimes)),
    checkedPosition: loaded.position,
    expiredPosition: 0,
    failures: 0,
    retryAt: -Infinity,
    removed: false,
  };
}

/** A value that another instance loaded, with its age and remaining times at this moment. */
export interface SharedValue<T> extends Omit<LoadedValue<T>, 'ttlMs'> {
  readonly ageMs: number;
  /** 0 or less when it may only be served stale. */
  readonly freshForMs: number;
  /** How long it may be served at all, fresh or stale. */
  readonly remainingMs: number;
}

/**
 * Creates an entry whose times end when they end in the shared tier. Durations are transferred, never points in time,
 * because clocks differ.
 */
export function createSharedEntry<T>(
  shared: SharedValue<T>,
  now: number,
  lifetimes: Lifetimes,
  random: Random,
): Entry<T> {
  const { freshForMs, remainingMs, ageMs } = shared;
  const loaded = { ...shared, ttlMs: freshForMs };
  const entry = freshEntry(loaded, Math.max(0, freshForMs), now, lifetimes, random);
  const errorUntil = now + remainingMs;
  return {
    ...entry,
    storedAt: now - ageMs,
    freshUntil: now + freshForMs,
    staleUntil: Math.min(entry.staleUntil + Math.min(0, freshForMs), errorUntil),
    staleIfErrorUntil: errorUntil,
  };
}

/** Ends the freshness as of `at`. The stale windows start there, and never become longer than they were. */
export function expireEntry(entry: Entry<unknown>, at: number, lifetimes: Lifetimes): void {
  const isNegative = entry.value === null;
  if (at >= entry.freshUntil) return;
  entry.freshUntil = at;
  entry.refreshAt = Math.min(entry.refreshAt, at);
  limitStaleness(
    entry,
    at + (isNegative ? 0 : lifetimes.staleWhileRevalidateMs),
    at + (isNegative ? 0 : maxStaleMs(lifetimes)),
  );
  entry.retryAt = -Infinity;
}

/** Shortens the times until which it may be served stale; never extends them. */
export function limitStaleness(entry: Entry<unknown>, staleUntil: number, errorUntil: number): void {
  entry.staleUntil = Math.min(entry.staleUntil, staleUntil);
  entry.staleIfErrorUntil = Math.min(entry.staleIfErrorUntil, errorUntil);
}

const MIN_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 30_000;

/** Records a failed reload. The next one waits 1 s, doubling with each failure up to 30 s, of which half is random. */
export function recordFailure(entry: Entry<unknown>, now: number, random: Random): void {
  const backoffMs = Math.min(MIN_BACKOFF_MS * 2 ** entry.failures, MAX_BACKOFF_MS);
  entry.failures++;
  entry.retryAt = now + backoffMs * (0.5 + random() / 2);
}
