import { Expiring, ExpiryQueue, isMacadamError, TimeoutError } from '@macadam/core';
import { circuitBreaker, consecutiveFailures, failureRate, type CircuitBreaker } from '@macadam/resilience';
import { recordCall, type Ended } from './instruments.ts';
import type { CacheSettings } from './options.ts';
import type { Tier } from './tier.ts';

/** What a breaker of a tier is when nothing else is said. Source: the defaults of the resilience package, faster to notice. */
const BREAKER = {
  trip: [consecutiveFailures({ count: 5 }), failureRate({ ratio: 0.5, windowMs: 10_000, minimumCalls: 20 })],
  openMs: 1_000,
  maxOpenMs: 30_000,
  halfOpenProbes: 1,
  captureStack: false,
};

/**
 * Calls to a tier, each within a time limit of our own: what drivers call a timeout is often none, or covers only commands that
 * were not sent yet. While calls fail, a breaker answers in their place.
 */
export class TierCalls {
  readonly #tier: Tier;
  readonly #settings: CacheSettings;
  readonly #limits: ExpiryQueue;
  readonly #breaker: CircuitBreaker | undefined;
  calls = 0;
  errors = 0;
  timeouts = 0;
  /** Not made, because the breaker was open. */
  refused = 0;

  constructor(tier: Tier, settings: CacheSettings) {
    const { clock, random, name } = settings;
    this.#tier = tier;
    this.#settings = settings;
    this.#limits = new ExpiryQueue(clock);
    if (tier.circuitBreaker !== false) {
      this.#breaker = circuitBreaker({ ...BREAKER, name: `cache ${name}`, clock, random, ...tier.circuitBreaker });
    }
  }

  get admits(): boolean {
    return this.#breaker?.admits !== false;
  }

  /** The tier is known to answer again: what is waiting for it need not wait until the breaker tries. */
  admit(): void {
    this.#breaker?.reset();
  }

  /** Rejects when the tier fails, is out of time, or is not asked. `late` is given an answer that nobody waits for any more. */
  run<R>(
    call: (onAnswer: () => void) => Promise<R>,
    timeoutMs: number = this.#tier.timeoutMs,
    late?: (answer: R) => void,
  ): Promise<R> {
    return new Promise((resolve, reject) => {
      const one: TierCall<R> = { call, resolve, reject, late: (answer) => late?.(answer) };
      this.runTogether([one], timeoutMs);
    });
  }

  /** Calls that are asked for together are so for the breaker and the time limit, too: one counts as much as all of them. */
  runTogether<R>(calls: readonly TierCall<R>[], timeoutMs: number): void {
    const { clock } = this.#settings;
    const begunAt = clock.monotonic();
    const group = new Group(calls, timeoutMs, (error) => this.#count(begunAt, error));
    const send = (): Promise<void> => {
      this.calls += calls.length;
      this.#limits.add(group.beginAt(begunAt), begunAt);
      return group.send(() => this.#beginAnew(group)).finally(() => this.#limits.remove(group));
    };
    const sent = this.#breaker === undefined ? send() : this.#breaker.execute(send);
    sent.catch((error: Error) => group.endAll(error));
  }

  /** The next round trip has as much time as the one that was answered. */
  #beginAnew<R>(group: Group<R>): void {
    if (group.place < 0) return;
    const now = this.#settings.clock.monotonic();
    this.#limits.remove(group);
    this.#limits.add(group.beginAt(now), now);
  }

  #count(begunAt: number, error: unknown): void {
    const { clock, name } = this.#settings;
    recordCall(name, clock, begunAt, error === undefined ? 'ok' : this.#countFailed(error));
  }

  #countFailed(error: unknown): Ended {
    if (isMacadamError(error, 'MAC_CIRCUIT_OPEN')) {
      this.refused++;
      return 'refused';
    }
    if (isMacadamError(error, 'MAC_TIMEOUT')) {
      this.timeouts++;
      return 'timeout';
    }
    this.errors++;
    return 'failed';
  }
}

/** One call, and whoever waits for it. */
export interface TierCall<R> {
  /** `onAnswer` is for what takes several round trips: one of them was answered, and the next one begins. */
  call(onAnswer: () => void): Promise<R>;
  resolve(answer: R): void;
  reject(error: unknown): void;
  /** Given an answer for which nobody waits any more. */
  late(answer: R): void;
}

/** Calls under one time limit. It has failed when none of them was answered: a part of the tier may be down. */
class Group<R> extends Expiring {
  readonly #calls: readonly TierCall<R>[];
  readonly #timeoutMs: number;
  readonly #onEnd: (error?: Error) => void;
  readonly #ended: boolean[] = [];
  #open: number;
  #answered = false;
  #resolve!: () => void;
  #reject!: (error: Error) => void;

  constructor(calls: readonly TierCall<R>[], timeoutMs: number, onEnd: (error?: Error) => void) {
    super();
    this.#calls = calls;
    this.#timeoutMs = timeoutMs;
    this.#onEnd = onEnd;
    this.#open = calls.length;
  }

  beginAt(now: number): this {
    this.expiresAt = now + this.#timeoutMs;
    return this;
  }

  send(onAnswer: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      for (let i = 0; i < this.#calls.length; i++) {
        const one = this.#calls[i] as TierCall<R>;
        one.call(onAnswer).then(
          (answer) => this.#answer(i, one, answer),
          (error: Error) => this.#fail(i, error),
        );
      }
    });
  }

  /** Whoever still waits gets the error. */
  endAll(error: Error): void {
    for (let i = 0; i < this.#calls.length; i++) this.#end(i, error);
  }

  override expire(): void {
    const ms = this.#timeoutMs;
    const error = new TimeoutError(`The shared tier did not answer within ${ms} ms`, ms);
    // Without any answer the breaker hears of it first, and whoever waits next.
    if (!this.#answered) this.#reject(error);
    else this.endAll(error);
  }

  #answer(i: number, one: TierCall<R>, answer: R): void {
    if (this.#ended[i] === true) return one.late(answer);
    this.#answered = true;
    one.resolve(answer);
    this.#end(i);
  }

  #fail(i: number, error: Error): void {
    if (!this.#answered && this.#open === 1) this.#reject(error);
    else this.#end(i, error);
  }

  #end(i: number, error?: Error): void {
    if (this.#ended[i] === true) return;
    this.#ended[i] = true;
    this.#onEnd(error);
    if (error !== undefined) (this.#calls[i] as TierCall<R>).reject(error);
    if (--this.#open === 0) this.#resolve?.();
  }
}
