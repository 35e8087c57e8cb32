import { AsyncLocalStorage } from 'node:async_hooks';
import { performance } from 'node:perf_hooks';

/** A timer set by {@link Clock.setTimer}. */
export interface Timer {
  /** Cancels the timer. Does nothing if it has fired or was cancelled before. */
  cancel(): void;
  /** Allows the process to exit while the timer is armed. Absent if the clock does not support it. */
  unref?(): void;
  /** Undoes `unref()`. Absent if the clock does not support it. */
  ref?(): void;
}

/**
 * The source of time of Macadam. Everything that waits or measures takes a `clock`, so that tests can use a virtual one
 * (`virtualClock()` of `@macadam/testkit`).
 */
export interface Clock {
  /** Returns the wall-clock time in epoch milliseconds. It may jump: use it only for timestamps. */
  now(): number;
  /** Returns milliseconds since an arbitrary start, which never decrease: use them for durations and expiry. */
  monotonic(): number;
  /**
   * A cheaper, less precise `monotonic()`: never less than an earlier result of `monotonic()`, and late by at most 100 ms plus the time
   * the event loop was blocked. Absent if `monotonic()` is cheap.
   */
  recently?(): number;
  /**
   * Calls `callback` once after `delayMs` milliseconds, never earlier; with `Infinity`, never. `systemClock` first lets the event loop
   * read what has arrived.
   */
  setTimer(callback: () => void, delayMs: number): Timer;
  /** Resolves after `delayMs` milliseconds; rejects with the signal's reason if it aborts first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

/**
 * The maximum delay of Node's `setTimeout` (2^31 - 1 ms, 24.8 days). A longer one fires at once, which has turned a
 * `Retry-After` far in the future into a tight loop. Longer waits are therefore split into several timers.
 */
const MAX_TIMER_MS = 2_147_483_647;

/**
 * The global function when this file was loaded. If it is another one now, a test has replaced the timers: it advances time
 * itself, and expects timers that are due to fire within that call.
 */
const realSetTimeout = setTimeout;

class SystemTimer implements Timer {
  #handle: NodeJS.Timeout | undefined;
  readonly #callback: () => void;
  /** When it is due, by `monotonic()`. */
  readonly #dueMs: number;
  #remainingMs: number;
  #referenced = true;

  constructor(callback: () => void, delayMs: number) {
    this.#callback = callback;
    this.#dueMs = monotonic() + delayMs;
    // Node would round down to whole milliseconds.
    this.#remainingMs = Math.ceil(delayMs);
    this.#arm();
  }

  #arm(): void {
    const stepMs = Math.min(this.#remainingMs, MAX_TIMER_MS);
    this.#remainingMs -= stepMs;
    this.#handle = setTimeout(expire, stepMs, this);
    if (!this.#referenced) this.#handle.unref();
  }

  cancel(): void {
    clearTimeout(this.#handle);
    this.#handle = undefined;
  }

  unref(): void {
    this.#referenced = false;
    this.#handle?.unref();
  }

  ref(): void {
    this.#referenced = true;
    this.#handle?.ref();
  }

  /**
   * Fires after one pass of the poll phase of the event loop. In a process that was blocked, all time limits are over before
   * responses that arrived in time have been read. Fired at once, the timers would report timeouts, and circuits would open.
   */
  expire(): void {
    if (this.#remainingMs > 0) this.#arm();
    else if (setTimeout !== realSetTimeout) this.fire();
    else if (monotonic() >= this.#dueMs) setImmediate(fire, this);
    else {
      // Node counts from the start of the turn of the event loop, in whole milliseconds: some timers fire up to one early.
      this.#remainingMs = 1;
      this.#arm();
    }
  }

  fire(): void {
    if (this.#handle === undefined) return;
    this.#handle = undefined;
    this.#callback();
  }
}

function expire(timer: SystemTimer): void {
  timer.expire();
}

function fire(timer: SystemTimer): void {
  timer.fire();
}

/** Implements {@link Clock.sleep} on top of `setTimer`, for clocks of your own. The listener on the signal is always removed. */
export function sleepWith(clock: Pick<Clock, 'setTimer'>, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal === undefined) {
      clock.setTimer(resolve, delayMs);
      return;
    }
    if (signal.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal.reason as Error);
    };
    const timer = clock.setTimer(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, delayMs);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** How long `recently` returns the same reading. */
const RECENT_MS = 100;
const atRoot = AsyncLocalStorage.snapshot() as (fn: () => void) => void;
/** The last reading of `monotonic`. */
let lastReadingMs = 0;
let isRecent = false;

function recently(): number {
  return isRecent && setTimeout === realSetTimeout ? lastReadingMs : readAgain();
}

/** A function of its own, so that `recently` stays small enough for V8 to inline. */
function readAgain(): number {
  if (setTimeout === realSetTimeout) {
    isRecent = true;
    // The timer must neither retain the asynchronous context of the caller nor keep the process alive.
    atRoot(() => setTimeout(expireReading, RECENT_MS).unref());
  }
  return monotonic();
}

function expireReading(): void {
  isRecent = false;
}

function now(): number {
  return Date.now();
}

function monotonic(): number {
  // `globalThis.performance` is a getter, which costs several times as much as the reading. A test that fakes time replaces it.
  return (lastReadingMs = setTimeout === realSetTimeout ? performance.now() : globalThis.performance.now());
}

/** Creates all clocks of the system in one place, so that they have one hidden class and calls on a `Clock` stay monomorphic. */
function createClock(setTimer: Clock['setTimer']): Clock {
  return { now, monotonic, recently, setTimer, sleep: (delayMs, signal) => sleepWith({ setTimer }, delayMs, signal) };
}

/**
 * The clock of the machine: `Date.now()`, `performance.now()` and `setTimeout`. Delays may be longer than the 24.8 days of Node.js's
 * timers, and a timer never fires early.
 */
export const systemClock: Clock = createClock(
  // NaN would fire after 1 ms.
  (callback, delayMs) => new SystemTimer(callback, Number.isNaN(delayMs) ? 0 : Math.max(0, delayMs)),
);

/** `systemClock` without timers: `setTimer` never fires. For internal use by Macadam packages. */
export const timerlessClock: Clock = createClock(() => ({ cancel() {} }));
