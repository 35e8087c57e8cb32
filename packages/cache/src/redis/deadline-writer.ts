import type { Clock } from '@macadam/core';
import type { Redis, RedisArgument } from './client.ts';
import type { KeyNames } from './key-names.ts';
import { writeScript } from './scripts.ts';

/** What became of a write. `late` has the offset of this server: nodes of a cluster have different clocks. */
type Sent = { readonly state: 'late'; readonly offsetMs: number } | { readonly state: 'overtaken' | 'stored' };

const STORED: Sent = { state: 'stored' };
const OVERTAKEN: Sent = { state: 'overtaken' };

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
   * Takes one round trip, or two when the offset is unknown or has changed. Returns false when it did not take effect
   * because `isCurrent` was false before it was sent again: what was sent after the first attempt has reached the server
   * already, and would be overwritten. Rejects when it did not take effect for another reason.
   */
  async write(
    key: string,
    entry: Buffer,
    ttlMs: string,
    onAnswer?: () => void,
    isCurrent?: () => boolean,
  ): Promise<boolean> {
    const startedAt = this.#clock.monotonic();
    let sent = await this.#send(key, [entry, ttlMs], this.#serverClockOffsetMs, isCurrent);
    if (sent.state === 'late' && this.#clock.monotonic() - startedAt < this.#timeoutMs) {
      onAnswer?.();
      if (isCurrent?.() === false) return false;
      sent = await this.#send(key, [entry, ttlMs], sent.offsetMs, isCurrent);
    }
    if (sent.state === 'late') throw new Error('The write reached the server after its deadline');
    return sent.state === 'stored';
  }

  async #send(
    key: string,
    entryAndTtl: RedisArgument[],
    offsetMs: number,
    isCurrent: (() => boolean) | undefined,
  ): Promise<Sent> {
    // Twice the time limit: the write may take effect at its very end, and the offset is not exact.
    const deadline = Math.max(0, this.#clock.monotonic() + offsetMs + 2 * this.#timeoutMs);
    const args = [...entryAndTtl, String(Math.floor(deadline))];
    const reply = await writeScript.run(this.#redis, this.#keyNames.entryAndLease(key), args, isCurrent);
    if (reply === undefined) return OVERTAKEN;
    const [stored, now] = reply as [number, Buffer];
    this.#serverClockOffsetMs = Number(now) - this.#clock.monotonic();
    return stored === 1 ? STORED : { state: 'late', offsetMs: this.#serverClockOffsetMs };
  }
}
