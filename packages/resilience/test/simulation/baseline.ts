import type { Figures } from './figures.ts';

/** Scenario, contender, figures: the content of `docs/simulation/results.json`. */
export type Baseline = Readonly<Record<string, Readonly<Record<string, Figures>>>>;

/**
 * How much worse a figure may become before the report fails. A simulation is exact, so this is not for noise: a change
 * of the code can change which requests coincide with which faults.
 */
export const tolerance = { success: 0.005, amplification: 0.02, recoveryMs: 500 } as const;

/** Returns one sentence per figure that became worse. New and better figures are not reported. */
export function regressions(before: Figures, now: Figures): string[] {
  const messages: string[] = [];
  for (const key of ['success', 'successDuring', 'successAfter'] as const) {
    const was = before[key];
    const is = now[key];
    if (was !== undefined && is !== undefined && is < was - tolerance.success) {
      messages.push(`${key} fell from ${was} to ${is}`);
    }
  }
  if (now.amplification > before.amplification + tolerance.amplification) {
    messages.push(`amplification rose from ${before.amplification} to ${now.amplification}`);
  }
  if (before.recoveryMs !== undefined && now.recoveryMs !== undefined) {
    const was = before.recoveryMs ?? Infinity;
    const is = now.recoveryMs ?? Infinity;
    if (is > was + tolerance.recoveryMs) messages.push(`recoveryMs rose from ${was} to ${is}`);
  }
  return messages;
}
