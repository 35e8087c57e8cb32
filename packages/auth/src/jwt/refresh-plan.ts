// When to fetch a key set, as pure decisions. The file that fetches is remote-keys.ts.
import type { Random } from '@macadam/core';

/** What is known about the fetches of one key set. Times are of the monotonic clock. */
export interface RefreshState {
  /** When the set in hand was asked for; `undefined` before the first. */
  readonly fetchedAt: number | undefined;
  /** From here on a refresh goes on in the background. */
  readonly refreshAt: number;
  /** From here on the set is used only while its issuer cannot be reached. */
  readonly staleAt: number;
  /** From here on it is not used at all. */
  readonly deadAt: number;
  /** Failures in a row. */
  readonly failures: number;
  /** No fetch before this. */
  readonly notBefore: number;
  /** No fetch for the sake of an unknown key before this. */
  readonly unknownKeyAt: number;
}

export const initialState: RefreshState = {
  fetchedAt: undefined,
  refreshAt: -Infinity,
  staleAt: -Infinity,
  deadAt: -Infinity,
  failures: 0,
  notBefore: -Infinity,
  unknownKeyAt: -Infinity,
};

const FIRST_BACKOFF_MS = 1_000;
const LONGEST_BACKOFF_MS = 60_000;

/** What a lookup does about the age of the set. */
export type Freshness =
  /** Use it. */
  | 'use'
  /** Use it, and fetch in the background. */
  | 'refresh'
  /** Fetch, and wait for it. */
  | 'wait'
  /** There is no set to use, and it is too early to ask again. */
  | 'unavailable';

export function freshnessAt(state: RefreshState, now: number): Freshness {
  if (now < state.refreshAt) return 'use';
  const mayFetch = now >= state.notBefore;
  if (now >= state.deadAt) return mayFetch ? 'wait' : 'unavailable';
  // Once a fetch has failed nobody waits for the next: the old set does as long as it may.
  if (now >= state.staleAt && state.failures === 0) return 'wait';
  return mayFetch ? 'refresh' : 'use';
}

/** Refreshed at 80 % of its freshness, 10 % earlier or later, so that a fleet does not ask all at once. */
export function afterSuccess(
  state: RefreshState,
  { startedAt, freshMs, staleIfErrorMs }: { startedAt: number; freshMs: number; staleIfErrorMs: number },
  random: Random,
): RefreshState {
  return {
    ...state,
    fetchedAt: startedAt,
    refreshAt: startedAt + freshMs * (0.72 + 0.16 * random()),
    staleAt: startedAt + freshMs,
    deadAt: startedAt + freshMs + staleIfErrorMs,
    failures: 0,
    notBefore: -Infinity,
  };
}

/** A second that doubles to a minute, half of it by chance. */
export function afterFailure(state: RefreshState, now: number, random: Random): RefreshState {
  const ceilingMs = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(state.failures, 16));
  // Half of it is certain: a draw near 0 would make two fetches of one step.
  return { ...state, failures: state.failures + 1, notBefore: now + ceilingMs * (0.5 + 0.5 * random()) };
}

/** Whether an unknown key may cause a fetch now. One key a cooldown, whoever made it up. */
export function mayFetchForUnknownKey(state: RefreshState, now: number): boolean {
  return now >= state.unknownKeyAt && now >= state.notBefore;
}
