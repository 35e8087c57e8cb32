import { ascending, quantile } from './measurement.ts';

/** How often one costs what another does, and where that lies as far as so many rounds can tell. */
export interface Ratio {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** The interval holds the true median at least this often. */
const CONFIDENCE = 0.95;

/**
 * The ratio of two contenders, round by round: the two of a round ran one after the other, so what the machine did to one
 * it did to the other, and it falls out. The value is the median of the rounds' ratios.
 *
 * Its interval lies between two of the rounds, by order alone, so that it holds whatever the noise looks like: each round
 * falls below the true median as a coin does (the sign test). Of seven rounds that is the least to the greatest, which
 * holds in 98 of 100 runs; of nine the second to the eighth, in 96.
 */
export function ratioOf(of: readonly number[], to: readonly number[]): Ratio {
  if (of.length !== to.length || of.length === 0) {
    throw new Error(`Ratios are taken round by round, not of ${of.length} rounds to ${to.length}.`);
  }
  const sorted = ascending(of.map((cost, round) => cost / (to[round] as number)));
  const left = outside(sorted.length);
  return {
    value: quantile(sorted, 0.5),
    low: sorted[left] as number,
    high: sorted[sorted.length - 1 - left] as number,
  };
}

/** How many rounds may be left out on either side. */
function outside(rounds: number): number {
  // The chance that at most `out` of the rounds fall on one side of the median, out of 2 ** rounds.
  let [out, ways, chance] = [0, 1, 1];
  for (;;) {
    ways = (ways * (rounds - out)) / (out + 1);
    chance += ways;
    if ((2 * chance) / 2 ** rounds > 1 - CONFIDENCE) return out;
    out += 1;
  }
}

/** False when what lies between the rounds is more than what lies between the two: then there is no ratio to tell. */
export function isDistinct({ low, high }: Ratio): boolean {
  return low > 1 || high < 1;
}

export type Verdict = 'holds' | 'holds narrowly' | 'misses narrowly' | 'misses';

/** A promise is kept or broken by the median; narrowly, when the interval lies on both sides of the limit. */
export function verdictOf({ value, low, high }: Ratio, atMost: number): Verdict {
  if (value <= atMost) return high <= atMost ? 'holds' : 'holds narrowly';
  return low > atMost ? 'misses' : 'misses narrowly';
}
