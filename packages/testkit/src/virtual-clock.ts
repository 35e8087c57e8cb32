import { assertKnownOptions, assertNumber, assertObject, assertOneOf, type Clock } from '@macadam/core';
import { HeapClock } from './heap-clock.ts';
import { settleEventLoop, settleMicrotasks } from './settle.ts';

/** Options of {@link virtualClock}. */
export interface VirtualClockOptions {
  /** Where the monotonic clock starts, in milliseconds. Default: 0. */
  startMs?: number;
  /** Where the epoch clock starts, in epoch milliseconds. Default: 2026-01-01T00:00:00Z. */
  now?: number;
  /**
   * What is allowed to finish between two timers. `microtasks` (default): every promise reaction and `queueMicrotask`,
   * however long the chain, and `process.nextTick` callbacks. `eventLoop`: also one turn of the event loop
   * (`setImmediate`, streams that hop many ticks), at about three times the price.
   */
  settle?: 'microtasks' | 'eventLoop';
}

/** Options of `VirtualClock.runUntil`. */
export interface RunUntilOptions {
  /** The most virtual time that may pass, in milliseconds. Default: 86_400_000 (a day). */
  limitMs?: number;
}

/**
 * A {@link Clock} that stands still until a test moves it. Timers run in the order they are due, and in the order they
 * were set among equals; while one runs, the clock reads exactly the time it was due.
 *
 * Between two timers the clock lets all microtasks settle. It does so without a turn of the event loop: a
 * `process.nextTick` callback queued from a microtask runs once the microtask queue is empty, and two of them in a row
 * also cover code that hops through `nextTick` itself. So it cannot drive what only the event loop or the kernel
 * finishes: real sockets, files, `crypto` and `zlib` callbacks, worker threads, and timers set with the global
 * `setTimeout` (see `useVirtualGlobals` for those).
 */
export interface VirtualClock extends Clock, Disposable {
  /** Moves time by `ms`, running every timer that comes due, and settles. */
  advance(ms: number): Promise<void>;
  /** Like `advance`, without letting promises settle in between: for code that only uses callbacks. */
  advanceSync(ms: number): void;
  /** Moves to the timer that is due next and runs it; false when there is none. */
  advanceToNext(): Promise<boolean>;
  /**
   * Moves time from timer to timer until the promise settles, and settles as it does.
   * @throws VirtualClockError `MAC_CLOCK_STALLED` when no timer is left and it is still pending, `MAC_CLOCK_LIMIT` when
   * `limitMs` have passed.
   */
  runUntil<T>(promise: PromiseLike<T>, options?: RunUntilOptions): Promise<T>;
  /** Lets everything settle that needs no time to pass. */
  settle(): Promise<void>;
  /** Sets the epoch clock `now()` back (negative) or forth, as an administrator or NTP does. Durations are unaffected. */
  jump(ms: number): void;
  /** The timers that are armed. One that was unref'd does not count, as it would not keep a process alive. */
  readonly pendingTimers: number;
  /** @throws VirtualClockError `MAC_CLOCK_TIMERS_LEFT`, naming how many and when they are due, when timers are armed. */
  assertNoTimers(): void;
  /** `assertNoTimers`, so that `using clock = virtualClock()` fails a test that leaves timers behind. */
  [Symbol.dispose](): void;
}

/** 2026-01-01T00:00:00Z: any fixed moment does, as long as it is the same in every run. */
const DEFAULT_NOW = 1_767_225_600_000;

/**
 * Makes a {@link VirtualClock}.
 *
 * @throws OptionsError `MAC_INVALID_OPTIONS`
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
