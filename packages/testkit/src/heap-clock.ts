import { assertKnownOptions, assertNumber, assertObject, OptionsError, sleepWith, type Timer } from '@macadam/core';
import { VirtualClockError } from './errors.ts';
import { settleEventLoop, turnEventLoop } from './settle.ts';
import { TimerHeap, type HeapEntry } from './timer-heap.ts';
import type { RunUntilOptions, VirtualClock } from './virtual-clock.ts';

/** One day: enough for any test, and few enough timers that a timer which re-arms itself for ever is found within moments. */
const DEFAULT_LIMIT_MS = 86_400_000;
/** After this many timers a long run yields to the event loop, so that the timeout of the test and Ctrl-C still work. */
const STEPS_PER_TURN = 4_096;
/** How many turns of the event loop a promise gets before it counts as stalled. */
const TURNS_BEFORE_STALL = 20;
const MAX_LISTED_TIMERS = 10;

class VirtualTimer implements Timer, HeapEntry {
  readonly dueMs: number;
  readonly order: number;
  readonly callback: () => void;
  readonly #clock: HeapClock;
  place = -1;
  referenced = true;

  constructor(clock: HeapClock, callback: () => void, dueMs: number, order: number) {
    this.#clock = clock;
    this.callback = callback;
    this.dueMs = dueMs;
    this.order = order;
  }

  cancel(): void {
    this.#clock.removeTimer(this);
  }

  unref(): void {
    this.#clock.setReferenced(this, false);
  }

  ref(): void {
    this.#clock.setReferenced(this, true);
  }
}

/** Implements {@link VirtualClock} with a heap of timers. */
export class HeapClock implements VirtualClock {
  readonly #heap = new TimerHeap<VirtualTimer>();
  readonly #settle: () => Promise<void>;
  #monotonicMs: number;
  #epochOffsetMs: number;
  #timersSet = 0;
  #unreferencedTimers = 0;
  #isMoving = false;

  constructor(startMs: number, now: number, settle: () => Promise<void>) {
    this.#monotonicMs = startMs;
    this.#epochOffsetMs = now - startMs;
    this.#settle = settle;
  }

  now(): number {
    return Math.floor(this.#monotonicMs + this.#epochOffsetMs);
  }

  monotonic(): number {
    return this.#monotonicMs;
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    // NaN and negative delays mean "as soon as possible", as they do for the system clock.
    const dueMs = delayMs > 0 ? this.#monotonicMs + delayMs : this.#monotonicMs;
    const timer = new VirtualTimer(this, callback, dueMs, this.#timersSet++);
    this.#heap.add(timer);
    return timer;
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepWith(this, delayMs, signal);
  }

  async advance(ms: number): Promise<void> {
    assertNumber('advance.ms', ms, { min: 0 });
    await this.#exclusively('advance', async () => {
      const untilMs = this.#monotonicMs + ms;
      await this.#settle();
      for (let steps = 1; this.#runNext(untilMs); steps++) {
        await (steps % STEPS_PER_TURN === 0 ? settleEventLoop() : this.#settle());
      }
      this.#monotonicMs = untilMs;
    });
  }

  advanceSync(ms: number): void {
    assertNumber('advanceSync.ms', ms, { min: 0 });
    this.#beginMove('advanceSync');
    try {
      const untilMs = this.#monotonicMs + ms;
      while (this.#runNext(untilMs));
      this.#monotonicMs = untilMs;
    } finally {
      this.#isMoving = false;
    }
  }

  advanceToNext(): Promise<boolean> {
    return this.#exclusively('advanceToNext', async () => {
      await this.#settle();
      const ran = this.#runNext(Number.MAX_VALUE);
      if (ran) await this.#settle();
      return ran;
    });
  }

