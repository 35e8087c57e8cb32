import { systemClock, systemRandom } from '@macadam/core';
import type { Coherence, Tier, TierChange, TierSpace } from './tier.ts';

const LEASE_MS = 60_000;
/** How long a change may take to arrive, in milliseconds. */
const CHANGE_TIMEOUT_MS = 5_000;

/** The space of one simulated process, and the changes it received. */
export class ListeningInstance {
  readonly space: TierSpace;
  readonly changes: TierChange[] = [];
  #onChange: () => void = () => {};

  constructor(tier: Tier, namespace: string, coherence: Coherence) {
    this.space = tier.open({
      namespace,
      coherence,
      leaseMs: LEASE_MS,
      clock: systemClock,
      random: systemRandom,
      onChange: (change) => {
        this.changes.push(change);
        this.#onChange();
      },
    });
  }

  /** Waits until a change that matches has been received. */
  async waitFor(what: string, matches: (change: TierChange) => boolean): Promise<void> {
    const arrived = new Promise<void>((resolve) => {
      this.#onChange = () => {
        if (this.changes.some(matches)) resolve();
      };
      this.#onChange();
    });
    let timer: { cancel(): void } | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = systemClock.setTimer(() => reject(new Error(`${what}: not received`)), CHANGE_TIMEOUT_MS);
    });
    await Promise.race([arrived, timeout]).finally(() => timer?.cancel());
  }
}
