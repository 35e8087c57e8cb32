/**
 * Keeps to the quota that a server announces in its rate limit headers. While more than half of the highest `remaining`
 * seen is left, requests are sent at once; below that, they are spread over the time until the reset, so that none is
 * throttled. Requests sent after the one that a response belongs to are subtracted from its `remaining`: the server may
 * not have counted them when it responded.
 *
 * Half of the highest `remaining`, not of the limit: a bucket of 20 that is refilled 100 times per second announces a
 * limit of 100. Below half, a bucket is spent more slowly than it is refilled, because the reset is announced in whole
 * seconds until it is full. So it stays around half, which uses all of the limit and leaves room for bursts.
 */
import type { ServerLimit } from '../headers/parse-rate-limit.ts';

interface TrackedLimit {
  readonly name: string;
  readonly limit: number;
  /** The highest `remaining` that was seen before a request. */
  readonly maxRemaining: number;
  remaining: number;
  readonly resetsAt: number;
}

/** What delays the next request. */
export interface Hold {
  readonly policy: string;
  readonly limit: number;
  readonly remaining: number;
  /** When the request may be sent. */
  readonly until: number;
}

/** Limits of a server beyond this number are ignored. */
const MAX_LIMITS = 16;
/** Above this ratio of `maxRemaining`, requests are not delayed. */
const UNPACED_ABOVE = 0.5;

export class ServerQuota {
  #limits: readonly TrackedLimit[] = [];
  #lastSentAt = -Infinity;
  /** The request whose response `#limits` are from. */
  #updatedBy = 0;

  /**
   * @param number - the request that the response belongs to, counted from 1
   * @param sent - number of requests sent so far
   */
  update(announced: readonly ServerLimit[], number: number, sent: number, now: number): void {
    // Ignores a response that was overtaken by that of a later request.
    if (number < this.#updatedBy) return;
    const limits = announced.slice(0, MAX_LIMITS).flatMap((limit) => {
      if (limit.resetAfterMs === undefined || !countsRequests(limit)) return [];
      const before = this.#limits.find(({ name }) => name === limit.name);
      const maxRemaining = Math.max(before?.maxRemaining ?? 0, limit.remaining + 1);
      const remaining = Math.max(0, limit.remaining - (sent - number));
      const resetsAt = now + limit.resetAfterMs;
      return [{ name: limit.name, limit: limit.limit ?? maxRemaining, maxRemaining, remaining, resetsAt }];
    });
    if (limits.length === 0) return;
    this.#limits = limits;
    this.#updatedBy = number;
  }

  recordSent(now: number): void {
    this.#lastSentAt = now;
    for (const limit of this.#limits) if (now < limit.resetsAt) limit.remaining--;
  }

  /** The limit that delays the next request the longest, if any does. */
  hold(now: number): Hold | undefined {
    let hold: Hold | undefined;
    for (const tracked of this.#limits) {
      const until = this.#nextAt(tracked, now);
      if (until > now && until > (hold?.until ?? now)) {
        const { name, limit, remaining } = tracked;
        hold = { policy: name, limit, remaining: Math.max(0, remaining), until };
      }
    }
    return hold;
  }

  #nextAt({ maxRemaining, remaining, resetsAt }: TrackedLimit, now: number): number {
    if (now >= resetsAt || remaining > maxRemaining * UNPACED_ABOVE) return now;
    if (remaining <= 0) return resetsAt;
    return this.#lastSentAt + (resetsAt - this.#lastSentAt) / (remaining + 1);
  }
}

/** Limits on bytes or on concurrent requests are not paced. */
function countsRequests({ unit = 'requests' }: ServerLimit): boolean {
  return unit === 'requests' || unit === 'request';
}
