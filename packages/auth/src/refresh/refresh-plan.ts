// When to get something anew that has an end, as pure decisions. The file that gets it is refreshed-value.ts.
import type { Random } from '@macadam/core';

/** How long something may be used. Times are of the monotonic clock. */
export interface Lifespan {
  /** From here on it is got anew in the background. */
  readonly refreshAt: number;
  /** From here on it is used only while a new one cannot be had. */
  readonly staleAt: number;
  /** From here on it is not used at all. */
  readonly deadAt: number;
}

/** What is known about the attempts to get it. */
export interface RefreshState extends Lifespan {
  /** When the one in hand was asked for; `undefined` before the first. */
  readonly obtainedAt: number | undefined;
  /** Failures in a row. */
  readonly failures: number;
  /** No attempt before this. */
  readonly notBefore: number;
}

export const initialState: RefreshState = {
  obtainedAt: undefined,
  refreshAt: -Infinity,
  staleAt: -Infinity,
  deadAt: -Infinity,
  failures: 0,
  notBefore: -Infinity,
};

/** What a look-up does about the age of what is in hand. */
export type Freshness =
  /** Use it. */
  | 'use'
  /** Use it, and get a new one in the background. */
  | 'refresh'
  /** Get a new one, and wait for it. */
  | 'wait'
  /** There is nothing to use, and it is too early to ask again. */
  | 'unavailable';

export function freshnessAt(state: RefreshState, now: number): Freshness {
  if (now < state.refreshAt) return 'use';
  const mayAsk = now >= state.notBefore;
  if (now >= state.deadAt) return mayAsk ? 'wait' : 'unavailable';
  // Once an attempt has failed nobody waits for the next: the old one does as long as it may.
  if (now >= state.staleAt && state.failures === 0) return 'wait';
  return mayAsk ? 'refresh' : 'use';
}

export function afterSuccess(startedAt: number, { refreshAt, staleAt, deadAt }: Lifespan): RefreshState {
  return { obtainedAt: startedAt, refreshAt, staleAt, deadAt, failures: 0, notBefore: -Infinity };
}

/** How long to wait after failures. */
export interface Backoff {
  /** The longest wait, in milliseconds. The first is a second, and each after it twice as long. */
  readonly longestMs: number;
  /** The shortest, because whoever failed has said so. Default: 0. */
  readonly leastMs?: number | undefined;
}

const FIRST_BACKOFF_MS = 1_000;

/** A second that doubles to the longest, half of it by chance. */
export function afterFailure(state: RefreshState, now: number, backoff: Backoff, random: Random): RefreshState {
  const ceilingMs = Math.min(backoff.longestMs, FIRST_BACKOFF_MS * 2 ** Math.min(state.failures, 16));
  // Half of it is certain: a draw near 0 would make two attempts of one step.
  const waitMs = Math.max(backoff.leastMs ?? 0, ceilingMs * (0.5 + 0.5 * random()));
  return { ...state, failures: state.failures + 1, notBefore: now + waitMs };
}
