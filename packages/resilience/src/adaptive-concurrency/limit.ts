/**
 * How the limit follows what is measured: pure functions of the state and one window's sample. The numbers and the
 * arithmetic are those published by Netflix (concurrency-limits); the minimum is 4, so that a service which is slow from
 * the start is not starved, and a drop cuts Gradient2's limit as it does AIMD's.
 */

/** What was measured over one window. */
export interface Sample {
  /** Mean duration of the calls, in milliseconds. */
  readonly durationMs: number;
  /** The most calls in flight at once. */
  readonly inFlight: number;
  /** Whether a call was dropped: timed out, or refused as overload. */
  readonly dropped: boolean;
}

/** The range of a limit. */
export interface LimitBounds {
  /** The minimum limit. */
  readonly min: number;
  /** The maximum limit. */
  readonly max: number;
}

export interface Gradient2State {
  readonly limit: number;
  /** Exponential average of the durations over a long time, in milliseconds. */
  readonly longMs: number;
  /** Samples in the average, up to the end of its warm-up. */
  readonly samples: number;
}

const SMOOTHING = 0.2;
const QUEUE = 4;
const TOLERANCE = 1.5;
const LONG_WINDOW = 600;
const WARM_UP = 10;
const DROP_RATIO = 0.9;
/** AIMD takes a call slower than this for a drop. */
const AIMD_TIMEOUT_MS = 5_000;

export function gradient2(state: Gradient2State, sample: Sample, bounds: LimitBounds): Gradient2State {
  const shortMs = sample.durationMs;
  const averaged = average(state, shortMs);
  // A long average far above the present is the memory of a slow time: let it fade faster.
  const longMs = averaged.longMs / shortMs > 2 ? averaged.longMs * 0.95 : averaged.longMs;
  const { limit } = state;
  if (sample.dropped) return { ...averaged, longMs, limit: clamp(limit * DROP_RATIO, bounds) };
  // With half of the places empty, the limit was not what held the calls back.
  if (sample.inFlight < limit / 2) return { ...averaged, longMs, limit };
  const gradient = Math.max(0.5, Math.min(1, (TOLERANCE * averaged.longMs) / shortMs));
  const target = limit * gradient + QUEUE;
  return { ...averaged, longMs, limit: clamp(limit * (1 - SMOOTHING) + target * SMOOTHING, bounds) };
}

function average({ longMs, samples }: Gradient2State, durationMs: number): { longMs: number; samples: number } {
  if (samples < WARM_UP) return { longMs: (longMs * samples + durationMs) / (samples + 1), samples: samples + 1 };
  const factor = 2 / (LONG_WINDOW + 1);
  return { longMs: longMs * (1 - factor) + durationMs * factor, samples };
}

/** Additive increase, multiplicative decrease: one more place a window, a tenth fewer on a drop. */
export function aimd(limit: number, sample: Sample, bounds: LimitBounds): number {
  if (sample.dropped || sample.durationMs > AIMD_TIMEOUT_MS) return clamp(Math.trunc(limit * DROP_RATIO), bounds);
  return clamp(sample.inFlight * 2 >= limit ? limit + 1 : limit, bounds);
}

function clamp(limit: number, { min, max }: LimitBounds): number {
  return Math.min(max, Math.max(min, limit));
}
