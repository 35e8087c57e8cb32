import { systemClock, systemRandom } from '@macadam/core';
import type { Coherence, Tier, TierChange, TierSpace } from './tier.ts';

const LEASE_MS = 60_000;
/** How long changes may take to arrive, in milliseconds. */
const PATIENCE_MS = 5_000;

/** A tier as one process has it, and what it heard. */
export class ListeningInstance {
  readonly space: TierSpace;
  readonly heard: TierChange[] = [];
  #onHeard: () => void = () => {};

  constructor(tier: Tier, namespace: string, coherence: Coherence) {
    this.space = tier.open({
      namespace,
      coherence,
      leaseMs: LEASE_MS,
      clock: systemClock,
      random: systemRandom,
      onChange: (change) => {
        this.heard.push(change);
        this.#onHeard();
      },
    });
  }

  /** Waits until something like it was heard. */
  async until(what: string, isIt: (change: TierChange) => boolean): Promise<void> {
    const arrived = new Promise<void>((resolve) => {
      this.#onHeard = () => {
        if (this.heard.some(isIt)) resolve();
      };
      this.#onHeard();
    });
    let timer: { cancel(): void } | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = systemClock.setTimer(() => reject(new Error(`${what}: not heard of`)), PATIENCE_MS);
    });
    await Promise.race([arrived, late]).finally(() => timer?.cancel());
  }
}
