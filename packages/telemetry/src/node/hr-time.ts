// Arithmetic with OpenTelemetry's time: whole seconds since the epoch and the nanoseconds beyond them.
import type { Clock } from '@macadam/core';
import type { HrTime, TimeInput } from '@opentelemetry/api';

const NANOS_PER_MS = 1_000_000;
const NANOS_PER_SECOND = 1_000_000_000;

export function hrTimeOf(epochMs: number): HrTime {
  const seconds = Math.floor(epochMs / 1_000);
  // Apart from the seconds: nanoseconds since the epoch are more than a number holds exactly.
  return addMs([seconds, 0], epochMs - seconds * 1_000);
}

export function addMs([seconds, nanos]: HrTime, ms: number): HrTime {
  const sum = nanos + Math.round(ms * NANOS_PER_MS);
  const carried = Math.floor(sum / NANOS_PER_SECOND);
  return [seconds + carried, sum - carried * NANOS_PER_SECOND];
}

/** The seconds are negative if `end` is before `start`. */
export function durationBetween(start: HrTime, end: HrTime): HrTime {
  const seconds = end[0] - start[0];
  const nanos = end[1] - start[1];
  return nanos < 0 ? [seconds - 1, nanos + NANOS_PER_SECOND] : [seconds, nanos];
}

export function isHrTime(value: unknown): value is HrTime {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === 'number' && typeof value[1] === 'number';
}

export function isTimeInput(value: unknown): value is TimeInput {
  return isHrTime(value) || typeof value === 'number' || value instanceof Date;
}

/** A value of the clock's `monotonic()` and the time it stands for. */
export interface ClockReading {
  readonly time: HrTime;
  readonly monotonicMs: number;
}

export function readingOf(clock: Pick<Clock, 'now' | 'monotonic'>): ClockReading {
  return { time: hrTimeOf(clock.now()), monotonicMs: clock.monotonic() };
}
