import { Expiring, ExpiryQueue, isMacadamError, runDetached, TimeoutError } from '@macadam/core';
import { circuitBreaker, consecutiveFailures, failureRate, type CircuitBreaker } from '@macadam/resilience';
import { recordCall, type CallOutcome } from './instruments.ts';
import type { CacheSettings } from './options.ts';
import type { Tier } from './tier.ts';

/**
 * The circuit breaker in front of a tier: the defaults of the resilience package, with trip rules that notice faster.
 */
const DEFAULT_BREAKER = {
  trip: [consecutiveFailures({ count: 5 }), failureRate({ ratio: 0.5, windowMs: 10_000, minimumCalls: 20 })],
  openMs: 1_000,
  maxOpenMs: 30_000,
  halfOpenProbes: 1,
  captureStack: false,
};

/**
 * Calls to a tier, each within our own time limit: what drivers call a timeout is often none, or covers only commands
 * that were not sent yet. While calls fail, a circuit breaker rejects them at once.
 */
export class TierCalls {
  readonly #tier: Tier;
  readonly #settings: CacheSettings;
  readonly #deadlines: ExpiryQueue;
  readonly #breaker: CircuitBreaker | undefined;
  calls = 0;
  errors = 0;
  timeouts = 0;
  /** Not sent, because the breaker was open. */
  refused = 0;

  constructor(tier: Tier, settings: CacheSettings) {
    const { clock, random, name } = settings;
    this.#tier = tier;
    this.#settings = settings;
    this.#deadlines = new ExpiryQueue(clock);
    if (tier.circuitBreaker !== false) {
      this.#breaker = circuitBreaker({
        ...DEFAULT_BREAKER,
        name: `cache ${name}`,
        clock,
        random,
        ...tier.circuitBreaker,
      });
    }
  }

  get admits(): boolean {
    return this.#breaker?.admits !== false;
  }

  /** Closes the breaker, because the tier is known to respond again: no need to wait for the next probe. */
  resetBreaker(): void {
    this.#breaker?.reset();
  }

  /**
   * Rejects when the tier fails, exceeds the time limit, or is not called because the breaker is open. `onLate`
   * receives a result that arrives after the time limit.
   */
  run<R>(
    call: (onAnswer: () => void) => Promise<R>,
    timeoutMs: number = this.#tier.timeoutMs,
    onLate?: (result: R) => void,
  ): Promise<R> {
    return new Promise((resolve, reject) => {
      const tierCall: TierCall<R> = { call, resolve, reject, resolveLate: (result) => onLate?.(result) };
      this.runTogether([tierCall], timeoutMs);
    });
  }

  /**
   * Sends calls together, under one time limit. They count as one for the breaker: one success outweighs any number of
   * failures.
   */
  runTogether<R>(calls: readonly TierCall<R>[], timeoutMs: number): void {
    const { clock } = this.#settings;
    const startedAt = clock.monotonic();
    const group = new CallGroup(calls, timeoutMs, (error) => this.#count(startedAt, error));
    const send = (): Promise<void> => {
      this.calls += calls.length;
      this.#deadlines.add(group.startAt(startedAt), startedAt);
      return group.send(() => this.#restartTimeout(group)).finally(() => this.#deadlines.remove(group));
    };
    const breaker = this.#breaker;
    // The call belongs to everybody in the group: the deadline and signal of whoever came first must not end it.
    const sent = runDetached(() => (breaker === undefined ? send() : breaker.execute(send)));
    sent.catch((error: Error) => group.endAll(error));
  }

  /** Each round trip of a call has the whole time limit to itself. */
  #restartTimeout<R>(group: CallGroup<R>): void {
    if (group.place < 0) return;
    const now = this.#settings.clock.monotonic();
    this.#deadlines.remove(group);
    this.#deadlines.add(group.startAt(now), now);
  }

  #count(startedAt: number, error: unknown): void {
    const { clock, name } = this.#settings;
    recordCall(name, clock, startedAt, error === undefined ? 'ok' : this.#countFailure(error));
  }

  #countFailure(error: unknown): CallOutcome {
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

/** One call, and the callbacks for its result. */
export interface TierCall<R> {
  /** `onAnswer` is for calls of several round trips: one was answered, and the next one starts. */
  call(onAnswer: () => void): Promise<R>;
  resolve(result: R): void;
  reject(error: unknown): void;
  /** Receives a result that arrives after the call was rejected. */
  resolveLate(result: R): void;
}

/**
 * Calls under one time limit. The group fails when no call succeeded: one failure may only mean that a part of the tier
 * is down.
 */
class CallGroup<R> extends Expiring {
  readonly #calls: readonly TierCall<R>[];
  readonly #timeoutMs: number;
  readonly #onEnd: (error?: Error) => void;
  readonly #ended: boolean[] = [];
  #pending: number;
  #anySucceeded = false;
  #resolve!: () => void;
  #reject!: (error: Error) => void;

  constructor(calls: readonly TierCall<R>[], timeoutMs: number, onEnd: (error?: Error) => void) {
    super();
    this.#calls = calls;
    this.#timeoutMs = timeoutMs;
    this.#onEnd = onEnd;
    this.#pending = calls.length;
  }

  startAt(now: number): this {
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
          (result) => this.#succeed(i, one, result),
          (error: Error) => this.#fail(i, error),
        );
      }
    });
  }

  /** Rejects the calls that have no result yet. */
  endAll(error: Error): void {
    for (let i = 0; i < this.#calls.length; i++) this.#endCall(i, error);
  }

  override expire(): void {
    const ms = this.#timeoutMs;
    const error = new TimeoutError(`The shared tier did not answer within ${ms} ms`, ms);
    // Without any success, the breaker learns of the timeout first and rejects the calls through `execute`.
    if (!this.#anySucceeded) this.#reject(error);
    else this.endAll(error);
  }

  #succeed(i: number, one: TierCall<R>, result: R): void {
    if (this.#ended[i] === true) return one.resolveLate(result);
    this.#anySucceeded = true;
    one.resolve(result);
    this.#endCall(i);
  }

  #fail(i: number, error: Error): void {
    if (!this.#anySucceeded && this.#pending === 1) this.#reject(error);
    else this.#endCall(i, error);
  }

  #endCall(i: number, error?: Error): void {
    if (this.#ended[i] === true) return;
    this.#ended[i] = true;
    this.#onEnd(error);
    if (error !== undefined) (this.#calls[i] as TierCall<R>).reject(error);
    if (--this.#pending === 0) this.#resolve?.();
  }
}
