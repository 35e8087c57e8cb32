import { onAbort, type Clock } from '@macadam/core';
import type { AttemptLog } from '../attempts.ts';
import type { PreparedRequest } from '../request.ts';

/**
 * How long a call waits for a store in another process: no longer than the call may take, and not for somebody who has left.
 * What the store was asked to do goes on all the same.
 */
export class Patience {
  readonly #request: PreparedRequest;
  readonly #log: AttemptLog;
  readonly #usualMs: number;
  readonly #clock: Clock;

  /** @param usualMs - how long a call may take that does not say so itself */
  constructor(request: PreparedRequest, log: AttemptLog, usualMs: number, clock: Clock) {
    this.#request = request;
    this.#log = log;
    this.#usualMs = usualMs;
    this.#clock = clock;
  }

  /**
   * What `promise` resolves with; undefined when that takes too long.
   *
   * @param share - of the time that is left
   */
  wait<T>(promise: Promise<T>, share = 1): Promise<T | undefined> {
    const { execution, work } = this.#request;
    return new Promise((resolve, reject) => {
      const giveUp = (): void => resolve(undefined);
      const leftMs = Math.min(this.#leftMs, work?.deadline?.remainingMs() ?? Infinity);
      const timer = this.#clock.setTimer(giveUp, Math.max(0, leftMs * share));
      const unsubscribe = [execution.signal, work?.cancellation].map((signal) => onAbort(signal, giveUp));
      const end = (): void => {
        timer.cancel();
        for (const one of unsubscribe) one();
      };
      promise.then(resolve, reject).finally(end);
    });
  }

  /** The request with what is left of its time, counted from now. */
  shortened(request: PreparedRequest): PreparedRequest {
    const { execution } = request;
    const leftMs = Math.ceil(this.#leftMs);
    if (leftMs >= (execution.timeoutMs ?? this.#usualMs)) return request;
    this.#log.limitedFrom = this.#clock.monotonic();
    // Never none: that the time is over is for the time limit of the call to say.
    return { ...request, execution: { ...execution, timeoutMs: Math.max(leftMs, Number.MIN_VALUE) } };
  }

  get #leftMs(): number {
    const { timeoutMs = this.#usualMs } = this.#request.execution;
    return timeoutMs - (this.#clock.monotonic() - this.#log.startedAt);
  }
}
