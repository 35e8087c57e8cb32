import type { Clock } from '@macadam/core';
import type { Redis, RedisArgument } from './client.ts';
import type { KeyNames } from './key-names.ts';
import { writeScript } from './scripts.ts';

/**
 * Writes that take effect soon or never. A command in a dead connection or in the queue of a driver would otherwise
 * take effect when the connection recovers, over whatever others have stored since, even after the process that sent it
 * has ended. So each write carries a deadline in the time of the server, which compares it only with its own clock.
 */
export class DeadlineWriter {
  readonly #redis: Redis;
  readonly #keyNames: KeyNames;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  /** The offset of the server clock from ours, too small by the time a reply takes. Updated with each reply. */
  #serverClockOffsetMs = -Infinity;

  constructor(redis: Redis, keyNames: KeyNames, clock: Clock, timeoutMs: number) {
    this.#redis = redis;
    this.#keyNames = keyNames;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Takes one round trip, or two when the offset is unknown or has changed. Rejects when the write did not take effect.
   */
  async write(key: string, entry: Buffer, ttlMs: string, onAnswer?: () => void): Promise<void> {
    const startedAt = this.#clock.monotonic();
    const refusal = await this.#send(key, [entry, ttlMs], this.#serverClockOffsetMs);
    if (refusal === undefined) return;
    const isInTime = this.#clock.monotonic() - startedAt < this.#timeoutMs;
    if (isInTime) onAnswer?.();
    if (!isInTime || (await this.#send(key, [entry, ttlMs], refusal.offsetMs)) !== undefined) {
      throw new Error('The write reached the server after its deadline');
    }
  }

  /**
   * Returns undefined when it took effect, otherwise the offset of this server: nodes of a cluster have different
   * clocks.
   */
  async #send(key: string, entryAndTtl: RedisArgument[], offsetMs: number): Promise<{ offsetMs: number } | undefined> {
    // Twice the time limit: the write may take effect at its very end, and the offset is not exact.
    const deadline = Math.max(0, this.#clock.monotonic() + offsetMs + 2 * this.#timeoutMs);
    const args = [...entryAndTtl, String(Math.floor(deadline))];
    const [stored, now] = (await writeScript.run(this.#redis, this.#keyNames.entryAndLease(key), args)) as [
      number,
      Buffer,
    ];
    this.#serverClockOffsetMs = Number(now) - this.#clock.monotonic();
    return stored === 1 ? undefined : { offsetMs: this.#serverClockOffsetMs };
  }
}
