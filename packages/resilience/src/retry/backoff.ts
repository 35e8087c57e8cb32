import { assertDurationMs, assertKnownOptions, assertNumber, assertObject, type Random } from '@macadam/core';

/** What a {@link Backoff} computes the wait from. */
export interface BackoffInput {
  /** The number of the retry that follows the wait, from 1. */
  readonly retry: number;
  /** The previous wait of this call in milliseconds; 0 for the first. */
  readonly previousMs: number;
  /** The source of randomness, [0, 1). */
  readonly random: Random;
  /** Minimum of the base delay in milliseconds: `throttledBaseMs` after a throttled outcome. Default: 0. */
  readonly minBaseMs?: number;
}

/** Computes the wait before a retry. A pure function of its input; any such function can be used. */
export interface Backoff {
  /** Returns the wait in milliseconds, at least 0. */
  (input: BackoffInput): number;
  /** Describes the backoff in words, for `describe()` of the retry. */
  describe?(): string;
}

/** Options of {@link constant}. */
export interface ConstantOptions {
  /** The wait before each retry in milliseconds, at least 0. */
  delayMs: number;
}

/** Options of {@link linear} and {@link decorrelatedJitter}. */
export interface GrowingOptions {
  /** The base delay in milliseconds, at least 0. Default: 50 (AWS SDKs, 2026). */
  baseMs?: number;
  /** Maximum delay in milliseconds, at least `baseMs`. Default: 20 000 (AWS SDKs), or `baseMs` if that is more. */
  maxMs?: number;
}

/** Options of {@link exponential} and {@link fullJitter}. */
export interface ExponentialOptions extends GrowingOptions {
  /** The factor by which the delay grows with each retry, at least 1. Default: 2. */
  factor?: number;
}

/**
 * Waits the same time before each retry.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { constant, retry } from '@macadam/resilience';
 *
 * const polling = retry({ maxAttempts: 10, backoff: constant({ delayMs: 1_000 }) });
 * ```
 */
export function constant(options: ConstantOptions): Backoff {
  assertObject('constant', options);
  assertKnownOptions('constant', options, ['delayMs']);
  const { delayMs } = options;
  assertDurationMs('constant.delayMs', delayMs, { min: 0 });
  return described(`${delayMs} ms each time`, ({ minBaseMs = 0 }) => Math.max(delayMs, minBaseMs));
}

/**
 * Waits `baseMs` before the first retry, twice that before the second, three times that before the third, …, at most `maxMs`.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 */
export function linear(options: GrowingOptions = {}): Backoff {
  const { baseMs, maxMs } = growing('linear', options);
  return described(`${baseMs} ms more each time, at most ${maxMs} ms`, ({ retry, minBaseMs = 0 }) =>
    Math.min(Math.max(baseMs, minBaseMs) * retry, Math.max(maxMs, minBaseMs)),
  );
}

/**
 * Waits `baseMs` before the first retry and `factor` times longer before each further one, at most `maxMs`, without jitter. Clients
 * that fail together then retry together: prefer {@link fullJitter}.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 */
export function exponential(options: ExponentialOptions = {}): Backoff {
  const { baseMs, factor, maxMs } = exponentialGrowth('exponential', options);
  return described(`${baseMs} ms x ${factor} each time, at most ${maxMs} ms`, (input) =>
    ceiling(input, baseMs, factor, maxMs),
  );
}

/**
 * Waits a random time, uniformly between 0 and the exponential delay, which spreads the retries of clients that fail together.
 * Source: "Exponential Backoff and Jitter" (AWS Architecture Blog); the defaults are those of the AWS SDKs of 2026.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { fullJitter, retry } from '@macadam/resilience';
 *
 * const retries = retry({ backoff: fullJitter({ baseMs: 100, maxMs: 5_000 }) });
 * ```
 */
export function fullJitter(options: ExponentialOptions = {}): Backoff {
  const { baseMs, factor, maxMs } = exponentialGrowth('fullJitter', options);
  return described(
    `up to ${baseMs} ms x ${factor} each time, at most ${maxMs} ms, fully jittered`,
    (input) => input.random() * ceiling(input, baseMs, factor, maxMs),
  );
}

/**
 * Waits a random time between `baseMs` and three times the previous wait, at most `maxMs`. Source: as for {@link fullJitter}.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 */
export function decorrelatedJitter(options: GrowingOptions = {}): Backoff {
  const { baseMs, maxMs } = growing('decorrelatedJitter', options);
  return described(`from ${baseMs} ms to three times the wait before, at most ${maxMs} ms`, (input) => {
    const low = Math.max(baseMs, input.minBaseMs ?? 0);
    const high = Math.max(low, input.previousMs * 3);
    return Math.min(low + input.random() * (high - low), Math.max(maxMs, low));
  });
}

function ceiling({ retry, minBaseMs = 0 }: BackoffInput, baseMs: number, factor: number, maxMs: number): number {
  // Finite, because 0 times Infinity is not a number.
  const growth = Math.min(factor ** (retry - 1), Number.MAX_VALUE);
  return Math.min(Math.max(baseMs, minBaseMs) * growth, Math.max(maxMs, minBaseMs));
}

function growing(path: string, options: GrowingOptions, names: readonly string[] = []): Required<GrowingOptions> {
  assertObject(path, options);
  assertKnownOptions(path, options, ['baseMs', 'maxMs', ...names]);
  const { baseMs = 50, maxMs = Math.max(20_000, baseMs) } = options;
  assertDurationMs(`${path}.baseMs`, baseMs, { min: 0 });
  assertDurationMs(`${path}.maxMs`, maxMs, { min: baseMs });
  return { baseMs, maxMs };
}

function exponentialGrowth(path: string, options: ExponentialOptions): Required<ExponentialOptions> {
  const limits = growing(path, options, ['factor']);
  const { factor = 2 } = options;
  assertNumber(`${path}.factor`, factor, { min: 1 });
  return { ...limits, factor };
}

function described(words: string, backoff: (input: BackoffInput) => number): Backoff {
  return Object.assign(backoff, { describe: () => words });
}
