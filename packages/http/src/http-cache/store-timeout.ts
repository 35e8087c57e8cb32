import { onAbort, type Clock } from '@macadam/core';
import type { AttemptLog } from '../attempts.ts';
import type { PreparedRequest } from '../request.ts';

/** All in all, so long is waited for a store. Source: what the store has for one of the things it is asked. */
const STORE_TIMEOUT_MS = 250;

/**
 * How long a call waits for a store in another process: no longer than the call may take, and not for somebody who has left.
 * What the store was asked to do goes on all the same.
 */
export class StoreTimeout {
  readonly #request: PreparedRequest;
  readonly #log: AttemptLog;
  readonly #usualMs: number;
  readonly #clock: Clock;
  #waitedMs = 0;

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
    const began = this.#clock.monotonic();
    const leftMs = Math.min(this.#leftMs, work?.deadline?.remainingMs() ?? Infinity);
    const limitMs = Math.max(0, Math.min(leftMs * share, STORE_TIMEOUT_MS - this.#waitedMs));
    return new Promise((resolve, reject) => {
      let isOver = false;
      const end = (): void => {
        // What the store does after that is waited for by nobody.
        if (!isOver) this.#waitedMs += this.#clock.monotonic() - began;
        isOver = true;
        timer.cancel();
        for (const one of unsubscribe) one();
      };
      const giveUp = (): void => {
        resolve(undefined);
        end();
      };
      const unsubscribe: (() => void)[] = [];
      const timer = this.#clock.setTimer(giveUp, limitMs);
      for (const signal of [execution.signal, work?.cancellation]) unsubscribe.push(onAbort(signal, giveUp));
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
