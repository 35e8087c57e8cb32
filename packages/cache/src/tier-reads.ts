import type { TierCall, TierCalls } from './tier-calls.ts';
import type { TierRead, TierSpace } from './tier.ts';

/** Reads of a tier that are asked for in one turn of the event loop: they go out, and stand or fall, together. */
export class TierReads {
  readonly #space: TierSpace;
  readonly #calls: TierCalls;
  #waiting: Reading[] = [];
  #timeoutMs = 0;

  constructor(space: TierSpace, calls: TierCalls) {
    this.#space = space;
    this.#calls = calls;
  }

  /** See `TierCalls.run`. */
  read(
    id: string,
    lease: Uint8Array | undefined,
    timeoutMs: number,
    late: TierCall<TierRead>['late'],
  ): Promise<TierRead> {
    return new Promise((resolve, reject) => {
      // Who may wait longer does not have others wait.
      if (timeoutMs !== this.#timeoutMs) this.#send();
      this.#timeoutMs = timeoutMs;
      const call = (): Promise<TierRead> => this.#space.read(id, lease);
      if (this.#waiting.push({ call, resolve, reject, late }) === 1) process.nextTick(() => this.#send());
    });
  }

  #send(): void {
    const reads = this.#waiting;
    if (reads.length === 0) return;
    this.#waiting = [];
    this.#calls.runTogether(reads, this.#timeoutMs);
  }
}

type Reading = TierCall<TierRead>;
