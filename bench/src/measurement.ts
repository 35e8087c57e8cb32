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
  const sorted = ascending(values);
  const median = quantile(sorted, 0.5);
  return { median, spread: median === 0 ? 0 : (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / 2 / median };
}

/** @param sorted - ascending */
export function quantile(sorted: readonly number[], q: number): number {
  const at = (sorted.length - 1) * q;
  const low = sorted[Math.floor(at)] ?? NaN;
  const high = sorted[Math.ceil(at)] ?? NaN;
  return low + (high - low) * (at - Math.floor(at));
}

export function ascending(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}
