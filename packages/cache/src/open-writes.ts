import type { Clock } from '@macadam/core';
import { withTimeout } from './with-timeout.ts';

/** A write that may still take effect. */
interface OpenWrite {
  /** The number of its `UnsettledInvalidation`. */
  readonly number: number;
  /** When it can no longer take effect, on the monotonic clock. */
  readonly until: number;
  /** Resolves when it is over, but never if the tier never settles it. */
  readonly over: Promise<void>;
}

/** A write is sent twice at most, again within its time limit, and takes effect within twice the limit or never. */
const TIME_LIMITS_PER_WRITE = 3;

/**
 * The writes that may still take effect, by key. A newer command can take effect before such a write: drivers send a
 * command again when its connection breaks or its node does not respond. A write is over when the tier has acknowledged
 * it, or would ignore it from now on. One that failed may be on its way.
 */
export class OpenWrites {
  readonly #clock: Clock;
  readonly #windowMs: number;
  readonly #writes = new Map<string, readonly OpenWrite[]>();

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#windowMs = TIME_LIMITS_PER_WRITE * timeoutMs;
  }

  /** Adds a write that is being sent. */
  add(id: string, number: number, acknowledged: Promise<unknown>): void {
    const until = this.#clock.monotonic() + this.#windowMs;
    const remove = (): void => this.#remove(id, write);
    // Removed in the turn of the acknowledgement: a newer write that is acknowledged next was not overwritten.
    const over = acknowledged.then(remove, () => this.#sleepUntil(until).then(remove));
    const write: OpenWrite = { number, until, over };
    this.#writes.set(id, [...(this.#writes.get(id) ?? []), write]);
  }

  /**
   * Waits for the writes of the keys that began before `number`. Returns the keys that had any: what was acknowledged in
   * the meantime may have been overwritten.
   */
  async waitForOlder(ids: readonly string[], number: number): Promise<readonly string[]> {
    if (this.#writes.size === 0) return [];
    const olderOf = (id: string): OpenWrite[] => (this.#writes.get(id) ?? []).filter((write) => write.number < number);
    const overwritten = ids.filter((id) => olderOf(id).length > 0);
    await Promise.all(overwritten.flatMap((id) => olderOf(id).map((write) => this.#waitFor(id, write))));
    return overwritten;
  }

  async #waitFor(id: string, write: OpenWrite): Promise<void> {
    const leftMs = write.until - this.#clock.monotonic();
    if (leftMs > 0) await withTimeout(this.#clock, leftMs, write.over).catch(() => {});
    this.#remove(id, write);
  }

  #sleepUntil(until: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.setTimer(resolve, until - this.#clock.monotonic()).unref?.();
    });
  }

  #remove(id: string, write: OpenWrite): void {
    const others = this.#writes.get(id)?.filter((one) => one !== write) ?? [];
    if (others.length > 0) this.#writes.set(id, others);
    else this.#writes.delete(id);
  }
}
