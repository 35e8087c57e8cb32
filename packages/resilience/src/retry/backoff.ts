import { assertDurationMs, assertKnownOptions, assertNumber, assertObject, type Random } from '@macadam/core';

export interface BackoffInput {
  /** Which retry this wait precedes, counted from 1. */
  readonly retry: number;
  /** The wait before the retry before this one, in milliseconds; 0 for the first. */
  readonly previousMs: number;
  readonly random: Random;
  /** Raises the base delay to at least this, in milliseconds: used after a throttled outcome. Default: 0. */
  readonly minBaseMs?: number;
}

/** How long to wait before a retry, in milliseconds. A pure function of its input. */
export interface Backoff {
  (input: BackoffInput): number;
  describe?(): string;
}

export interface ConstantOptions {
  /** At least 0. */
  delayMs: number;
}

export interface GrowingOptions {
  /** The first delay, in milliseconds, at least 0. Default: 50 (AWS SDKs, 2026). */
  baseMs?: number;
  /** No delay is longer, in milliseconds. Default: 20 000 (AWS SDKs). */
  maxMs?: number;
}

export interface ExponentialOptions extends GrowingOptions {
  /** Each delay is this many times the one before, at least 1. Default: 2. */
  factor?: number;
}

/** The same wait each time. */
export function constant(options: ConstantOptions): Backoff {
  assertObject('constant', options);
  assertKnownOptions('constant', options, ['delayMs']);
  const { delayMs } = options;
  assertDurationMs('constant.delayMs', delayMs, { min: 0 });
  return described(`${delayMs} ms each time`, ({ minBaseMs = 0 }) => Math.max(delayMs, minBaseMs));
}

/** The base, twice the base, three times the base … */
export function linear(options: GrowingOptions = {}): Backoff {
  const { baseMs, maxMs } = growing('linear', options);
  return described(`${baseMs} ms more each time, at most ${maxMs} ms`, ({ retry, minBaseMs = 0 }) =>
    Math.min(Math.max(baseMs, minBaseMs) * retry, Math.max(maxMs, minBaseMs)),
  );
}

/** Doubles each time, without jitter: clients that failed together retry together, so prefer {@link fullJitter}. */
export function exponential(options: ExponentialOptions = {}): Backoff {
  const { baseMs, factor, maxMs } = exponentialGrowth('exponential', options);
  return described(`${baseMs} ms x ${factor} each time, at most ${maxMs} ms`, (input) =>
    ceiling(input, baseMs, factor, maxMs),
  );
}

/**
 * Anything from 0 to the exponential delay, each as likely: spreads clients that failed together best.
 * Source: "Exponential Backoff and Jitter" (AWS Architecture Blog); the numbers are those of the AWS SDKs of 2026.
 */
export function fullJitter(options: ExponentialOptions = {}): Backoff {
  const { baseMs, factor, maxMs } = exponentialGrowth('fullJitter', options);
  return described(
    `up to ${baseMs} ms x ${factor} each time, at most ${maxMs} ms, fully jittered`,
    (input) => input.random() * ceiling(input, baseMs, factor, maxMs),
  );
}

/** Between the base and three times the wait before, so that waits grow by chance. Source: as {@link fullJitter}. */
export function decorrelatedJitter(options: GrowingOptions = {}): Backoff {
  const { baseMs, maxMs } = growing('decorrelatedJitter', options);
  return described(`from ${baseMs} ms to three times the wait before, at most ${maxMs} ms`, (input) => {
    const low = Math.max(baseMs, input.minBaseMs ?? 0);
    const high = Math.max(low, input.previousMs * 3);
    return Math.min(low + input.random() * (high - low), Math.max(maxMs, low));
  });
}

function ceiling({ retry, minBaseMs = 0 }: BackoffInput, baseMs: number, factor: number, maxMs: number): number {
  return Math.min(Math.max(baseMs, minBaseMs) * factor ** (retry - 1), Math.max(maxMs, minBaseMs));
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
