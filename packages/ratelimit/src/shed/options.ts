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

export interface LoadShedderOptions {
  /** Stands in errors. Default: `load shedder`. */
  name?: string;
  /**
   * Runs at once. The limit finds itself between `min` and `max` (Gradient2: it grows while runs take as long as ever, and
   * shrinks when they take longer). Equal numbers are a fixed limit. Defaults: 20, 4, 200 (Netflix).
   */
  concurrency?: { initial?: number; min?: number; max?: number };
  /** The share of the limit that only `critical` and `high` may use, 0 to 0.9. Default: 0.2 (Stripe). */
  reserve?: number;
  /** Runs that may wait, 0 or more. Default: three times the limit of the moment. */
  maxQueued?: number;
  /** A wait in the queue that is acceptable, in milliseconds, above 0. Default: 5 (CoDel). */
  targetMs?: number;
  /** How long waits have to be above it before anybody is dropped, in milliseconds, above 0. Default: 100 (CoDel). */
  intervalMs?: number;
  /** A mean wait above this closes the door to the least important, in milliseconds, above 0. Default: 20 (DAGOR). */
  overloadedAboveMs?: number;
  /**
   * A sign of overload of your own, besides `signals`, such as the length of another queue. Asked once a second. Default:
   * none.
   */
  isOverloaded?: () => boolean;
  /**
   * Signs that are read from this process and its container. They cost a timer every 20 ms and some reading once a second.
   * Default: all of them with their defaults, or `false`, none, with another than the system clock.
   */
  signals?: SignalOptions | false;
  /** The mean of `retryAfterMs` in refusals, in milliseconds, above 0; drawn from half to one and a half. Default: 1 000. */
  retryAfterMs?: number;
  /** Default: the system clock. */
  clock?: Clock;
  /** Default: `Math.random`. */
  random?: Random;
}

export interface ShedRunOptions {
  /** Who is refused last. Default: that of the current unit of work, else `normal`. */
  priority?: Priority;
  /**
   * Tenants take turns in the queue, and are refused one by one, who used the most first. Default: that of the current
   * work; requests of nobody are refused at random.
   */
  tenant?: string;
  /** Leaves the queue. Default: what cancels the current unit of work. */
  signal?: AbortSignal;
  /** Runs at once, whatever the load: for health checks. Default: false. */
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
  // What is read is of the real time: under another clock it would be about something else.
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