  async runUntil<T>(promise: PromiseLike<T>, options: RunUntilOptions = {}): Promise<T> {
    if (typeof (promise as Partial<PromiseLike<T>> | null | undefined)?.then !== 'function') {
      throw new OptionsError('runUntil.promise', promise, 'a promise: what an asynchronous function returned');
    }
    assertObject('runUntil', options);
    assertKnownOptions('runUntil', options, ['limitMs']);
    const { limitMs = DEFAULT_LIMIT_MS } = options;
    assertNumber('runUntil.limitMs', limitMs, { min: 0, infinite: true });
    let settled = false;
    const onSettled = (): void => void (settled = true);
    // Of a thenable, `then` is called once: a query builder runs the query each time.
    const result = Promise.resolve(promise);
    // Observed first: while the clock is advanced, a rejection must not count as unhandled.
    result.then(onSettled, onSettled);
    await this.#exclusively('runUntil', async () => {
      const untilMs = Math.min(this.#monotonicMs + limitMs, Number.MAX_VALUE);
      await this.#settle();
      for (let steps = 1; !settled; steps++) {
        if (this.#runNext(untilMs)) await (steps % STEPS_PER_TURN === 0 ? settleEventLoop() : this.#settle());
        else if (!(await this.#waitForProgress(() => settled))) throw this.#pendingError(untilMs);
      }
    });
    return result;
  }

  settle(): Promise<void> {
    return this.#settle();
  }

  jump(ms: number): void {
    assertNumber('jump.ms', ms);
    this.#epochOffsetMs += ms;
  }

  get pendingTimers(): number {
    return this.#heap.size - this.#unreferencedTimers;
  }

  assertNoTimers(): void {
    const count = this.pendingTimers;
    if (count === 0) return;
    const dueMs = dueTimes(this.#heap.sorted().filter((timer) => timer.referenced));
    const noun = count === 1 ? '1 timer is' : `${count} timers are`;
    const when = dueMs.map((due) => `+${due - this.#monotonicMs}`).join(', ');
    const message = `${noun} still armed, due in ${when}${count > dueMs.length ? ', …' : ''} ms: cancel what was set.`;
    throw new VirtualClockError('MAC_CLOCK_TIMERS_LEFT', message, this.#monotonicMs, dueMs);
  }

  [Symbol.dispose](): void {
    this.assertNoTimers();
  }

  /** Removes a timer that was cancelled or is about to run. */
  removeTimer(timer: VirtualTimer): void {
    if (this.#heap.remove(timer) && !timer.referenced) this.#unreferencedTimers--;
  }

  setReferenced(timer: VirtualTimer, referenced: boolean): void {
    if (timer.referenced === referenced) return;
    timer.referenced = referenced;
    if (timer.place >= 0) this.#unreferencedTimers += referenced ? -1 : 1;
  }

  #runNext(untilMs: number): boolean {
    const timer = this.#heap.first;
    if (timer === undefined || timer.dueMs > untilMs) return false;
    this.removeTimer(timer);
    this.#monotonicMs = timer.dueMs;
    timer.callback();
    return true;
  }

  /** Turns the event loop, since a stream may still set a timer or settle the promise. False if neither happens. */
  async #waitForProgress(isSettled: () => boolean): Promise<boolean> {
    const before = this.#timersSet;
    for (let turn = 0; turn < TURNS_BEFORE_STALL; turn++) {
      await turnEventLoop();
      if (isSettled() || this.#timersSet !== before) return true;
    }
    return false;
  }

  #pendingError(untilMs: number): VirtualClockError {
    const dueMs = dueTimes(this.#heap.sorted()).filter(Number.isFinite);
    if (dueMs.length > 0) {
      const message = `The promise is still pending ${untilMs} ms on the clock, the limit of this run.`;
      return new VirtualClockError('MAC_CLOCK_LIMIT', message, this.#monotonicMs, dueMs);
    }
    const message = `No timer is left and the promise is still pending at ${this.#monotonicMs} ms: it waits for something that this clock does not drive, or for nothing at all.`;
    return new VirtualClockError('MAC_CLOCK_STALLED', message, this.#monotonicMs);
  }

  #beginMove(verb: string): void {
    if (this.#isMoving) {
      const message = `${verb}() was called while the clock is being moved already: await the earlier call first.`;
      throw new VirtualClockError('MAC_CLOCK_BUSY', message, this.#monotonicMs);
    }
    this.#isMoving = true;
  }

  async #exclusively<T>(verb: string, move: () => Promise<T>): Promise<T> {
    this.#beginMove(verb);
    try {
      return await move();
    } finally {
      this.#isMoving = false;
    }
  }
}

function dueTimes(timers: readonly VirtualTimer[]): number[] {
  return timers.slice(0, MAX_LISTED_TIMERS).map((timer) => timer.dueMs);
}
