// The figures of one run that the report compares.
import type { Run, StepRecord } from './load.ts';
import { type Call, longestHangMs, percentile, recoveryMs, successRatio, arrivalOf, endOf } from './statistics.ts';
import type { PhaseName } from './scenario.ts';

export interface Figures {
  success: number;
  successSlow: number;
  successStorm: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  longestHangMs: number;
  upstreamPerCall: number;
  upstreamPerCallOutage: number;
  /** Median wait in the outage of callers who arrived after the circuit opened; of all callers if there is no circuit. */
  outageMedianMs: number;
  /** Time until calls succeed again, including those that have waited since the outage. */
  recoveryMs: number;
  /** The same for callers who arrive after the outage only. */
  newCallerRecoveryMs: number;
  /** The time limit of the lookup; undefined without one. */
  timeoutMs: number | undefined;
}

export function figuresOf(run: Run): Figures {
  const waits = run.calls.map(({ waitedMs }) => waitedMs);
  const outage = run.steps.filter(({ phase }) => phase === 'outage');
  const recovery = run.steps.find(({ phase }) => phase === 'recovery')!;
  const outageCalls = during(run.calls, 'outage');
  const openMs = circuitOpenedMs(outage);
  const afterOpening = outageCalls.filter(({ atMs }) => openMs === undefined || atMs >= openMs);
  return {
    success: successRatio(run.calls),
    successSlow: successRatio(during(run.calls, 'slow')),
    successStorm: successRatio(during(run.calls, 'storm')),
    p50Ms: percentile(waits, 0.5),
    p99Ms: percentile(waits, 0.99),
    maxMs: percentile(waits, 1),
    longestHangMs: longestHangMs(run.calls),
    upstreamPerCall: upstreamRequests(run.steps) / run.calls.length,
    upstreamPerCallOutage: upstreamRequests(outage) / outageCalls.length,
    outageMedianMs: percentile(
      afterOpening.map(({ waitedMs }) => waitedMs),
      0.5,
    ),
    recoveryMs: recoveryMs(run.calls, recovery.startMs, endOf),
    newCallerRecoveryMs: recoveryMs(run.calls, recovery.startMs, arrivalOf),
    timeoutMs: recovery.after.timeoutMs,
  };
}

function during(calls: readonly Call[], phase: PhaseName): Call[] {
  return calls.filter((call) => call.phase === phase);
}

function upstreamRequests(steps: readonly StepRecord[]): number {
  return steps.reduce((sum, step) => sum + step.upstreamRequests, 0);
}

/** When the circuit first opened in these steps, since the start of the run; undefined if it did not. */
function circuitOpenedMs(steps: readonly StepRecord[]): number | undefined {
  for (const { before, after, startMs, startedAt } of steps) {
    const opened = after.transitions.slice(before.transitions.length).find(({ to }) => to === 'open');
    if (opened !== undefined) return startMs + (opened.atMs - startedAt);
  }
  return undefined;
}
