import { ExpiryQueue, type Clock, type Expiring } from '@macadam/core';
import { SoftTimeout, type SoftTimeoutTarget } from './flight.ts';
import type { CacheSettings } from './options.ts';

/** A flight, as far as its timers go. */
type TimedFlight = Expiring & SoftTimeoutTarget & { softTimeout: SoftTimeout | undefined };

/** The timers of the loads in flight: `loaderTimeoutMs` for each, and `loaderSoftTimeoutMs` for those with a stale value. */
export class LoadTimeouts {
  readonly #queue: ExpiryQueue;
  readonly #clock: Clock;
  readonly #loaderTimeoutMs: number;

  constructor({ clock, loaderTimeoutMs }: CacheSettings) {
    this.#queue = new ExpiryQueue(clock);
    this.#clock = clock;
    this.#loaderTimeoutMs = loaderTimeoutMs;
  }

  start(flight: TimedFlight, requestedAt: number): void {
    flight.expiresAt = requestedAt + this.#loaderTimeoutMs;
    this.#queue.add(flight, requestedAt);
  }

  /** From now on, callers wait at most `waitMs` before they get the stale value. */
  startSoft(flight: TimedFlight, waitMs: number): void {
    if (waitMs >= this.#loaderTimeoutMs) return;
    const now = this.#clock.monotonic();
    flight.softTimeout = new SoftTimeout(flight);
    flight.softTimeout.expiresAt = now + waitMs;
    this.#queue.add(flight.softTimeout, now);
  }

  stop(flight: TimedFlight): void {
    this.#queue.remove(flight);
    if (flight.softTimeout !== undefined) this.#queue.remove(flight.softTimeout);
  }
}
