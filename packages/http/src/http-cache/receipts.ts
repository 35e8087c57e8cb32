import type { Clock } from '@macadam/core';
import type { StoredResponse } from './stored-response.ts';

/**
 * When the responses in memory were received, on the monotonic clock: a wall clock that is set back must not make them
 * younger. This clock means nothing to other processes, so a response from a remote store has no such time.
 */
export class Receipts {
  readonly #clock: Clock;
  readonly #receivedAt = new WeakMap<StoredResponse, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes when a response that is about to be stored was received. An update that makes it no younger leaves that as it is. */
  add(response: StoredResponse, replaced?: StoredResponse): void {
    const isAsOld = replaced !== undefined && replaced.receivedAtMs === response.receivedAtMs;
    const elapsedMs = Math.max(0, this.#clock.now() - response.receivedAtMs);
    const receivedAt = isAsOld ? this.#receivedAt.get(replaced) : undefined;
    this.#receivedAt.set(response, receivedAt ?? this.#clock.monotonic() - elapsedMs);
  }

  /** The time by which to judge a response, in epoch milliseconds: the later one of both clocks. */
  now(response: StoredResponse): number {
    const receivedAt = this.#receivedAt.get(response);
    const now = this.#clock.now();
    if (receivedAt === undefined) return now;
    return Math.max(now, response.receivedAtMs + this.#clock.monotonic() - receivedAt);
  }
}
