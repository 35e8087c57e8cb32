/** What one process measured of one contender. */
export interface Measurement {
  /** CPU time of the process, as the operating system counts it, for each operation, in nanoseconds. */
  readonly cpuNs: number;
  /** Operations a second, by the clock on the wall. */
  readonly perSecond: number;
  /** The most memory the process held, in MiB. */
  readonly peakMiB: number;
  readonly operations: number;
}

/** The middle of several rounds, and how far they lie apart. */
export interface Figure {
  readonly median: number;
  /** Half of the distance between the quartiles, as a share of the median. */
  readonly spread: number;
}

export function figureOf(values: readonly number[]): Figure {
  const sorted = [...values].sort((a, b) => a - b);
  const median = quantile(sorted, 0.5);
  return { median, spread: median === 0 ? 0 : (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / 2 / median };
}

function quantile(sorted: readonly number[], q: number): number {
  const at = (sorted.length - 1) * q;
  const low = sorted[Math.floor(at)] ?? NaN;
  const high = sorted[Math.ceil(at)] ?? NaN;
  return low + (high - low) * (at - Math.floor(at));
}

/** A ratio of two figures, unless what lies between them is no more than what lies within each. */
export interface Ratio {
  readonly value: number;
  /** False when the rounds lie so far apart that the two cannot be told from each other. */
  readonly distinct: boolean;
}

export function ratioOf(of: Figure, to: Figure): Ratio {
  const value = of.median / to.median;
  const distance = Math.abs(of.median - to.median);
  return { value, distinct: distance > of.median * of.spread + to.median * to.spread };
}
