/**
 * Keeps to what a server says it has left. While more than half of a limit is left, requests go as they come; what is left
 * after that is spread over the time until there is more, so that nobody has to be refused. What is on its way counts as
 * spent: the server may not have counted it when it answered.
 */
import type { ServerLimit } from '../headers/parse-rate-limit.ts';

/** One limit, as far as it is known. */
interface KnownLimit {
  readonly name: string;
  readonly limit: number;
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

  /** @param inFlight - requests the server may not have counted yet */
  learn(said: readonly ServerLimit[], inFlight: number, now: number): void {
    const known = said.slice(0, MOST_LIMITS).flatMap((one) => {
      if (one.resetAfterMs === undefined || !countsRequests(one)) return [];
      const before = this.#limits.find(({ name }) => name === one.name);
      const limit = one.limit ?? Math.max(before?.limit ?? 0, one.remaining + 1);
      const left = Math.max(0, one.remaining - inFlight);
      return [{ name: one.name, limit, left, resetsAt: now + one.resetAfterMs }];
    });
    if (known.length > 0) this.#limits = known;
  }

  sent(now: number): void {
    this.#sentAt = now;
    for (const known of this.#limits) if (now < known.resetsAt) known.left--;
  }

  /** What holds the next request back the longest, if anything does. */
  hold(now: number): Hold | undefined {
    let hold: Hold | undefined;
    for (const { name, limit, left, resetsAt } of this.#limits) {
      const until = this.#goesAt(limit, left, resetsAt, now);
      if (until > now && until > (hold?.until ?? now)) {
        hold = { policy: name, limit, remaining: Math.max(0, left), until };
      }
    }
    return hold;
  }

  #goesAt(limit: number, left: number, resetsAt: number, now: number): number {
    if (now >= resetsAt || left > limit * PLENTY) return now;
    if (left <= 0) return resetsAt;
    return this.#sentAt + (resetsAt - this.#sentAt) / (left + 1);
  }
}

/** Bytes and requests at a time are something else. */
function countsRequests({ unit = 'requests' }: ServerLimit): boolean {
  return unit === 'requests' || unit === 'request';
}
