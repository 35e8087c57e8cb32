import {
  assertClock,
  assertDurationMs,
  assertFunction,
  assertInteger,
  assertKnownOptions,
  assertNumber,
  assertObject,
  assertText,
  OptionsError,
  systemClock,
  systemRandom,
  type Clock,
  type Priority,
  type Random,
} from '@macadam/core';
import { signalSettings, type SignalOptions, type SignalSettings } from './signals.ts';

/** Options of `createLoadShedder`. */
export interface LoadShedderOptions {
  /** Name in errors, statistics and metrics. Default: `load shedder`. */
  name?: string;
  /**
   * Bounds of the number of concurrent runs. The limit adapts between `min` and `max` (Gradient2: it grows while runs
   * take as long as usual, and shrinks when they take longer). Equal numbers make a fixed limit. Default: `{ initial:
   * 20, min: 4, max: 200 }` (Netflix).
   */
  concurrency?: {
    /** The limit at the start, from `min` to `max`. Default: 20. */
    initial?: number;
    /** The lowest limit, at least 1. Default: 4. */
    min?: number;
    /** The highest limit. Default: 200. */
    max?: number;
  };
  /** Ratio of the limit that only `critical` and `high` may use, 0 to 0.9. Default: 0.2 (Stripe). */
  reserve?: number;
  /** Maximum number of runs that wait, 0 or more. Default: three times the current limit. */
  maxQueued?: number;
  /** Acceptable wait in the queue, in milliseconds, above 0. Default: 5 (CoDel). */
  targetMs?: number;
  /**
   * How long waits have to exceed `targetMs` before runs are dropped, in milliseconds, above 0. Default: 100 (CoDel).
   */
  intervalMs?: number;
  /** Mean wait above which the least important work is rejected, in milliseconds, above 0. Default: 20 (DAGOR). */
  overloadedAboveMs?: number;
  /**
   * An additional sign of overload, such as the length of another queue. Called when a request comes and a second, or
   * 2 000 requests, have passed since the last call. If it throws, that is a process warning and no sign. Default: none.
   */
  isOverloaded?: () => boolean;
  /**
   * Signs of overload that are read from this process and its container. They cost a timer of 20 ms and some reading as
   * often as `isOverloaded` is called. `false`: none. Default: all of them with their defaults; none when `clock` is not the system clock.
   */
  signals?: SignalOptions | false;
  /**
   * Mean of `retryAfterMs` in errors, in milliseconds, above 0; each error draws a value from half of it to one and a
   * half, so that callers do not retry together. Default: 1 000.
   */
  retryAfterMs?: number;
  /** Source of time. Default: the system clock. */
  clock?: Clock;
  /** Source of randomness. Default: `Math.random`. */
  random?: Random;
}

/** Options of `shedder.run`. */
export interface ShedRunOptions {
  /** Lower priorities are rejected first. Default: that of the current unit of work, else `normal`. */
  priority?: Priority;
  /**
   * Tenants take turns in the queue, and those that used the most are rejected first. Work without a tenant is rejected
   * at random. Default: that of the current unit of work, else none.
   */
  tenant?: string;
  /** Leaves the queue when it aborts. Default: the signal of the current unit of work. */
  signal?: AbortSignal;
  /** Runs at once whatever the load, for health checks. Default: false. */
  exempt?: boolean;
}

/** The options with every default filled in, checked. */
export interface LoadShedderSettings {
  readonly name: string;
  readonly initial: number;
  readonly min: number;
  readonly max: number;
  readonly reserve: number;
  readonly maxQueued: number | undefined;
  readonly targetMs: number;
  readonly intervalMs: number;
  readonly overloadedAboveMs: number;
  readonly isOverloaded: () => boolean;
  readonly signals: SignalSettings | undefined;
  readonly retryAfterMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

const NAMES = [
  'name',
  'concurrency',
  'reserve',
  'maxQueued',
  'targetMs',
  'intervalMs',
  'overloadedAboveMs',
  'isOverloaded',
  'signals',
  'retryAfterMs',
  'clock',
  'random',
] as const;

export function loadShedderSettings(options: LoadShedderOptions): LoadShedderSettings {
  const path = 'createLoadShedder';
  assertObject(path, options);
  assertKnownOptions(path, options, NAMES);
  const { name = 'load shedder', concurrency = {}, reserve = 0.2, maxQueued, targetMs = 5, intervalMs = 100 } = options;
  const { overloadedAboveMs = 20, isOverloaded = never, retryAfterMs = 1_000 } = options;
  const { clock = systemClock, random = systemRandom } = options;
  // Signals are measured in real time, which another clock does not follow.
  const { signals = clock === systemClock ? {} : false } = options;
  assertText(`${path}.name`, name);
  assertClock(`${path}.clock`, clock);
  assertFunction(`${path}.random`, random);
  assertObject(`${path}.concurrency`, concurrency);
  assertKnownOptions(`${path}.concurrency`, concurrency, ['initial', 'min', 'max']);
  const { min = 4 } = concurrency;
  assertInteger(`${path}.concurrency.min`, min, { min: 1 });
  const { max = Math.max(200, min) } = concurrency;
  assertInteger(`${path}.concurrency.max`, max, { min: 1 });
  if (max < min) throw new OptionsError(`${path}.concurrency.max`, max, `at least min (${min})`);
  const { initial = Math.min(Math.max(20, min), max) } = concurrency;
  assertInteger(`${path}.concurrency.initial`, initial, { min, max });
  assertNumber(`${path}.reserve`, reserve, { min: 0, max: 0.9 });
  if (maxQueued !== undefined) assertInteger(`${path}.maxQueued`, maxQueued, { min: 0 });
  for (const [field, value] of Object.entries({ targetMs, intervalMs, overloadedAboveMs, retryAfterMs })) {
    assertDurationMs(`${path}.${field}`, value);
  }
  if (intervalMs <= targetMs) throw new OptionsError(`${path}.intervalMs`, intervalMs, `above targetMs (${targetMs})`);
  assertFunction(`${path}.isOverloaded`, isOverloaded);
  return {
    ...{ name, initial, min, max, reserve, maxQueued, targetMs, intervalMs },
    ...{ overloadedAboveMs, isOverloaded, retryAfterMs, clock, random },
    signals: signals === false ? undefined : signalSettings(`${path}.signals`, signals),
  };
}

function never(): boolean {
  return false;
}
