import {
  assertDurationMs,
  assertInteger,
  assertKnownOptions,
  assertNumber,
  assertObject,
  OptionsError,
  type Random,
} from '@macadam/core';

/** When requests arrive. An open loop: slow responses do not delay later requests. */
export interface Arrivals {
  /** The number of requests per arrival. */
  readonly size: number;
  /** Returns the time from `atMs` to the next arrival, in milliseconds. */
  next(atMs: number, random: Random): number;
  /** Describes the arrivals in words, such as `200 a second, at random`. */
  describe(): string;
}

/** A period with another rate. */
export interface Spike {
  /** The start in milliseconds after the start of the simulation. */
  fromMs: number;
  /** The end in milliseconds, exclusive. */
  toMs: number;
  /** The factor on the rate, above 0. */
  factor: number;
}

/** Options of {@link poissonArrivals} and {@link constantArrivals}. */
export interface RateOptions {
  /** Requests per second, above 0. Required. */
  ratePerSecond: number;
  /** A period with another rate. Default: none. */
  spike?: Spike;
}

/** Requests of many independent users: a Poisson process. */
export function poissonArrivals(options: RateOptions): Arrivals {
  const rateAt = toRate('poissonArrivals', options);
  return {
    size: 1,
    next: (atMs, random) => (-Math.log(1 - random()) * 1_000) / rateAt(atMs),
    describe: () => `${describeRate(options)}, at random`,
  };
}

/** Requests at a steady rate, evenly spaced. */
export function constantArrivals(options: RateOptions): Arrivals {
  const rateAt = toRate('constantArrivals', options);
  return {
    size: 1,
    next: (atMs) => 1_000 / rateAt(atMs),
    describe: () => `${describeRate(options)}, evenly spaced`,
  };
}

/** Options of {@link burstArrivals}. */
export interface BurstOptions {
  /** Requests per burst, at least 1. Required. */
  size: number;
  /** The time from one burst to the next in milliseconds, above 0. Required. */
  everyMs: number;
}

/** Bursts of simultaneous requests, as of a scheduled job. */
export function burstArrivals(options: BurstOptions): Arrivals {
  assertObject('burstArrivals', options);
  assertKnownOptions('burstArrivals', options, ['size', 'everyMs']);
  const { size, everyMs } = options;
  assertInteger('burstArrivals.size', size, { min: 1 });
  assertDurationMs('burstArrivals.everyMs', everyMs);
  return { size, next: () => everyMs, describe: () => `${size} at once, every ${everyMs} ms` };
}

/** Throws OptionsError unless `value` is an {@link Arrivals}. */
export function assertArrivals(path: string, value: unknown): asserts value is Arrivals {
  if (typeof (value as Arrivals | undefined)?.next === 'function') return;
  throw new OptionsError(path, value, 'arrivals, such as poissonArrivals({ ratePerSecond: 200 })');
}

function toRate(path: string, options: RateOptions): (atMs: number) => number {
  assertObject(path, options);
  assertKnownOptions(path, options, ['ratePerSecond', 'spike']);
  const { ratePerSecond, spike } = options;
  assertNumber(`${path}.ratePerSecond`, ratePerSecond, { above: 0 });
  if (spike === undefined) return () => ratePerSecond;
  assertObject(`${path}.spike`, spike);
  assertKnownOptions(`${path}.spike`, spike, ['fromMs', 'toMs', 'factor']);
  const { fromMs, toMs, factor } = spike;
  assertDurationMs(`${path}.spike.fromMs`, fromMs, { min: 0 });
  assertDurationMs(`${path}.spike.toMs`, toMs, { min: fromMs });
  assertNumber(`${path}.spike.factor`, factor, { above: 0 });
  return (atMs) => (atMs >= fromMs && atMs < toMs ? ratePerSecond * factor : ratePerSecond);
}

function describeRate({ ratePerSecond, spike }: RateOptions): string {
  const rate = `${ratePerSecond} a second`;
  return spike === undefined
    ? rate
    : `${rate}, times ${spike.factor} from ${spike.fromMs / 1_000} s to ${spike.toMs / 1_000} s`;
}
