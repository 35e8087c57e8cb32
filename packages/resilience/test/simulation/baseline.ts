import type { Figures } from './figures.ts';

/** Scenario, contender, figures: what `docs/simulation/results.json` holds. */
export type Baseline = Readonly<Record<string, Readonly<Record<string, Figures>>>>;

/**
 * How much worse a number may become before it counts. A simulation is exact, so this is not for noise: it is room for
 * changes that shuffle which request meets which fault.
 */
export const tolerance = { success: 0.005, amplification: 0.02, recoveryMs: 500 } as const;

/** Returns one sentence per figure that became worse. New and better figures are not reported. */
export function worsened(before: Figures, now: Figures): string[] {
  const complaints: string[] = [];
  for (const key of ['success', 'successDuring', 'successAfter'] as const) {
    const was = before[key];
    const is = now[key];
    if (was !== undefined && is !== undefined && is < was - tolerance.success) {
      complaints.push(`${key} fell from ${was} to ${is}`);
    }
  }
  if (now.amplification > before.amplification + tolerance.amplification) {
    complaints.push(`amplification rose from ${before.amplification} to ${now.amplification}`);
  }
  if (before.recoveryMs !== undefined && now.recoveryMs !== undefined) {
    const was = before.recoveryMs ?? Infinity;
    const is = now.recoveryMs ?? Infinity;
    if (is > was + tolerance.recoveryMs) complaints.push(`recoveryMs rose from ${was} to ${is}`);
  }
  return complaints;
}
