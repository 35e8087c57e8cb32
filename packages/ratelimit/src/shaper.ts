import {
  assertClock,
  assertFunction,
  assertInteger,
  assertKnownOptions,
  assertNumber,
  assertObject,
  assertOneOf,
  assertSignal,
  assertText,
  ClosedError,
  currentWork,
  priorities,
  systemClock,
  type Clock,
  type Priority,
} from '@macadam/core';
import { tokenBucket } from './algorithms/token-bucket.ts';
import { assertCallOptions, assertTenant } from './call-options.ts';
import type { ReservableLimit } from './algorithms/limit.ts';
import { OverloadedError, type OverloadReason } from './errors.ts';
import { observe } from './instruments.ts';
import { TurnQueue, type Turn } from './queue/turn-queue.ts';

/** Options of `createShaper`. */
export interface ShaperOptions {
  /** Runs that start per second, 0.001 to 1 000 000; fractions are allowed. */
  ratePerSecond: number;
  /** Runs that may start together after a pause, a whole number from 1 to 1 000 000. Default: 1, an even pace. */
  burst?: number;
  /** Maximum number of runs that wait, 0 to 1 000 000. Default: 1 000. */
  maxQueued?: number;
  /** Name in errors, statistics and metrics. Default: `shaper`. */
  name?: string;
  /** Source of time. Default: the system clock. */
  clock?: Clock;
}

/** Options of `shaper.run`. */
export interface ShapedRunOptions {
  /**
   * The longest wait for the start, in milliseconds, 0 or more. A run that would wait longer is rejected at once.
   * Default: what is left of the deadline of the current unit of work, else 30 000.
   */
  maxWaitMs?: number;
  /** Higher priorities go first. Default: that of the current unit of work, else `normal`. */
  priority?: Priority;
  /** Tenants of the same priority take turns. Default: that of the current unit of work, else none. */
  tenant?: string;
  /** Leaves the queue when it aborts. Default: the signal of the current unit of work. */
  signal?: AbortSignal;
}

/** What a shaper has counted, and its current state. The metrics report the same numbers. */
export interface ShaperStats extends Readonly<Record<string, number>> {
  /** Runs that were started. */
  readonly begun: number;
  /** Runs that wait now. */
  readonly queued: number;
  /** Runs that were rejected at once. */
  readonly refused: number;
  /** Runs that waited and were not started in time. */
  readonly expired: number;
}

/** Starts work at an even pace. Created by `createShaper`. */
export interface Shaper extends AsyncDisposable {
  /** The name from the options. */
  readonly name: string;
  /**
   * Runs `fn` when its turn comes, in the asynchronous context of the caller. Settles as `fn` does.
   * @throws OverloadedError (`MAC_OVERLOADED`) when the queue is full or the wait too long, ClosedError (`MAC_CLOSED`)
   * after `close()`, and the reason of the signal.
   */
  run<T>(fn: () => PromiseLike<T> | T, options?: ShapedRunOptions): Promise<T>;
  /** Returns the effective options in words. */
  describe(): string;
  /** Returns the counts since it was created, and its current state. */
  stats(): ShaperStats;
  /** Rejects what waits and every later call with `MAC_CLOSED`. */
  close(): Promise<void>;
}

const DEFAULT_DEADLINE_MS = 30_000;
const RUN_OPTIONS = ['maxWaitMs', 'priority', 'tenant', 'signal'] as const;

class TokenShaper implements Shaper {
  readonly name: string;
  readonly #settings: Required<ShaperOptions>;
  readonly #rate: ReservableLimit;
  /** The state of `#rate`. */
  readonly #state: number[] = [0, 0];
  readonly #queue: TurnQueue;
  #closed = false;
  #begun = 0;
  #refused = 0;
  #expired = 0;

