import { ABSENT, HELD, UNAVAILABLE, type LookupResult } from './lookup-result.ts';
import type { Lease, TierRead } from './tier.ts';

/** What a lookup needs from the tier that it belongs to. */
export interface LookupHost<T> {
  /** Whether what the tier stores for the key may be older than an invalidation by this process. */
  isUnsettled(id: string): boolean;
  /** Counts a miss. */
  recordMiss(): void;
  /** Decides whether and how an entry may be served. */
  evaluate(id: string, entry: Uint8Array, remainingMs: number): LookupResult<T> | Promise<LookupResult<T>>;
  releaseLease(id: string, lease: Lease | undefined): void;
}

/**
 * The lookup of one key in the shared tier. It is sent together with the other lookups of the same turn of the event
 * loop and calls back in the turn in which the result arrives: each promise in between would cost a hit about as much
 * as finding the value.
 */
export class Lookup<T> {
  readonly #host: LookupHost<T>;
  readonly id: string;
  readonly wantsLease: boolean;
  /** Whether the tag marks of the tier are known, now or soon. Without them an entry cannot be judged. */
  readonly #marksSynced: Promise<boolean> | boolean;
  readonly #onResult: (found: LookupResult<T>) => void;

  constructor(
    host: LookupHost<T>,
    id: string,
    wantsLease: boolean,
    marksSynced: Promise<boolean> | boolean,
    onResult: (found: LookupResult<T>) => void,
  ) {
    this.#host = host;
    this.id = id;
    this.wantsLease = wantsLease;
    this.#marksSynced = marksSynced;
    this.#onResult = onResult;
  }

  receive(read: TierRead): void {
    if (this.#marksSynced === true) this.#deliver(read, true);
    else if (this.#marksSynced === false) this.#deliver(read, false);
    else void this.#marksSynced.then((isSynced) => this.#deliver(read, isSynced));
  }

  fail(): void {
    this.#onResult(UNAVAILABLE);
  }

  /** Handles a result that arrived after the timeout: a lease that was taken must be released. */
  receiveLate(read: TierRead): void {
    if (read.kind === 'absent') this.#host.releaseLease(this.id, read.lease);
  }

  #deliver(read: TierRead, isSynced: boolean): void {
    if (!isSynced || this.#host.isUnsettled(this.id)) {
      this.receiveLate(read);
      this.#onResult(UNAVAILABLE);
    } else if (read.kind === 'absent') {
      this.#host.recordMiss();
      const { lease } = read;
      if (lease !== undefined) this.#onResult({ state: 'leased', lease });
      else this.#onResult(this.wantsLease ? HELD : ABSENT);
    } else {
      const found = this.#host.evaluate(this.id, read.entry, read.remainingMs);
      if (found instanceof Promise) void found.then(this.#onResult);
      else this.#onResult(found);
    }
  }
}
