// Statistics over the calls of a run. Pure functions.
import type { Outcome } from './caller.ts';
import type { PhaseName } from './scenario.ts';
import type { Group } from './traffic.ts';

export interface Call {
  phase: PhaseName;
  group: Group['name'];
  /** When the call was planned to start, since the start of the run. A late start counts as waiting. */
  atMs: number;
  waitedMs: number;
  outcome: Outcome;
}

/** The smallest value that `share` of the values do not exceed (nearest rank). NaN without values. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

/** Share of the calls that succeeded. NaN without calls. */
export function successRatio(calls: readonly Call[]): number {
  return calls.filter(({ outcome }) => outcome === 'succeeded').length / calls.length;
}

/** The longest wait of a call that did not succeed; 0 when all calls succeeded. */
export function longestHangMs(calls: readonly Call[]): number {
  return Math.max(0, ...calls.filter(({ outcome }) => outcome !== 'succeeded').map(({ waitedMs }) => waitedMs));
}

const windowMs = 1_000;
const stepMs = 100;
const requiredRatio = 0.95;

/**
 * How long calls still fail after `recoveredAtMs`: the start of the first window from which on at least 95 % of the calls in
 * every one-second window succeed. `moment` assigns a call to a point in time.
 */
export function recoveryMs(calls: readonly Call[], recoveredAtMs: number, moment: (call: Call) => number): number {
  const after = calls
    .map((call) => ({ atMs: moment(call) - recoveredAtMs, outcome: call.outcome }))
    .filter(({ atMs }) => atMs >= 0);
  const lastMs = Math.max(0, ...after.map(({ atMs }) => atMs));
  let recovered = 0;
  for (let fromMs = 0; fromMs <= lastMs; fromMs += stepMs) {
    const inWindow = after.filter(({ atMs }) => atMs >= fromMs && atMs < fromMs + windowMs);
    const succeeded = inWindow.filter(({ outcome }) => outcome === 'succeeded').length;
    if (succeeded < requiredRatio * inWindow.length) recovered = fromMs + stepMs;
  }
  return recovered;
}

/** A `moment` for `recoveryMs`: when the call ended. */
export function endOf({ atMs, waitedMs }: Call): number {
  return atMs + waitedMs;
}

/** A `moment` for `recoveryMs`: when the caller arrived. */
export function arrivalOf({ atMs }: Call): number {
  return atMs;
}
