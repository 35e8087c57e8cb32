import type { Limit } from '../algorithms/limit.ts';
import type { Decision } from '../decision.ts';
import { draftDecision } from '../store/combine-decisions.ts';
import { Script, type RedisClient } from './client.ts';
import { takeTokenScript } from './scripts/take-token.ts';

const script = Script.of(takeTokenScript);

/** Takes from a limiter with a single token bucket, with a script of its own: many requests in one command. */
export class TokenBucketCommand {
  readonly #client: RedisClient;
  readonly #limit: Limit;
  /** The `limit` of decisions: the maximum of `remaining`. */
  readonly #max: number;
  readonly #arguments: readonly string[];
  readonly #time: (() => number) | undefined;

  /** `time` replaces the time of the server, in tests. */
  constructor(client: RedisClient, limit: Limit, time: (() => number) | undefined) {
    this.#client = client;
    this.#limit = limit;
    this.#max = Math.max(limit.limit, limit.capacity);
    this.#arguments = [...limit.parameters, this.#max].map(String);
    this.#time = time;
  }

  /** Returns a decision for each cost. `keys` has that many keys of buckets, then those of their blocks; keys may repeat. */
  async take(keys: string[], costs: readonly number[]): Promise<Decision[]> {
    const time = this.#time?.();
    const args = [...this.#arguments, time === undefined ? '' : String(time)];
    if (costs.some((cost) => cost !== 1)) for (const cost of costs) args.push(String(cost));
    const reply = (await script.run(this.#client, keys, args)) as (number | string)[];
    const stamp = time ?? Number(reply[0]) / 1_000;
    return costs.map((cost, i) => {
      const decision = draftDecision(this.#limit, 'store', stamp);
      const waitMs = Number(reply[3 * i + 2]);
      decision.allowed = waitMs === 0;
      decision.limit = this.#max;
      decision.remaining = Number(reply[3 * i + 1]);
      decision.retryAfterMs = waitMs < 0 ? Infinity : waitMs;
      decision.resetAfterMs = Number(reply[3 * i + 3]);
      if (waitMs === 0) decision.granted = cost;
      return decision;
    });
  }
}
