import type { Look } from './look.ts';
import type { TierCall, TierCalls } from './tier-calls.ts';
import type { TierRead, TierSpace } from './tier.ts';

/**
 * Looks at a tier that are asked for in one turn of the event loop: many callers cost little more than one. They go out, and stand
 * or fall, together.
 */
export class TierReads<T> {
  readonly #space: TierSpace;
  readonly #calls: TierCalls;
  #waiting: Look<T>[] = [];
  #timeoutMs = 0;
  #wantsLeases = false;

  constructor(space: TierSpace, calls: TierCalls) {
    this.#space = space;
    this.#calls = calls;
  }

  add(look: Look<T>, timeoutMs: number): void {
    // Who may wait longer does not have others wait.
    if (timeoutMs !== this.#timeoutMs || look.wantsLease !== this.#wantsLeases) this.#send();
    this.#timeoutMs = timeoutMs;
    this.#wantsLeases = look.wantsLease;
    // Runs when all that can go on now has gone on, and so has asked for what it wants.
    if (this.#waiting.push(look) === 1) process.nextTick(() => this.#send());
  }

  #send(): void {
    const looks = this.#waiting;
    if (looks.length === 0) return;
    this.#waiting = [];
    const { mostReads } = this.#space;
    const reads: Reading<T>[] = [];
    for (let i = 0; i < looks.length; i += mostReads) {
      reads.push(new Reading(this.#space, looks.slice(i, i + mostReads), this.#wantsLeases));
    }
    this.#calls.runTogether(reads, this.#timeoutMs);
  }
}

/** One read, for several looks. */
class Reading<T> implements TierCall<readonly TierRead[]> {
  readonly #space: TierSpace;
  readonly #looks: readonly Look<T>[];
  readonly #wantsLeases: boolean;

  constructor(space: TierSpace, looks: readonly Look<T>[], wantsLeases: boolean) {
    this.#space = space;
    this.#looks = looks;
    this.#wantsLeases = wantsLeases;
  }

  call(): Promise<readonly TierRead[]> {
    const keys = this.#looks.map(({ id }) => id);
    return this.#space.read(keys, this.#wantsLeases);
  }

  resolve(reads: readonly TierRead[]): void {
    for (let i = 0; i < this.#looks.length; i++) {
      const read = reads[i];
      if (read === undefined) (this.#looks[i] as Look<T>).fail();
      else (this.#looks[i] as Look<T>).answer(read);
    }
  }

  reject(): void {
    for (const look of this.#looks) look.fail();
  }

  late(reads: readonly TierRead[]): void {
    for (let i = 0; i < this.#looks.length; i++) {
      const read = reads[i];
      if (read !== undefined) (this.#looks[i] as Look<T>).late(read);
    }
  }
}
