import type { Clock } from '@macadam/core';
import type { Redis, RedisArgument } from './client.ts';
import type { Names } from './names.ts';
import { writeScript } from './scripts.ts';

/**
 * Writes that are carried out soon or never. One that lies in a connection that is dead, or in the queue of a driver, would be carried
 * out when that comes to life again, over whatever others have put there meanwhile, even when the process it came from is gone. So each
 * says until when it is good, in the time of the server, which compares it with nothing but its own clock.
 */
export class TimedWrites {
  readonly #redis: Redis;
  readonly #names: Names;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  /** How far the server's clock is ahead of ours; too little by as long as answers take. Each answer tells it anew. */
  #aheadMs = -Infinity;

  constructor(redis: Redis, names: Names, clock: Clock, timeoutMs: number) {
    this.#redis = redis;
    this.#names = names;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** One round trip, or two when the time of the server is not known yet, or has changed. Rejects when it was not carried out. */
  async write(key: string, entry: Buffer, ttlMs: string, onAnswer?: () => void): Promise<void> {
    const begunAt = this.#clock.monotonic();
    const refused = await this.#send(key, [entry, ttlMs], this.#aheadMs);
    if (refused === undefined) return;
    const isWaitedFor = this.#clock.monotonic() - begunAt < this.#timeoutMs;
    if (isWaitedFor) onAnswer?.();
    if (!isWaitedFor || (await this.#send(key, [entry, ttlMs], refused.aheadMs)) !== undefined) {
      throw new Error('The write came too late to the server');
    }
  }

  /** Undefined when it was carried out; else what is known now, which is of this server, where a cluster has others. */
  async #send(key: string, what: RedisArgument[], aheadMs: number): Promise<{ aheadMs: number } | undefined> {
    // Twice the time for which it is waited for: it may be carried out at the end of that, and the clocks are not exactly known.
    const until = Math.max(0, this.#clock.monotonic() + aheadMs + 2 * this.#timeoutMs);
    const args = [...what, String(Math.floor(until))];
    const [stored, now] = (await writeScript.run(this.#redis, this.#names.pair(key), args)) as [number, Buffer];
    this.#aheadMs = Number(now) - this.#clock.monotonic();
    return stored === 1 ? undefined : { aheadMs: this.#aheadMs };
  }
}
