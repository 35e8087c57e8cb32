// The rows that compare both variants, and the promises that Macadam must keep. The run judges all of them.
import type { Figures } from './figures.ts';

export interface Row {
  label: string;
  value(figures: Figures): number;
  format(value: number): string;
  better: 'higher' | 'lower';
  /** Differences up to this are a tie. `tieShare` of plain fetch's figure is added to it. */
  tie: number;
  tieShare: number;
}

/** Stands for a statistic without calls. */
const none = 'none';
export const percent = (value: number): string => (Number.isNaN(value) ? none : `${(value * 100).toFixed(1)} %`);
const times = (value: number): string => value.toFixed(2);
export const duration = (ms: number): string => {
  if (Number.isNaN(ms)) return none;
  return ms < 1_000 ? `${ms.toFixed(1)} ms` : `${(ms / 1_000).toFixed(2)} s`;
};

// Half a percentage point is one or two callers of a phase. Five milliseconds are the precision of timers on a busy machine,
// and the two runs are a minute apart. Where Macadam is meant to be better, not equally good, there is no tie.
const ratio = { format: percent, better: 'higher', tie: 0.005, tieShare: 0 } as const;
const wait = { format: duration, better: 'lower', tie: 5, tieShare: 0.01 } as const;
const load = { format: times, better: 'lower', tie: 0.01, tieShare: 0 } as const;

export const rows: readonly Row[] = [
  { label: 'success, all phases', value: (figures) => figures.success, ...ratio, tie: 0 },
  { label: 'success, slow phase', value: (figures) => figures.successSlow, ...ratio },
  { label: 'success, storm phase', value: (figures) => figures.successStorm, ...ratio, tie: 0 },
  { label: 'wait, p50', value: (figures) => figures.p50Ms, ...wait },
  { label: 'wait, p99', value: (figures) => figures.p99Ms, ...wait },
  { label: 'wait, max', value: (figures) => figures.maxMs, ...wait },
  { label: 'longest hang for nothing', value: (figures) => figures.longestHangMs, ...wait },
  { label: 'upstream requests per call', value: (figures) => figures.upstreamPerCall, ...load },
  { label: 'the same, in the outage', value: (figures) => figures.upstreamPerCallOutage, ...load },
  { label: 'median wait in the outage', value: (figures) => figures.outageMedianMs, ...wait },
  { label: 'recovery to 95 % success', value: (figures) => figures.recoveryMs, ...wait },
];

export interface JudgedRow {
  label: string;
  plain: string;
  macadam: string;
  verdict: 'wins' | 'ties' | 'LOSES';
}

export function judgeRow(row: Row, plain: Figures, macadam: Figures): JudgedRow {
  const [theirs, ours] = [row.value(plain), row.value(macadam)];
  const gain = row.better === 'higher' ? ours - theirs : theirs - ours;
  // NaN, which compares false with everything, loses.
  const tie = row.tie + row.tieShare * theirs;
  const verdict = gain > tie ? 'wins' : gain >= -tie ? 'ties' : 'LOSES';
  return { label: row.label, plain: row.format(theirs), macadam: row.format(ours), verdict };
}

export interface JudgedPromise {
  text: string;
  found: string;
  kept: boolean;
}

export function judgePromises(plain: Figures, macadam: Figures): JudgedPromise[] {
  const timeoutMs = macadam.timeoutMs ?? 0;
  return [
    promise(
      'plain fetch feels the storm: 80 to 90 % success',
      percent(plain.successStorm),
      within(plain.successStorm, 0.8, 0.9),
    ),
    promise('at least 99 % success in the slow phase', percent(macadam.successSlow), macadam.successSlow >= 0.99),
    promise('at least 99 % success in the storm', percent(macadam.successStorm), macadam.successStorm >= 0.99),
    promise(
      'at most 1.25 upstream requests per call in the outage',
      times(macadam.upstreamPerCallOutage),
      macadam.upstreamPerCallOutage <= 1.25,
    ),
    promise(
      'the median caller answered in under 5 ms once the circuit is open',
      duration(macadam.outageMedianMs),
      macadam.outageMedianMs < 5,
    ),
    promise(
      `no caller waits longer than the timeout of ${duration(timeoutMs)} plus 50 ms`,
      duration(macadam.maxMs),
      macadam.maxMs <= timeoutMs + 50,
    ),
    promise(
      'at least 95 % success within 6 s of the recovery',
      duration(macadam.recoveryMs),
      macadam.recoveryMs <= 6_000,
    ),
  ];
}

export function promise(text: string, found: string, kept: boolean): JudgedPromise {
  return { text, found, kept };
}

function within(value: number, low: number, high: number): boolean {
  return value >= low && value <= high;
}
