import { ascending, quantile } from './measurement.ts';

/** The ratio of the costs of two contenders, with its confidence interval. */
export interface Ratio {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** The interval contains the true median with at least this probability. */
const CONFIDENCE = 0.95;

/**
 * The ratio of two contenders, by round: the two of a round ran one after the other, so what the machine did to one it
 * also did to the other, and it cancels out. The value is the median of the ratios of the rounds.
 *
 * The bounds of its interval are the ratios of two rounds, chosen by rank alone, so that it is valid for any
 * distribution of the noise: each round is below the true median with probability 1/2 (sign test). With seven rounds it
 * is the range from the lowest to the highest, which contains the median in 98 of 100 runs; with nine, from the second
 * to the eighth, in 96.
 */
export function ratioOf(of: readonly number[], to: readonly number[]): Ratio {
  if (of.length !== to.length || of.length === 0) {
    throw new Error(`Ratios need the same number of rounds, at least one, not ${of.length} and ${to.length}.`);
  }
  const sorted = ascending(of.map((cost, round) => cost / (to[round] as number)));
  const left = outside(sorted.length);
  return {
    value: quantile(sorted, 0.5),
    low: sorted[left] as number,
    high: sorted[sorted.length - 1 - left] as number,
  };
}

/** How many rounds are left out on each side. */
function outside(rounds: number): number {
  // The chance that at most `out` of the rounds fall on one side of the median, out of 2 ** rounds.
  let [out, combinations, chance] = [0, 1, 1];
  for (;;) {
    combinations = (combinations * (rounds - out)) / (out + 1);
    chance += combinations;
    if ((2 * chance) / 2 ** rounds > 1 - CONFIDENCE) return out;
    out += 1;
  }
}

/** False when the rounds differ more than the two contenders do: then no ratio is reported. */
export function isDistinct({ low, high }: Ratio): boolean {
  return low > 1 || high < 1;
}

export type Verdict = 'holds' | 'holds narrowly' | 'misses narrowly' | 'misses';

/** A claim holds or misses by the median, and narrowly when the limit is within the interval. */
export function verdictOf({ value, low, high }: Ratio, atMost: number): Verdict {
  if (value <= atMost) return high <= atMost ? 'holds' : 'holds narrowly';
  return low > atMost ? 'misses' : 'misses narrowly';
}
