import type { Lookup } from './lookup.ts';
import type { TierCall, TierCalls } from './tier-calls.ts';
import type { TierRead, TierSpace } from './tier.ts';

/**
 * Sends the lookups of one turn of the event loop together, so that many callers cost little more than one. They share
 * one time limit.
 */
export class LookupBatcher<T> {
  readonly #space: TierSpace;
  readonly #calls: TierCalls;
  #pending: Lookup<T>[] = [];
  #timeoutMs = 0;
  #wantsLeases = false;

  constructor(space: TierSpace, calls: TierCalls) {
    this.#space = space;
    this.#calls = calls;
  }

  add(lookup: Lookup<T>, timeoutMs: number): void {
    // A lookup with a longer timeout must not make the others wait.
    if (timeoutMs !== this.#timeoutMs || lookup.wantsLease !== this.#wantsLeases) this.#flush();
    this.#timeoutMs = timeoutMs;
    this.#wantsLeases = lookup.wantsLease;
    // Runs after everything that can continue in this turn has continued, and so has added its lookups.
    if (this.#pending.push(lookup) === 1) process.nextTick(() => this.#flush());
  }

  #flush(): void {
    const lookups = this.#pending;
    if (lookups.length === 0) return;
    this.#pending = [];
    const { mostReads } = this.#space;
    const batches: LookupBatch<T>[] = [];
    for (let i = 0; i < lookups.length; i += mostReads) {
      batches.push(new LookupBatch(this.#space, lookups.slice(i, i + mostReads), this.#wantsLeases));
    }
    this.#calls.runTogether(batches, this.#timeoutMs);
  }
}

/** One read of the tier, for several lookups. */
class LookupBatch<T> implements TierCall<readonly TierRead[]> {
  readonly #space: TierSpace;
  readonly #lookups: readonly Lookup<T>[];
  readonly #wantsLeases: boolean;

  constructor(space: TierSpace, lookups: readonly Lookup<T>[], wantsLeases: boolean) {
    this.#space = space;
    this.#lookups = lookups;
    this.#wantsLeases = wantsLeases;
  }

  call(): Promise<readonly TierRead[]> {
    const keys = this.#lookups.map(({ id }) => id);
    return this.#space.read(keys, this.#wantsLeases);
  }

  resolve(reads: readonly TierRead[]): void {
    for (let i = 0; i < this.#lookups.length; i++) {
      const read = reads[i];
      if (read === undefined) (this.#lookups[i] as Lookup<T>).fail();
      else (this.#lookups[i] as Lookup<T>).receive(read);
    }
  }

  reject(): void {
    for (const lookup of this.#lookups) lookup.fail();
  }

  resolveLate(reads: readonly TierRead[]): void {
    for (let i = 0; i < this.#lookups.length; i++) {
      const read = reads[i];
      if (read !== undefined) (this.#lookups[i] as Lookup<T>).receiveLate(read);
    }
  }
}
