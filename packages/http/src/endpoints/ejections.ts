import type { Random } from '@macadam/core';
import type { Endpoint } from './endpoint.ts';
import { CONSECUTIVE_FAILURES, findOutliers, INTERVAL_MS, maxEjected, type EjectionReason } from './outliers.ts';

/** How many ejected endpoints are checked when only an ejected one can take an attempt. */
const MAX_CHECKED = 16;

export const NO_EJECTIONS: Readonly<Record<EjectionReason, number>> = {
  consecutiveFailures: 0,
  failureRate: 0,
  successRate: 0,
};

/**
 * Ejects endpoints that fail far more often than the others. There is no timer: the end of an attempt triggers what is due.
 * Only endpoints that had attempts are looked at, not the whole list.
 */
export class Ejections {
  /** Endpoints with attempts in the current interval. */
  #active: Endpoint[] = [];
  #intervalEndsAt = -Infinity;
  #ejected: Endpoint[] = [];
  /** The number of ejections so far, by reason. */
  readonly counts: Record<EjectionReason, number> = { ...NO_EJECTIONS };

  /** Records the end of an attempt at one of `size` endpoints. */
  recordEnd(endpoint: Endpoint, isFailure: boolean, size: number, now: number): void {
    if (endpoint.intervalCalls++ === 0) this.#active.push(endpoint);
    if (isFailure) endpoint.intervalFailures++;
    if (endpoint.consecutiveFailures >= CONSECUTIVE_FAILURES) {
      this.#eject(endpoint, 'consecutiveFailures', size, now);
    }
    if (now >= this.#intervalEndsAt) this.#endInterval(size, now);
  }

  /** An ejected endpoint whose circuit admits an attempt, for when no other endpoint would; preferably one not attempted yet. */
  pickEjected(attempted: readonly Endpoint[], route: string | undefined, random: Random): Endpoint | undefined {
    const { length } = this.#ejected;
    const start = Math.floor(random() * length);
    let found: Endpoint | undefined;
    for (let i = 0; i < Math.min(length, MAX_CHECKED); i++) {
      const endpoint = this.#ejected[(start + i) % length] as Endpoint;
      if (!endpoint.admits(route)) continue;
      if (!attempted.includes(endpoint)) return endpoint;
      found = endpoint;
    }
    return found;
  }

  /** Forgets endpoints that have left the list, and ends ejections above the maximum for the new `size`. */
  onListChange(size: number): void {
    this.#active = this.#active.filter(({ isListed }) => isListed);
    const ejected = this.#ejected.filter(({ isListed }) => isListed);
    // Those with the least time left come back.
    ejected.sort((a, b) => b.ejectedUntil - a.ejectedUntil);
    this.#ejected = ejected.slice(0, maxEjected(size));
    for (const endpoint of ejected.slice(maxEjected(size))) endpoint.ejectedUntil = -Infinity;
  }

  #eject(endpoint: Endpoint, reason: EjectionReason, size: number, now: number): void {
    if (now < endpoint.ejectedUntil) return;
    this.#ejected = this.#ejected.filter(({ ejectedUntil }) => now < ejectedUntil);
    if (this.#ejected.length >= maxEjected(size)) return;
    endpoint.eject(reason, now);
    this.counts[reason]++;
    this.#ejected.push(endpoint);
  }

  /** Compares the endpoints with attempts in the interval, and begins the next one. */
  #endInterval(size: number, now: number): void {
    const counts = this.#active.map(({ intervalCalls, intervalFailures }) => ({
      calls: intervalCalls,
      failures: intervalFailures,
    }));
    // The very first attempt only begins an interval.
    const outliers = this.#intervalEndsAt === -Infinity ? [] : findOutliers(counts);
    for (const [i, reason] of outliers) this.#eject(this.#active[i] as Endpoint, reason, size, now);
    for (const endpoint of this.#active) endpoint.intervalCalls = endpoint.intervalFailures = 0;
    this.#active = [];
    this.#intervalEndsAt = now + INTERVAL_MS;
  }
}
