import { ENDED, HELD, UNAVAILABLE, type Found } from './found.ts';
import type { Lease, TierRead } from './tier.ts';

/** What a look needs of the tier that it is at. */
export interface Looking<T> {
  /** Whether what the tier has at a key may be of before an ending here. */
  isUnsettled(id: string): boolean;
  /** There was nothing. */
  missed(): void;
  /** What an entry is worth. */
  judge(id: string, entry: Uint8Array, remainingMs: number): Found<T> | Promise<Found<T>>;
  giveBack(id: string, lease: Lease | undefined): void;
}

/**
 * One look at a key of the tier. It goes out with others of its turn, and whoever asked is told in the same turn in which the
 * answer comes: each promise between the two would cost a hit about as much as finding the value.
 */
export class Look<T> {
  readonly #at: Looking<T>;
  readonly id: string;
  readonly wantsLease: boolean;
  /** Whether it is known what was invalidated, by now or soon. */
  readonly #known: Promise<boolean> | boolean;
  readonly #onFound: (found: Found<T>) => void;

  constructor(
    at: Looking<T>,
    id: string,
    wantsLease: boolean,
    known: Promise<boolean> | boolean,
    onFound: (found: Found<T>) => void,
  ) {
    this.#at = at;
    this.id = id;
    this.wantsLease = wantsLease;
    this.#known = known;
    this.#onFound = onFound;
  }

  answer(read: TierRead): void {
    if (this.#known === true) this.#judge(read, true);
    else if (this.#known === false) this.#judge(read, false);
    else void this.#known.then((known) => this.#judge(read, known));
  }

  fail(): void {
    this.#onFound(UNAVAILABLE);
  }

  /** An answer that nobody waits for any more. */
  late(read: TierRead): void {
    if (read.kind === 'absent') this.#at.giveBack(this.id, read.lease);
  }

  #judge(read: TierRead, known: boolean): void {
    if (!known || this.#at.isUnsettled(this.id)) {
      this.late(read);
      this.#onFound(UNAVAILABLE);
    } else if (read.kind === 'absent') {
      this.#at.missed();
      const { lease } = read;
      if (lease !== undefined) this.#onFound({ state: 'leased', lease });
      else this.#onFound(this.wantsLease ? HELD : ENDED);
    } else {
      const found = this.#at.judge(this.id, read.entry, read.remainingMs);
      if (found instanceof Promise) void found.then(this.#onFound);
      else this.#onFound(found);
    }
  }
}
