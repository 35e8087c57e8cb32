/**
 * Keeps to what a server says it has left. While more than half of the most that it ever had is left, requests go as they
 * come; what is left after that is spread over the time until there is more, so that nobody has to be refused. What was
 * sent after the request that is answered counts as spent: the server may not have counted it when it answered.
 *
 * Half of the most that was left, and not of the limit: a bucket of 20 that is refilled 100 times a second says that its
 * limit is 100. Below half, a bucket is spent more slowly than it is refilled, since it tells whole seconds until it is
 * full; so it stays around half, which uses all of the limit and leaves room for what nobody foresees.
 */
import type { ServerLimit } from '../headers/parse-rate-limit.ts';

/** One limit, as far as it is known. */
interface KnownLimit {
  readonly name: string;
  readonly limit: number;
  readonly most: number;
  left: number;
  readonly resetsAt: number;
}

/** What holds the next request back. */
export interface Hold {
  readonly policy: string;
  readonly limit: number;
  readonly remaining: number;
  /** When it may go. */
  readonly until: number;
}

/** A server is not believed to have more limits than this. */
const MOST_LIMITS = 16;
const PLENTY = 0.5;

export class ServerPace {
  #limits: readonly KnownLimit[] = [];
  #sentAt = -Infinity;
  #learned = 0;

  /**
   * @param number - which request is answered, counted from 1
   * @param sent - requests that were sent so far
   */
  learn(said: readonly ServerLimit[], number: number, sent: number, now: number): void {
    // An answer that was overtaken tells what was before.
    if (number < this.#learned) return;
    const known = said.slice(0, MOST_LIMITS).flatMap((one) => {
      if (one.resetAfterMs === undefined || !countsRequests(one)) return [];
      const before = this.#limits.find(({ name }) => name === one.name);
      const most = Math.max(before?.most ?? 0, one.remaining + 1);
      const left = Math.max(0, one.remaining - (sent - number));
      return [{ name: one.name, limit: one.limit ?? most, most, left, resetsAt: now + one.resetAfterMs }];
    });
    if (known.length === 0) return;
    this.#limits = known;
    this.#learned = number;
  }

  sent(now: number): void {
    this.#sentAt = now;
    for (const known of this.#limits) if (now < known.resetsAt) known.left--;
  }

  /** What holds the next request back the longest, if anything does. */
  hold(now: number): Hold | undefined {
    let hold: Hold | undefined;
    for (const { name, limit, most, left, resetsAt } of this.#limits) {
      const until = this.#goesAt(most, left, resetsAt, now);
      if (until > now && until > (hold?.until ?? now)) {
        hold = { policy: name, limit, remaining: Math.max(0, left), until };
      }
    }
    return hold;
  }

  #goesAt(most: number, left: number, resetsAt: number, now: number): number {
    if (now >= resetsAt || left > most * PLENTY) return now;
    if (left <= 0) return resetsAt;
    return this.#sentAt + (resetsAt - this.#sentAt) / (left + 1);
  }
}

/** Bytes and requests at a time are something else. */
function countsRequests({ unit = 'requests' }: ServerLimit): boolean {
  return unit === 'requests' || unit === 'request';
}
