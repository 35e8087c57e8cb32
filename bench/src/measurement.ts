/** What one process measured for one contender. */
export interface Measurement {
  /** CPU time of the process per operation, as the operating system counts it, in nanoseconds. */
  readonly cpuNs: number;
  /** Operations per second of wall time. */
  readonly perSecond: number;
  /** Peak memory of the process, in MiB. */
  readonly peakMiB: number;
  readonly operations: number;
}

/** The slices of one process as a single measurement. */
export function totalOf(slices: readonly Measurement[]): Measurement {
  const operations = sum(slices.map((slice) => slice.operations));
  return {
    cpuNs: sum(slices.map((slice) => slice.cpuNs * slice.operations)) / operations,
    perSecond: operations / sum(slices.map((slice) => slice.operations / slice.perSecond)),
    peakMiB: Math.max(...slices.map(({ peakMiB }) => peakMiB)),
    operations,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** The median of several rounds, and their spread. */
export interface Figure {
  readonly median: number;
  /** Half of the interquartile range, relative to the median. */
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
