// Decides when to refresh a value that expires, as pure functions. refreshed-value.ts does the I/O.
import type { Random } from '@macadam/core';

/** How long a value may be used. All times are of the monotonic clock. */
export interface Lifespan {
  /** From here on a new one is obtained in the background. */
  readonly refreshAt: number;
  /** From here on callers wait for a new one; it is used only while none can be obtained. */
  readonly staleAt: number;
  /** From here on it is not used at all. */
  readonly unusableAt: number;
}

/** The value's lifespan, and what happened to the attempts to obtain it. */
export interface RefreshState extends Lifespan {
  /** When the attempt that obtained the current value started; `undefined` before the first success. */
  readonly obtainedAt: number | undefined;
  /** Failures since the last success. */
  readonly failures: number;
  /** No attempt before this. */
  readonly notBefore: number;
}

export const initialState: RefreshState = {
  obtainedAt: undefined,
  refreshAt: -Infinity,
  staleAt: -Infinity,
  unusableAt: -Infinity,
  failures: 0,
  notBefore: -Infinity,
};

/** What a caller does with the current value. */
export type Freshness =
  /** Uses it. */
  | 'use'
  /** Uses it, and starts a refresh in the background. */
  | 'refresh'
  /** Waits for a new one. */
  | 'wait'
  /** There is no usable value, and the backoff does not allow another attempt yet. */
  | 'unavailable';

export function freshnessAt(state: RefreshState, now: number): Freshness {
  if (now < state.refreshAt) return 'use';
  const mayAttempt = now >= state.notBefore;
  if (now >= state.unusableAt) return mayAttempt ? 'wait' : 'unavailable';
  // After a failed attempt nobody waits for the next one: the stale value is used until it becomes unusable.
  if (now >= state.staleAt && state.failures === 0) return 'wait';
  return mayAttempt ? 'refresh' : 'use';
}

export function afterSuccess(startedAt: number, { refreshAt, staleAt, unusableAt }: Lifespan): RefreshState {
  return { obtainedAt: startedAt, refreshAt, staleAt, unusableAt, failures: 0, notBefore: -Infinity };
}

/** How long to wait after a failure. */
export interface Backoff {
  /** The longest wait, in milliseconds. The first is a second, and each one after it is twice as long. */
  readonly maxMs: number;
  /** The shortest wait, from a `Retry-After`. Default: 0. */
  readonly minMs?: number | undefined;
}

const FIRST_BACKOFF_MS = 1_000;

/** Exponential backoff from one second to `maxMs`; half of each wait is jitter. */
export function afterFailure(state: RefreshState, now: number, backoff: Backoff, random: Random): RefreshState {
  const ceilingMs = Math.min(backoff.maxMs, FIRST_BACKOFF_MS * 2 ** Math.min(state.failures, 16));
  // Half of it is fixed: with full jitter, a draw near 0 would be a second attempt without any wait.
  const waitMs = Math.max(backoff.minMs ?? 0, ceilingMs * (0.5 + 0.5 * random()));
  return { ...state, failures: state.failures + 1, notBefore: now + waitMs };
}
