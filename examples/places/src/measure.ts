// The arithmetic of the report: pure functions over the calls of a run.
import type { Ending } from './caller.ts';
import type { PhaseName } from './script.ts';
import type { Group } from './traffic.ts';

export interface Call {
  phase: PhaseName;
  who: Group['who'];
  /** When the caller came, by plan, since the start of the run. A late start counts as waiting. */
  atMs: number;
  waitedMs: number;
  ending: Ending;
}

/** The smallest wait that `share` of all waits do not exceed (nearest rank). NaN when there is none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

/** Share of the calls that got their answer. NaN when there is none. */
export function successRatio(calls: readonly Call[]): number {
  return calls.filter(({ ending }) => ending === 'answered').length / calls.length;
}

/** The longest wait that ended without an answer worth having; 0 when every call got one. */
export function longestHangMs(calls: readonly Call[]): number {
  return Math.max(0, ...calls.filter(({ ending }) => ending !== 'answered').map(({ waitedMs }) => waitedMs));
}

const windowMs = 1_000;
const stepMs = 100;
const wanted = 0.95;

/**
 * How long after `recoveredAtMs` callers are still being failed: the start of the first one-second window from which on
 * at least 95 % of the calls in every window succeed. `moment` says which second a call belongs to.
 */
export function recoveryMs(calls: readonly Call[], recoveredAtMs: number, moment: (call: Call) => number): number {
  const after = calls
    .map((call) => ({ atMs: moment(call) - recoveredAtMs, ending: call.ending }))
    .filter(({ atMs }) => atMs >= 0);
  const lastMs = Math.max(0, ...after.map(({ atMs }) => atMs));
  let recovered = 0;
  for (let fromMs = 0; fromMs <= lastMs; fromMs += stepMs) {
    const inWindow = after.filter(({ atMs }) => atMs >= fromMs && atMs < fromMs + windowMs);
    const good = inWindow.filter(({ ending }) => ending === 'answered').length;
    if (good < wanted * inWindow.length) recovered = fromMs + stepMs;
  }
  return recovered;
}

/** For `recoveryMs`: a call belongs to the second in which its caller was done waiting. */
export function whenDone({ atMs, waitedMs }: Call): number {
  return atMs + waitedMs;
}

/** For `recoveryMs`: a call belongs to the second in which its caller came. */
export function whenCome({ atMs }: Call): number {
  return atMs;
}
