// What Macadam did, phase by phase, in a line each.
import type { Activity } from './lookup.ts';
import type { Run, StepRecord } from './load.ts';
import { phaseNames } from './script.ts';

export function activityLines(run: Run): string[] {
  return phaseNames.map((phase) => {
    const steps = run.steps.filter((step) => step.phase === phase);
    const callers = run.calls.filter((call) => call.phase === phase).length;
    const did = (count: (activity: Activity) => number): number =>
      steps.reduce((sum, { before, after }) => sum + count(after) - count(before), 0);
    const parts = [
      `${callers} callers`,
      `${did((activity) => activity.attempts)} attempts`,
      `${did((activity) => activity.retries)} retries`,
      `${did((activity) => activity.budgetRefusals)} refused by the budget`,
      `${did((activity) => activity.circuitRefusals)} by the open circuit`,
    ];
    return `  ${phase.padEnd(9)} ${parts.join(', ')}; circuit: ${transitionsOf(steps)}`;
  });
}

/** How often each change of state happened, in the order of first appearance. */
function transitionsOf(steps: readonly StepRecord[]): string {
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
