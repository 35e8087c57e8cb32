/* eslint-disable no-restricted-globals -- It replaces what they name. */
import type { Timer } from '@macadam/core';
import type { VirtualClock } from './virtual-clock.ts';

/**
 * Puts the clock behind the globals `setTimeout`, `setInterval` and their opposites, `Date` and `performance.now`,
 * until the result is disposed: for code of others that takes no clock, such as the waits of p-retry or the `delay` of
 * undici's `MockAgent`. It reaches code that looks the global up when it calls it; not `node:timers` and
 * `node:timers/promises`, `AbortSignal.timeout`, `setImmediate`, or a reference taken earlier.
 *
 * @example
 * using globals = useVirtualGlobals(clock);
 * await clock.runUntil(pRetry(load, { minTimeout: 1_000 }));
 */
export function useVirtualGlobals(clock: VirtualClock): Disposable {
  const { setTimeout, clearTimeout, setInterval, clearInterval, Date } = globalThis;
  const originals = { setTimeout, clearTimeout, setInterval, clearInterval, Date };
  const { now } = performance;
  const clear = (handle: unknown): void => {
    if (handle instanceof VirtualTimeout) handle.close();
    else clearTimeout(handle as NodeJS.Timeout);
  };
  Object.assign(globalThis, {
    setTimeout: (callback: Callback, delayMs?: number, ...values: unknown[]) =>
      new VirtualTimeout(clock, () => callback(...values), delayMs, false),
    setInterval: (callback: Callback, delayMs?: number, ...values: unknown[]) =>
      new VirtualTimeout(clock, () => callback(...values), delayMs, true),
    clearTimeout: clear,
    clearInterval: clear,
    Date: virtualDate(clock),
  });
  performance.now = () => clock.monotonic();
  return {
    [Symbol.dispose]() {
      Object.assign(globalThis, originals);
      performance.now = now;
    },
  };
}

type Callback = (...values: unknown[]) => void;

/** The handle that Node's `setTimeout` returns, as far as code in the field uses it. */
class VirtualTimeout implements Disposable {
  readonly #clock: VirtualClock;
  readonly #callback: () => void;
  readonly #delayMs: number;
  readonly #repeats: boolean;
  #timer: Timer;
  #referenced = true;

  constructor(clock: VirtualClock, callback: () => void, delayMs: number | undefined, repeats: boolean) {
    this.#clock = clock;
    this.#callback = callback;
    // What Node does with a delay it cannot hold, and with none: a millisecond.
    const wanted = Math.trunc(Number(delayMs ?? 1));
    this.#delayMs = wanted >= 1 && wanted <= 2_147_483_647 ? wanted : 1;
    this.#repeats = repeats;
    this.#timer = this.#arm();
  }

  #arm(): Timer {
    const timer = this.#clock.setTimer(() => {
      if (this.#repeats) this.refresh();
      this.#callback();
    }, this.#delayMs);
    if (!this.#referenced) timer.unref?.();
    return timer;
  }

  refresh(): this {
    this.#timer.cancel();
    this.#timer = this.#arm();
    return this;
  }

  close(): this {
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

function virtualDate(clock: VirtualClock): DateConstructor {
  return new Proxy(Date, {
    construct: (date, values, target) =>
      Reflect.construct(date, values.length === 0 ? [clock.now()] : values, target) as Date,
    apply: (date) => new date(clock.now()).toString(),
    get: (date, name, receiver): unknown => (name === 'now' ? () => clock.now() : Reflect.get(date, name, receiver)),
  });
}