  constructor(options: ShaperOptions) {
    const settings = shaperSettings(options);
    this.#settings = settings;
    this.name = settings.name;
    // A bucket refills a whole number of tokens per period, so the period takes the fraction of the rate.
    const limit = Math.ceil(settings.ratePerSecond);
    const periodMs = (limit * 1_000) / settings.ratePerSecond;
    this.#rate = tokenBucket({ limit, periodMs, burst: settings.burst });
    this.#queue = new TurnQueue(
      settings.clock,
      (turn, now) => this.#expiredError(turn, now),
      (now) => this.#grantTurns(now),
    );
  }

  async run<T>(fn: () => PromiseLike<T> | T, options: ShapedRunOptions = {}): Promise<T> {
    assertFunction('run.fn', fn);
    assertCallOptions('run', options, RUN_OPTIONS);
    const work = currentWork();
    const { maxWaitMs = work?.deadline?.remainingMs() ?? DEFAULT_DEADLINE_MS } = options;
    const { priority = work?.priority ?? 'normal', tenant = work?.tenant ?? '' } = options;
    const { signal = work?.cancellation } = options;
    assertNumber('run.maxWaitMs', maxWaitMs, { min: 0, infinite: true });
    assertOneOf('run.priority', priority, priorities);
    assertTenant('run.tenant', tenant);
    assertSignal('run.signal', signal);
    signal?.throwIfAborted();
    const now = this.#settings.clock.monotonic();
    if (this.#closed) throw this.#closedError();
    if (this.#queue.size === 0 && this.#tryStart(now)) return await fn();
    this.#assertRoom(priority, maxWaitMs, now);
    const turn = this.#queue.wait({ priority, tenant, now, maxWaitMs, signal });
    this.#grantTurns(now);
    await turn;
    return await fn();
  }

  describe(): string {
    const { name, ratePerSecond, burst, maxQueued } = this.#settings;
    return `shaper "${name}": ${ratePerSecond} a second, ${burst} at once, ${maxQueued} queued at most`;
  }

  stats(): ShaperStats {
    return { begun: this.#begun, queued: this.#queue.size, refused: this.#refused, expired: this.#expired };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#queue.rejectAll(() => this.#closedError());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Takes a token for one run, if there is one. */
  #tryStart(now: number): boolean {
    if (!this.#rate.look(this.#state, 0, now, 1).allowed) return false;
    this.#rate.commit(this.#state, 0, now, 1, 0);
    this.#begun++;
    return true;
  }

  /** Rejects a run whose expected wait is too long, or for which the queue has no room. */
  #assertRoom(priority: Priority, maxWaitMs: number, now: number): void {
    const waitMs = this.#rate.waitMs(this.#state, 0, now, this.#queue.countAhead(priority) + 1);
    if (waitMs > maxWaitMs) {
      this.#refused++;
      const why = `could start it in ${waitMs} ms only, after its limit of ${Math.round(maxWaitMs)} ms`;
      throw this.#overloaded('deadline', priority, why, now, waitMs - maxWaitMs);
    }
    if (this.#queue.size < this.#settings.maxQueued) return;
    const rejectFull = (turn: Pick<Turn, 'priority'>): OverloadedError => {
      this.#refused++;
      return this.#overloaded('full', turn.priority, `has ${this.#settings.maxQueued} queued`, now);
    };
    if (!this.#queue.evictLowerPriority(priority, rejectFull)) throw rejectFull({ priority });
  }

  /** Starts queued runs while there are tokens, and sets a timer for the next token. */
  #grantTurns(now: number): void {
    while (this.#queue.size > 0 && this.#tryStart(now)) this.#queue.next('fifo')?.grant();
    if (this.#queue.size > 0) this.#queue.wakeAt(now + this.#rate.waitMs(this.#state, 0, now, 1), now);
  }

  #expiredError(turn: Turn, now: number): OverloadedError {
    this.#expired++;
    const waitedMs = Math.round(now - turn.queuedAt);
    return this.#overloaded('deadline', turn.priority, `did not start it within ${waitedMs} ms`, now);
  }

  #closedError(): ClosedError {
    return new ClosedError(`Shaper "${this.name}"`);
  }

  #overloaded(reason: OverloadReason, priority: Priority, why: string, now: number, afterMs?: number): OverloadedError {
    const { name } = this.#settings;
    const retryAfterMs = afterMs ?? this.#rate.waitMs(this.#state, 0, now, this.#queue.size + 1);
    return new OverloadedError(`Shaper "${name}" ${why}`, { reason, priority, retryAfterMs });
  }
}

function shaperSettings(options: ShaperOptions): Required<ShaperOptions> {
  const path = 'createShaper';
  assertObject(path, options);
  assertKnownOptions(path, options, ['ratePerSecond', 'burst', 'maxQueued', 'name', 'clock']);
  const { ratePerSecond, burst = 1, maxQueued = 1_000, name = 'shaper', clock = systemClock } = options;
  assertNumber(`${path}.ratePerSecond`, ratePerSecond, { min: 0.001, max: 1e6 });
  assertInteger(`${path}.burst`, burst, { min: 1, max: 1e6 });
  assertInteger(`${path}.maxQueued`, maxQueued, { min: 0, max: 1e6 });
  assertText(`${path}.name`, name);
  assertClock(`${path}.clock`, clock);
  return { ratePerSecond, burst, maxQueued, name, clock };
}

/**
 * Creates a shaper, which starts work at an even pace, for a dependency that allows a number of calls per second. What
 * arrives faster waits in a bounded queue, the most important first, tenants in turn. No wait is without an end.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { createShaper } from '@macadam/ratelimit';
 *
 * const mails = createShaper({ ratePerSecond: 100, maxQueued: 1_000 });
 * await mails.run(async () => 'sent', { maxWaitMs: 5_000, priority: 'high' });
 * ```
 */
export function createShaper(options: ShaperOptions): Shaper {
  const shaper = new TokenShaper(options);
  observe('shaper', shaper.name, shaper);
  return shaper;
}
