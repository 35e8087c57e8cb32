import type { Random } from '@macadam/core';
import type { Endpoint } from './endpoint.ts';
import { CONSECUTIVE_FAILURES, INTERVAL_MS, mostEjected, outliersOf, type EjectionReason } from './outliers.ts';

/** Of the ejected so many are looked at for one to send a call to after all. */
const MOST_REPRIEVED = 16;

/** The counts of who ejects none. */
export const NO_EJECTIONS: Readonly<Record<EjectionReason, number>> = {
  consecutiveFailures: 0,
  failureRate: 0,
  successRate: 0,
};

/** Which endpoints are left alone for a while, since they fail far more than the others. There is no timer and no scan. */
export class Ejections {
  /** Had calls in this interval. */
  #active: Endpoint[] = [];
  #intervalEndsAt = -Infinity;
  #ejected: Endpoint[] = [];
  /** How often there was one, by reason. */
  readonly counts: Record<EjectionReason, number> = { ...NO_EJECTIONS };

  /** Takes in how a try at one of `size` endpoints ended. */
  record(endpoint: Endpoint, failed: boolean, size: number, now: number): void {
    if (endpoint.intervalCalls++ === 0) this.#active.push(endpoint);
    if (failed) endpoint.intervalFailures++;
    if (endpoint.consecutiveFailures >= CONSECUTIVE_FAILURES) {
      this.#eject(endpoint, 'consecutiveFailures', size, now);
    }
    if (now >= this.#intervalEndsAt) this.#sweep(size, now);
  }

  /** Where all others would refuse a call, one that was ejected and would not. */
  reprieve(tried: readonly Endpoint[], route: string | undefined, random: Random): Endpoint | undefined {
    const { length } = this.#ejected;
    const from = Math.floor(random() * length);
    let found: Endpoint | undefined;
    for (let i = 0; i < Math.min(length, MOST_REPRIEVED); i++) {
      const one = this.#ejected[(from + i) % length] as Endpoint;
      if (!one.admits(route)) continue;
      if (!tried.includes(one)) return one;
      found = one;
    }
    return found;
  }

  /** Lets go of those that are in the list no more, and of some where too many of those in it would be ejected. */
  relist(size: number): void {
    this.#active = this.#active.filter(({ isListed }) => isListed);
    const ejected = this.#ejected.filter(({ isListed }) => isListed);
    // The one whose time is over first has been left alone for the longest.
    ejected.sort((one, other) => other.ejectedUntil - one.ejectedUntil);
    this.#ejected = ejected.slice(0, mostEjected(size));
    for (const one of ejected.slice(mostEjected(size))) one.ejectedUntil = -Infinity;
  }

  #eject(endpoint: Endpoint, reason: EjectionReason, size: number, now: number): void {
    if (now < endpoint.ejectedUntil) return;
    this.#ejected = this.#ejected.filter(({ ejectedUntil }) => now < ejectedUntil);
    if (this.#ejected.length >= mostEjected(size)) return;
    endpoint.eject(reason, now);
    this.counts[reason]++;
    this.#ejected.push(endpoint);
  }

  /** Compares the endpoints that were called in the last interval. */
  #sweep(size: number, now: number): void {
    const counts = this.#active.map(({ intervalCalls, intervalFailures }) => ({
      calls: intervalCalls,
      failures: intervalFailures,
    }));
    // The first interval has only just begun.
    const outliers = this.#intervalEndsAt === -Infinity ? [] : outliersOf(counts);
    for (const [i, reason] of outliers) this.#eject(this.#active[i] as Endpoint, reason, size, now);
    for (const endpoint of this.#active) endpoint.intervalCalls = endpoint.intervalFailures = 0;
    this.#active = [];
    this.#intervalEndsAt = now + INTERVAL_MS;
  }
}
