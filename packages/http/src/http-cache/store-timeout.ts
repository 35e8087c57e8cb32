import { onAbort, type Clock } from '@macadam/core';
import type { AttemptLog } from '../attempts.ts';
import type { PreparedRequest } from '../request.ts';

/** The longest that one call waits for the store, over all its operations. Source: the time limit of one operation. */
const TOTAL_TIMEOUT_MS = 250;

/**
 * Limits how long one call waits for a remote store: not beyond the time limit of the call, and not after its caller has
 * aborted it. Operations of the store that a call stops waiting for go on.
 */
export class StoreTimeout {
  readonly #request: PreparedRequest;
  readonly #log: AttemptLog;
  readonly #defaultTimeoutMs: number;
  readonly #clock: Clock;
  #waitedMs = 0;

  /** @param defaultTimeoutMs - the time limit of a call that sets none itself */
  constructor(request: PreparedRequest, log: AttemptLog, defaultTimeoutMs: number, clock: Clock) {
    this.#request = request;
    this.#log = log;
    this.#defaultTimeoutMs = defaultTimeoutMs;
    this.#clock = clock;
  }

  /**
   * Resolves with the result of `promise`, or with undefined when that takes too long.
   *
   * @param share - how much of the time that the call has left may be used
   */
  wait<T>(promise: Promise<T>, share = 1): Promise<T | undefined> {
    const { execution, work } = this.#request;
    const startedAt = this.#clock.monotonic();
    const remainingMs = Math.min(this.#remainingMs, work?.deadline?.remainingMs() ?? Infinity);
    const limitMs = Math.max(0, Math.min(remainingMs * share, TOTAL_TIMEOUT_MS - this.#waitedMs));
    return new Promise((resolve, reject) => {
      let isOver = false;
      const end = (): void => {
        // Runs a second time when the promise settles after the wait was given up.
        if (!isOver) this.#waitedMs += this.#clock.monotonic() - startedAt;
        isOver = true;
        timer.cancel();
        for (const unsubscribe of unsubscribes) unsubscribe();
      };
      const stopWaiting = (): void => {
        resolve(undefined);
        end();
      };
      const unsubscribes: (() => void)[] = [];
      const timer = this.#clock.setTimer(stopWaiting, limitMs);
      for (const signal of [execution.signal, work?.cancellation]) unsubscribes.push(onAbort(signal, stopWaiting));
      promise.then(resolve, reject).finally(end);
    });
  }

  /** The request, limited to the time that its call has left. */
  withRemainingTime(request: PreparedRequest): PreparedRequest {
    const { execution } = request;
    const remainingMs = Math.ceil(this.#remainingMs);
    if (remainingMs >= (execution.timeoutMs ?? this.#defaultTimeoutMs)) return request;
    this.#log.limitedFrom = this.#clock.monotonic();
    // Above zero even when no time is left: the timeout policy of the call then reports the timeout.
    return { ...request, execution: { ...execution, timeoutMs: Math.max(remainingMs, Number.MIN_VALUE) } };
  }

  get #remainingMs(): number {
    const { timeoutMs = this.#defaultTimeoutMs } = this.#request.execution;
    return timeoutMs - (this.#clock.monotonic() - this.#log.startedAt);
  }
}
