import { assertDurationMs, assertObject, assertKnownOptions, OptionsError, type Random } from '@macadam/core';

/** A random duration: how long a link, a server or a queue takes. Pure; the randomness is handed in at each sample. */
export interface Distribution {
  /** One duration, in milliseconds, 0 or more. */
  sample(random: Random): number;
  /** In words, such as `200 ms` or `log-normal, median 20 ms, p99 400 ms`. */
  describe(): string;
}

/** Always the same duration, in milliseconds: 0 or more. */
export function fixed(ms: number): Distribution {
  assertDurationMs('fixed.ms', ms, { min: 0 });
  return { sample: () => ms, describe: () => `${ms} ms` };
}

/** Any duration between the two, each equally likely. */
export function uniform(minMs: number, maxMs: number): Distribution {
  assertDurationMs('uniform.minMs', minMs, { min: 0 });
  assertDurationMs('uniform.maxMs', maxMs, { min: minMs });
  return {
    sample: (random) => minMs + random() * (maxMs - minMs),
    describe: () => `between ${minMs} and ${maxMs} ms`,
  };
}

/** The two percentiles that fix a {@link logNormal} distribution. */
export interface LogNormalOptions {
  /** Half of the samples are below this many milliseconds. Above 0. */
  medianMs: number;
  /** 99 % of the samples are below this many milliseconds. At least `medianMs`. */
  p99Ms: number;
}

/** The 99th percentile of the standard normal distribution. */
const Z99 = 2.326_347_874_040_841;

/** The long tail of real services: most answers near the median, a few far above it. */
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

/** Box and Muller's transform; always two draws, so that a stream of samples stays aligned with its seed. */
function standardNormal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random()));
  return radius * Math.cos(2 * Math.PI * random());
}
