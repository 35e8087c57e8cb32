/**
 * The algorithms of the adaptive limit, as pure functions of the state and the sample of one window. Constants and
 * arithmetic are those of Netflix's concurrency-limits, with two differences: a drop cuts the limit of Gradient2 as it does
 * that of AIMD, and the default minimum is 4, so that a service that is slow from the start is not starved.
 */

/** The measurements of one window. */
export interface Sample {
  /** Mean duration of the calls, in milliseconds. */
  readonly durationMs: number;
  /** The maximum number of calls in flight. */
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
/** AIMD treats a call slower than this as a drop. */
const AIMD_TIMEOUT_MS = 5_000;

export function gradient2(state: Gradient2State, sample: Sample, bounds: LimitBounds): Gradient2State {
  const shortMs = sample.durationMs;
  const averaged = average(state, shortMs);
  // The long-term average is far above the current latency, because of an earlier slow phase: lets it decay faster.
  const longMs = averaged.longMs / shortMs > 2 ? averaged.longMs * 0.95 : averaged.longMs;
  const { limit } = state;
  if (sample.dropped) return { ...averaged, longMs, limit: clamp(limit * DROP_RATIO, bounds) };
  // Less than half of the limit was used, so the latency says nothing about it.
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

/** Additive increase, multiplicative decrease: one more per window, a tenth less after a drop. */
export function aimd(limit: number, sample: Sample, bounds: LimitBounds): number {
  if (sample.dropped || sample.durationMs > AIMD_TIMEOUT_MS) return clamp(Math.trunc(limit * DROP_RATIO), bounds);
  return clamp(sample.inFlight * 2 >= limit ? limit + 1 : limit, bounds);
}

function clamp(limit: number, { min, max }: LimitBounds): number {
  return Math.min(max, Math.max(min, limit));
}
