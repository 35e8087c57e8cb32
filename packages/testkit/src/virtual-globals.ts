/* eslint-disable no-restricted-globals -- This file replaces these globals. */
import { promisify } from 'node:util';
import { assertClock, type Timer } from '@macadam/core';
import type { VirtualClock } from './virtual-clock.ts';

/**
 * Replaces the globals `setTimeout`, `clearTimeout`, `setInterval`, `clearInterval`, `Date` and `performance.now` by the clock until
 * the result is disposed: for third-party code that takes no clock. It affects code that looks up the global when it calls it, but not
 * `node:timers`, `node:timers/promises`, `AbortSignal.timeout`, `setImmediate`, or references taken earlier.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) unless `clock` is a clock.
 * @example
 * using globals = useVirtualGlobals(clock);
 * await clock.runUntil(pRetry(load, { minTimeout: 1_000 }));
 */
export function useVirtualGlobals(clock: VirtualClock): Disposable {
  assertClock('useVirtualGlobals.clock', clock);
  const { setTimeout, clearTimeout, setInterval, clearInterval, Date } = globalThis;
  const originals = { setTimeout, clearTimeout, setInterval, clearInterval, Date };
  const { now } = performance;
  const clear = (handle: unknown): void => {
    if (handle instanceof VirtualTimeout) handle.close();
    else clearTimeout(handle as NodeJS.Timeout);
  };
  const timerFunction =
    (repeats: boolean) =>
    (callback: Callback, delayMs?: number, ...values: unknown[]): VirtualTimeout =>
      new VirtualTimeout(clock, callback, values, delayMs, repeats);
  Object.assign(globalThis, {
    setTimeout: Object.assign(timerFunction(false), { [promisify.custom]: promisifiedSetTimeout(clock) }),
    setInterval: timerFunction(true),
    clearTimeout: clear,
    clearInterval: clear,
    Date: virtualDate(clock),
  });
  performance.now = () => clock.monotonic();
  let disposed = false;
  return {
    [Symbol.dispose]() {
      if (disposed) return;
      disposed = true;
      Object.assign(globalThis, originals);
      performance.now = now;
    },
  };
}

type Callback = (...values: unknown[]) => void;

/** A handle as Node's `setTimeout` returns it, with the methods that code in practice uses. */
class VirtualTimeout implements Disposable {
  readonly #clock: VirtualClock;
  readonly #callback: Callback;
  readonly #values: readonly unknown[];
  readonly #delayMs: number;
  readonly #repeats: boolean;
  #timer: Timer;
  #referenced = true;
  #closed = false;

  constructor(
    clock: VirtualClock,
    callback: Callback,
    values: readonly unknown[],
    delayMs: number | undefined,
    repeats: boolean,
  ) {
    // Throws here, where the mistake is, such as `setTimeout(load(), 10)`, and not when the timer is due.
    if (typeof callback !== 'function') throw new TypeError('The callback of a timer must be a function');
    this.#clock = clock;
    this.#callback = callback;
    this.#values = values;
    this.#delayMs = nodeDelayMs(delayMs);
    this.#repeats = repeats;
    this.#timer = this.#arm();
  }

  #arm(): Timer {
    const timer = this.#clock.setTimer(() => {
      if (this.#repeats) this.refresh();
      this.#callback(...this.#values);
    }, this.#delayMs);
    if (!this.#referenced) timer.unref?.();
    return timer;
  }

  refresh(): this {
    if (this.#closed) return this;
    this.#timer.cancel();
    this.#timer = this.#arm();
    return this;
  }

  close(): this {
    this.#closed = true;
    this.#timer.cancel();
    return this;
  }

  ref(): this {
    this.#referenced = true;
    this.#timer.ref?.();
    return this;
  }

  unref(): this {
    this.#referenced = false;
    this.#timer.unref?.();
    return this;
  }

  hasRef(): boolean {
    return this.#referenced;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Returns the delay that Node uses: 1 ms for a missing one, and for one below 1 ms or above its maximum. */
function nodeDelayMs(delayMs: number | undefined): number {
  const wholeMs = Math.trunc(Number(delayMs ?? 1));
  return wholeMs >= 1 && wholeMs <= 2_147_483_647 ? wholeMs : 1;
}

/** Creates the function that `promisify(setTimeout)` returns. */
function promisifiedSetTimeout(clock: VirtualClock) {
  return async <T>(delayMs?: number, value?: T, options: { signal?: AbortSignal } = {}): Promise<T | undefined> => {
    await clock.sleep(nodeDelayMs(delayMs), options.signal);
    return value;
  };
}

function virtualDate(clock: VirtualClock): DateConstructor {
  return new Proxy(Date, {
    construct: (date, values, target) =>
      Reflect.construct(date, values.length === 0 ? [clock.now()] : values, target) as Date,
    apply: (date) => new date(clock.now()).toString(),
    get: (date, name, receiver): unknown => (name === 'now' ? () => clock.now() : Reflect.get(date, name, receiver)),
  });
}
