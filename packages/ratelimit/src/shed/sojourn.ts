import type { Priority } from '@macadam/core';
import { codel, CODEL_START, type CodelNumbers, type CodelState } from './codel.ts';

/** Who the reserve is for, and who does not wait behind the others. */
export function isImportant(priority: Priority): boolean {
  return priority === 'critical' || priority === 'high';
}

/** The important have one of their own: a queue of others that stands says nothing about how long they wait. */
export class Sojourns {
  readonly #important: Sojourn;
  readonly #others: Sojourn;

  constructor(numbers: CodelNumbers) {
    this.#important = new Sojourn(numbers);
    this.#others = new Sojourn(numbers);
  }

  of(priority: Priority): Sojourn {
    return isImportant(priority) ? this.#important : this.#others;
  }
}

/** How long those wait who wait for the same places: what they may wait at most, who is served first, and who not any more. */
class Sojourn {
  readonly #numbers: CodelNumbers;
  #codel: CodelState = CODEL_START;
  /** Since when somebody has been waiting all the time. */
  #standsSince = 0;

  constructor(numbers: CodelNumbers) {
    this.#numbers = numbers;
  }

  /** While the queue stands, the newest are served: the oldest will be too late anyway. */
  get order(): 'fifo' | 'lifo' {
    return this.#codel.overloaded ? 'lifo' : 'fifo';
  }

  /** The longest wait of somebody who comes now, `first` where nobody waits yet. */
  limitMs(now: number, first: boolean): number {
    const { targetMs, intervalMs } = this.#numbers;
    if (first) this.#standsSince = now;
    // A burst may wait for half an interval. A queue that has not been empty for a whole one stands, and waiting is in vain.
    return now - this.#standsSince > intervalMs ? 2 * targetMs : Math.max(2 * targetMs, intervalMs / 2);
  }

  /** Somebody's wait is over. Whether it took so long that serving them is of no use. */
  ends(now: number, waitedMs: number): boolean {
    const { drop, next } = codel(this.#codel, now, waitedMs, this.#numbers);
    this.#codel = next;
    return drop;
  }
}
