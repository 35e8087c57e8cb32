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
 * The longest delay Node's `setTimeout` can hold (2^31 - 1 ms, 24.8 days). A longer one fires at once, which has turned
 * more than one far-away `Retry-After` into a tight loop; longer waits are therefore made of several timers.
 */
const LONGEST_TIMER_MS = 2_147_483_647;

/** A test that fakes timers moves time by itself, and expects what is due to happen then. */
const realSetTimeout = setTimeout;

class SystemTimer implements Timer {
  #handle: NodeJS.Timeout | undefined;
  readonly #callback: () => void;
  #remainingMs: number;
  #referenced = true;

  constructor(callback: () => void, delayMs: number) {
    this.#callback = callback;
    this.#remainingMs = delayMs;
    this.#arm();
  }

  #arm(): void {
    const stepMs = Math.min(this.#remainingMs, LONGEST_TIMER_MS);
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
   * A process that stood still finds every time limit over before it has read what came in time: an answer would be taken
   * for none, and a circuit would open because of it. So what has come is read first.
   */
  expire(): void {
    if (this.#remainingMs > 0) this.#arm();
    else if (setTimeout === realSetTimeout) setImmediate(fire, this);
    else this.fire();
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

/** How often the time is asked for while `recently` is in use. */
const RECENT_MS = 100;
const atRoot = AsyncLocalStorage.snapshot() as (fn: () => void) => void;
let recentMs = 0;
let isRecent = false;

function recently(): number {
  return isRecent && setTimeout === realSetTimeout ? recentMs : askAgain();
}

/** Apart, so that `recently` stays small enough to be compiled into its caller. */
function askAgain(): number {
  if (setTimeout === realSetTimeout) {
    isRecent = true;
    // The timer must not hold on to the context of whoever asked, nor keep the process alive.
    atRoot(() => setTimeout(outdate, RECENT_MS).unref());
  }
  return monotonic();
}

function outdate(): void {
  isRecent = false;
}

function now(): number {
  return Date.now();
}

function monotonic(): number {
  // The global is a getter, which costs several times what the reading does; but a test that fakes time replaces it.
  return (recentMs = setTimeout === realSetTimeout ? performance.now() : globalThis.performance.now());
}

/** One place where clocks of the machine are made, so that whoever was handed several has seen one layout. */
function clockWith(setTimer: Clock['setTimer']): Clock {
  return { now, monotonic, recently, setTimer, sleep: (delayMs, signal) => sleepWith({ setTimer }, delayMs, signal) };
}

/**
 * The clock of the machine: `Date.now()`, `performance.now()` and `setTimeout`. Delays may be longer than the 24.8 days of Node.js's
 * timers, and a timer never fires early.
 */
export const systemClock: Clock = clockWith(
  // Node counts whole milliseconds and rounds down, which could end a wait early; NaN would mean "at once".
  (callback, delayMs) => new SystemTimer(callback, Number.isNaN(delayMs) ? 0 : Math.max(0, Math.ceil(delayMs))),
);

/** `systemClock` without timers: `setTimer` never fires. For internal use by Macadam packages. */
export const timerlessClock: Clock = clockWith(() => ({ cancel() {} }));
