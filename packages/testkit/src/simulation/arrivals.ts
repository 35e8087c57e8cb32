import {
  assertDurationMs,
  assertInteger,
  assertKnownOptions,
  assertNumber,
  assertObject,
  OptionsError,
  type Random,
} from '@macadam/core';

/** When requests come: open loop, so a slow answer does not slow the next request down. Pure; chance is handed in. */
export interface Arrivals {
  /** How many requests come at each arrival. */
  readonly size: number;
  /** How long after `atMs` the next arrival is, in milliseconds. */
  next(atMs: number, random: Random): number;
  /** In words, such as `200 a second, at random`. */
  describe(): string;
}

/** A stretch of time in which the rate is another one. */
export interface Spike {
  /** Its beginning, in milliseconds from the start of the simulation. */
  fromMs: number;
  /** Its end, not included. */
  toMs: number;
  /** The rate is this many times the usual one. Above 0. */
  factor: number;
}

export interface RateOptions {
  /** Requests a second, above 0. */
  ratePerSecond: number;
  /** Default: none. */
  spike?: Spike;
}

/** Requests of many users who know nothing of one another: a Poisson process. */
export function poissonArrivals(options: RateOptions): Arrivals {
  const rateAt = toRate('poissonArrivals', options);
  return {
    size: 1,
    next: (atMs, random) => (-Math.log(1 - random()) * 1_000) / rateAt(atMs),
    describe: () => `${describeRate(options)}, at random`,
  };
}

/** Requests of one machine that sends at a steady pace. */
export function constantArrivals(options: RateOptions): Arrivals {
  const rateAt = toRate('constantArrivals', options);
  return {
    size: 1,
    next: (atMs) => 1_000 / rateAt(atMs),
    describe: () => `${describeRate(options)}, evenly spaced`,
  };
}

export interface BurstOptions {
  /** Requests in a burst, at least 1. */
  size: number;
  /** From one burst to the next, in milliseconds. */
  everyMs: number;
}

/** Many requests at one moment, then none until the next burst: what a timer job or a batch does. */
export function burstArrivals(options: BurstOptions): Arrivals {
  assertObject('burstArrivals', options);
  assertKnownOptions('burstArrivals', options, ['size', 'everyMs']);
  const { size, everyMs } = options;
  assertInteger('burstArrivals.size', size, { min: 1 });
  assertDurationMs('burstArrivals.everyMs', everyMs);
  return { size, next: () => everyMs, describe: () => `${size} at once, every ${everyMs} ms` };
}

/** Throws OptionsError unless `value` says when requests come. */
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
