import { assertKnownOptions, assertNumber, assertObject, assertOneOf, type Clock } from '@macadam/core';
import { HeapClock } from './heap-clock.ts';
import { settleEventLoop, settleMicrotasks } from './settle.ts';

/** Options of {@link virtualClock}. */
export interface VirtualClockOptions {
  /** The initial monotonic time, in milliseconds. Default: 0. */
  startMs?: number;
  /** The initial value of `now()`, in epoch milliseconds. Default: that of 2026-01-01T00:00:00Z. */
  now?: number;
  /**
   * What may finish between two timers. `microtasks`: promise reactions, `queueMicrotask` and `process.nextTick` callbacks, however
   * many. `eventLoop`: also one turn of the event loop (`setImmediate`, streams), at about three times the cost. Default:
   * `microtasks`.
   */
  settle?: 'microtasks' | 'eventLoop';
}

/** Options of `VirtualClock.runUntil`. */
export interface RunUntilOptions {
  /** Maximum virtual time that may pass, in milliseconds, at least 0. Default: 86 400 000 (1 day). */
  limitMs?: number;
}

/**
 * A clock that stands still until a test moves it. Timers run in the order they are due, those due at the same time in the order
 * they were set; while a timer runs, the clock shows exactly the time it was due.
 *
 * Between two timers all microtasks settle, without a turn of the event loop. So the clock cannot drive what only the event loop or the
 * kernel finishes: sockets, files, `crypto` and `zlib` callbacks, worker threads, and timers of the global `setTimeout` (see
 * `useVirtualGlobals` for those).
 */
export interface VirtualClock extends Clock, Disposable {
  /** Moves time forward by `ms` milliseconds, runs the timers that become due, and lets promises settle. */
  advance(ms: number): Promise<void>;
  /** Like `advance`, without letting promises settle: for code that only uses callbacks. */
  advanceSync(ms: number): void;
  /** Moves time to the next timer and runs it; resolves with false if there is none. */
  advanceToNext(): Promise<boolean>;
  /**
   * Moves time from timer to timer until `promise` settles, and settles like it.
   *
   * @throws VirtualClockError (`MAC_CLOCK_STALLED`) if no timer is left and it is still pending, and (`MAC_CLOCK_LIMIT`) if `limitMs`
   * have passed.
   */
  runUntil<T>(promise: PromiseLike<T>, options?: RunUntilOptions): Promise<T>;
  /** Lets promises settle without moving time. */
  settle(): Promise<void>;
  /** Moves `now()` by `ms` milliseconds, back if negative, like a step of NTP. `monotonic()` and timers are unaffected. */
  jump(ms: number): void;
  /** The number of armed timers, without those that were unref'd. */
  readonly pendingTimers: number;
  /**
   * Asserts that no timer is armed.
   *
   * @throws VirtualClockError (`MAC_CLOCK_TIMERS_LEFT`) with the number of armed timers and when they are due.
   */
  assertNoTimers(): void;
  /** Calls `assertNoTimers`, so that `using clock = virtualClock()` fails a test that leaves timers behind. */
  [Symbol.dispose](): void;
}

/** 2026-01-01T00:00:00Z: any fixed moment does, as long as it is the same in every run. */
const DEFAULT_NOW = 1_767_225_600_000;

/**
 * Makes a clock that a test moves by hand.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * const clock = virtualClock();
 * const sleeping = clock.sleep(5_000);
 * await clock.advance(5_000);
 * await sleeping; // at once
 */
export function virtualClock(options: VirtualClockOptions = {}): VirtualClock {
  assertObject('virtualClock', options);
  assertKnownOptions('virtualClock', options, ['startMs', 'now', 'settle']);
  const { startMs = 0, now = DEFAULT_NOW, settle = 'microtasks' } = options;
  assertNumber('virtualClock.startMs', startMs);
  assertNumber('virtualClock.now', now);
  assertOneOf('virtualClock.settle', settle, ['microtasks', 'eventLoop']);
  return new HeapClock(startMs, now, settle === 'microtasks' ? settleMicrotasks : settleEventLoop);
}
