import { TimeWindow } from './rate-window.ts';
import type { TripMeter, TripRule } from './trip-rule.ts';

/**
 * A trip rule that keeps its state in a list of numbers shared by all rules of a breaker: `size` numbers from index `at`
 * on. With thousands of breakers, most of the time of a call goes into cache misses for its counts, and one list per
 * breaker has the fewest.
 */
export abstract class CountingRule implements TripRule {
  abstract readonly size: number;
  abstract describe(): string;
  /** As {@link TripMeter.record}. */
  abstract record(list: number[], at: number, failed: boolean, durationMs: number, now: number): boolean;
  abstract reset(list: number[], at: number): void;

  /** Makes a meter with a list of its own. */
  start(): TripMeter {
    const list = createNumbers(this.size);
    return {
      record: (failed, durationMs, now) => this.record(list, 0, failed, durationMs, now),
      reset: () => this.reset(list, 0),
    };
  }
}

/** Returns a list of zeros. Filled with NaN first, so that V8 stores doubles and need not convert it for a time later. */
export function createNumbers(size: number): number[] {
  return new Array<number>(size).fill(NaN).fill(0);
}

/** Failures in a row. */
export class RunRule extends CountingRule {
  readonly size: number = 1;
  readonly #count: number;

  constructor(count: number) {
    super();
    this.#count = count;
  }

  describe(): string {
    return `${this.#count} failures in a row`;
  }

  record(list: number[], at: number, failed: boolean): boolean {
    const failures = failed ? (list[at] as number) + 1 : 0;
    list[at] = failures;
    return failures >= this.#count;
  }

  reset(list: number[], at: number): void {
    list[at] = 0;
  }
}

/** Offsets: the failures in a row so far, how many trip, and the start of the window. */
const FAILURES = 0;
const NEEDED = 1;
const WINDOW = 2;

/** Failures in a row, and at least as many as there were calls in a time window before them. */
export class BusyRunRule extends CountingRule {
  readonly size: number = WINDOW + TimeWindow.SIZE;
  readonly #count: number;
  readonly #busyWindowMs: number;
  readonly #window: TimeWindow;

  constructor(count: number, busyWindowMs: number) {
    super();
    this.#count = count;
    this.#busyWindowMs = busyWindowMs;
    this.#window = new TimeWindow(busyWindowMs);
  }

  describe(): string {
    return `${this.#count} failures in a row, and as many as the calls of the ${this.#busyWindowMs} ms before them`;
  }

  record(list: number[], at: number, failed: boolean, _durationMs: number, now: number): boolean {
    this.#window.add(list, at + WINDOW, failed, now);
    if (!failed) {
      list[at + FAILURES] = 0;
      return false;
    }
    const failures = (list[at + FAILURES] as number) + 1;
    list[at + FAILURES] = failures;
    if (failures === 1) list[at + NEEDED] = Math.max(this.#count, this.#window.total(list, at + WINDOW) - 1);
    return failures >= (list[at + NEEDED] as number);
  }

  reset(list: number[], at: number): void {
    list[at + FAILURES] = 0;
    this.#window.clear(list, at + WINDOW);
  }
}

export interface TimedRate {
  readonly ratio: number;
  readonly minimumCalls: number;
  readonly windowMs: number;
  readonly description: string;
  /** Calls slower than this count, whether or not they succeeded; otherwise failures do. */
  readonly slowerThanMs: number | undefined;
}

/** The ratio of counted calls (failed or slow) in a time window. Only a counted call trips. */
export class TimedRateRule extends CountingRule {
  readonly size: number = TimeWindow.SIZE;
  readonly windowMs: number;
  readonly slowerThanMs?: number;
  readonly timesSuccesses: boolean;
  readonly #rate: TimedRate;
  readonly #window: TimeWindow;

  constructor(rate: TimedRate) {
    super();
    this.#rate = rate;
    this.#window = new TimeWindow(rate.windowMs);
    this.windowMs = rate.windowMs;
    this.timesSuccesses = rate.slowerThanMs !== undefined;
    if (rate.slowerThanMs !== undefined) this.slowerThanMs = rate.slowerThanMs;
  }

  describe(): string {
    return this.#rate.description;
  }

  record(list: number[], at: number, failed: boolean, durationMs: number, now: number): boolean {
    const { ratio, minimumCalls, slowerThanMs } = this.#rate;
    const counted = slowerThanMs === undefined ? failed : durationMs > slowerThanMs;
    this.#window.add(list, at, counted, now);
    if (!counted) return false;
    const total = this.#window.total(list, at);
    return total >= minimumCalls && this.#window.counted(list, at) >= ratio * total;
  }

  reset(list: number[], at: number): void {
    this.#window.clear(list, at);
  }
}
