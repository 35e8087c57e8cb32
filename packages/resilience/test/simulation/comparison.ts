import type { Contender } from './contenders.ts';
import type { Figures } from './figures.ts';

interface Run {
  readonly contender: Contender;
  readonly figures: Figures;
}

/** A figure by which contenders are compared, and the minimum difference that is reported. */
interface Measure {
  readonly what: string;
  readonly of: (figures: Figures) => number | undefined;
  readonly show: (value: number) => string;
  readonly higherIsBetter: boolean;
  readonly margin: number;
}

const measures: readonly Measure[] = [
  { what: 'success', of: ({ success }) => success, show: percent, higherIsBetter: true, margin: 0.005 },
  {
    what: 'recovery',
    of: ({ recoveryMs }) => (recoveryMs === null ? Infinity : recoveryMs),
    show: seconds,
    higherIsBetter: false,
    margin: 500,
  },
  {
    what: 'attempts per request',
    of: ({ amplification }) => amplification,
    show: (value) => value.toFixed(2),
    higherIsBetter: false,
    margin: 0.05,
  },
  { what: 'wasted work', of: ({ wasted }) => wasted, show: percent, higherIsBetter: false, margin: 0.02 },
  {
    what: 'fairness',
    of: ({ fairness }) => fairness,
    show: (value) => value.toFixed(2),
    higherIsBetter: true,
    margin: 0.02,
  },
  { what: 'longest wait', of: ({ longestWaitMs }) => longestWaitMs, show: seconds, higherIsBetter: false, margin: 500 },
];

/** Lists the figures in which our best configuration is ahead of the peers, and those in which it is behind. */
export function comparison(runs: readonly Run[]): string[] {
  const wins: string[] = [];
  const defeats: string[] = [];
  for (const measure of measures) {
    const ours = bestOf(runs, measure, true);
    const theirs = bestOf(runs, measure, false);
    if (ours === undefined || theirs === undefined) continue;
    const lead = (ours.value - theirs.value) * (measure.higherIsBetter ? 1 : -1);
    const versus = `${measure.what} ${measure.show(ours.value)} against ${measure.show(theirs.value)} (${theirs.label})`;
    if (lead > measure.margin) wins.push(versus);
    else if (lead < -measure.margin) defeats.push(versus);
  }
  return [
    `Macadam is ahead in: ${wins.length === 0 ? 'nothing' : wins.join('; ')}.`,
    '',
    `Macadam is behind in: ${defeats.length === 0 ? 'nothing' : defeats.join('; ')}.`,
  ];
}

function bestOf(
  runs: readonly Run[],
  { of, higherIsBetter }: Measure,
  ours: boolean,
): { value: number; label: string } | undefined {
  let best: { value: number; label: string } | undefined;
  for (const { contender, figures } of runs) {
    const value = of(figures);
    if (contender.ours !== ours || value === undefined) continue;
    if (best === undefined || (higherIsBetter ? value > best.value : value < best.value)) {
      best = { value, label: contender.label };
    }
  }
  return best;
}

function percent(ratio: number): string {
  return `${(ratio * 100).toFixed(1)} %`;
}

function seconds(ms: number): string {
  return Number.isFinite(ms) ? `${(ms / 1_000).toFixed(1)} s` : 'never';
}
