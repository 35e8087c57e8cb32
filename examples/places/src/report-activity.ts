// What Macadam did in each phase, one line per phase.
import type { Activity } from './lookup.ts';
import type { Run, StepRecord } from './load.ts';
import { phaseNames } from './scenario.ts';

export function activityLines(run: Run): string[] {
  return phaseNames.map((phase) => {
    const steps = run.steps.filter((step) => step.phase === phase);
    const callers = run.calls.filter((call) => call.phase === phase).length;
    const total = (count: (activity: Activity) => number): number =>
      steps.reduce((sum, { before, after }) => sum + count(after) - count(before), 0);
    const parts = [
      `${callers} callers`,
      `${total((activity) => activity.attempts)} attempts`,
      `${total((activity) => activity.retries)} retries`,
      `${total((activity) => activity.budgetRefusals)} refused by the budget`,
      `${total((activity) => activity.circuitRefusals)} by the open circuit`,
    ];
    return `  ${phase.padEnd(9)} ${parts.join(', ')}; circuit: ${describeTransitions(steps)}`;
  });
}

/** How often each state change happened, in order of first occurrence. */
function describeTransitions(steps: readonly StepRecord[]): string {
  const counts = new Map<string, number>();
  for (const { before, after } of steps) {
    for (const { from, to } of after.transitions.slice(before.transitions.length)) {
      const change = `${from} -> ${to}`;
      counts.set(change, (counts.get(change) ?? 0) + 1);
    }
  }
  if (counts.size === 0) return 'no change';
  return [...counts].map(([change, count]) => (count === 1 ? change : `${change} (${count} times)`)).join(', ');
}
