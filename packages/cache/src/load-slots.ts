import { runDetached, type Clock } from '@macadam/core';
import { bulkhead, type Policy } from '@macadam/resilience';

/** Loads that may wait for a slot. Each ends after `loaderTimeoutMs`, so the queue drains by itself. */
const MAX_QUEUED_LOADS = 100_000;

/** Says that a load got no slot, and why. It tells this from an error of the loader, and never reaches a caller. */
export class NoSlot {
  readonly cause: unknown;

  constructor(cause: unknown) {
    this.cause = cause;
  }
}

/** The `maxConcurrentLoads` slots for loads. */
export class LoadSlots {
  readonly #bulkhead: Policy;

  constructor({ clock, maxConcurrentLoads, loaderTimeoutMs }: LoadSlotSettings) {
    this.#bulkhead = bulkhead({
      maxConcurrent: maxConcurrentLoads,
      maxQueued: MAX_QUEUED_LOADS,
      queueTimeoutMs: loaderTimeoutMs,
      clock,
    });
  }

  /**
   * Calls `load`, which must not reject, as soon as a slot is free. The slot is free again when the promise settles. The
   * deadline, signal and priority of the caller do not count: others wait for the same load.
   */
  run(load: () => Promise<unknown>, onRefused: (reason: NoSlot) => void): void {
    runDetached(() => this.#bulkhead.execute(load)).catch((error: unknown) => onRefused(new NoSlot(error)));
  }
}

export interface LoadSlotSettings {
  readonly clock: Clock;
  readonly maxConcurrentLoads: number;
  readonly loaderTimeoutMs: number;
}
