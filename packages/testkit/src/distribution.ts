import { assertDurationMs, assertObject, assertKnownOptions, OptionsError, type Random } from '@macadam/core';

/** A distribution of durations: how long a link, a server or a queue takes. */
export interface Distribution {
  /** Returns one duration in milliseconds, at least 0, drawn with `random`. */
  sample(random: Random): number;
  /** Describes the distribution in words, such as `200 ms` or `log-normal, median 20 ms, p99 400 ms`. */
  describe(): string;
}

/**
 * Always the same duration.
 *
 * @param ms - the duration in milliseconds, at least 0
 */
export function fixed(ms: number): Distribution {
  assertDurationMs('fixed.ms', ms, { min: 0 });
  return { sample: () => ms, describe: () => `${ms} ms` };
}

/**
 * A uniform distribution.
 *
 * @param minMs - the minimum in milliseconds, at least 0
 * @param maxMs - the maximum in milliseconds, at least `minMs`
 */
export function uniform(minMs: number, maxMs: number): Distribution {
  assertDurationMs('uniform.minMs', minMs, { min: 0 });
  assertDurationMs('uniform.maxMs', maxMs, { min: minMs });
  return {
    sample: (random) => minMs + random() * (maxMs - minMs),
    describe: () => `between ${minMs} and ${maxMs} ms`,
  };
}

/** Options of {@link logNormal}. */
export interface LogNormalOptions {
  /** The median in milliseconds, above 0. Required. */
  medianMs: number;
  /** The 99th percentile in milliseconds, at least `medianMs`. Required. */
  p99Ms: number;
}

/** The 99th percentile of the standard normal distribution. */
const Z99 = 2.326_347_874_040_841;

/** A log-normal distribution, like the latency of real services: most values near the median, a few far above it. */
export function logNormal(options: LogNormalOptions): Distribution {
  assertObject('logNormal', options);
  assertKnownOptions('logNormal', options, ['medianMs', 'p99Ms']);
  const { medianMs, p99Ms } = options;
  assertDurationMs('logNormal.medianMs', medianMs);
  assertDurationMs('logNormal.p99Ms', p99Ms, { min: medianMs });
  const sigma = Math.log(p99Ms / medianMs) / Z99;
  return {
    sample: (random) => medianMs * Math.exp(sigma * standardNormal(random)),
    describe: () => `log-normal, median ${medianMs} ms, p99 ${p99Ms} ms`,
  };
}

/** Throws OptionsError unless `value` can be sampled. */
export function assertDistribution(path: string, value: unknown): asserts value is Distribution {
  if (typeof (value as Distribution | undefined)?.sample === 'function') return;
  throw new OptionsError(
    path,
    value,
    'a distribution: fixed(ms), uniform(minMs, maxMs) or logNormal({ medianMs, p99Ms })',
  );
}

/** The Box-Muller transform. Always draws twice, so that each sample uses the same numbers of a seed. */
function standardNormal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random()));
  return radius * Math.cos(2 * Math.PI * random());
}
