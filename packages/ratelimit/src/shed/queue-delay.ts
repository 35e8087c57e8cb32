/**
 * Queueing delay of a load shedder (CoDel's sojourn time): how long a run may wait, in which order runs are served, and
 * which of them have waited too long to be worth serving.
 */
import type { Priority } from '@macadam/core';
import { codel, CODEL_START, type CodelNumbers, type CodelState } from './codel.ts';

/** Important work may use the reserve, and is served before all other work. */
export function isImportant(priority: Priority): boolean {
  return priority === 'critical' || priority === 'high';
}

/** Important work is measured separately: a standing queue of other work does not delay it. */
export class QueueDelays {
  readonly #important: QueueDelay;
  readonly #others: QueueDelay;

  constructor(numbers: CodelNumbers) {
    this.#important = new QueueDelay(numbers);
    this.#others = new QueueDelay(numbers);
  }

  of(priority: Priority): QueueDelay {
    return isImportant(priority) ? this.#important : this.#others;
  }
}

class QueueDelay {
  readonly #numbers: CodelNumbers;
  #codel: CodelState = CODEL_START;
  /** Since when the queue has not been empty. */
  #standingSince = 0;

  constructor(numbers: CodelNumbers) {
    this.#numbers = numbers;
  }

  /** During overload the newest are served first: the oldest would be too late anyway. */
  get order(): 'fifo' | 'lifo' {
    return this.#codel.overloaded ? 'lifo' : 'fifo';
  }

  /** The longest wait of a run that is queued now. `isFirst`: the queue was empty. */
  maxWaitMs(now: number, isFirst: boolean): number {
    const { targetMs, intervalMs } = this.#numbers;
    if (isFirst) this.#standingSince = now;
    // A burst may wait for half an interval. A queue that was not empty for a whole interval is a standing queue: there,
    // waiting longer only adds delay.
    return now - this.#standingSince > intervalMs ? 2 * targetMs : Math.max(2 * targetMs, intervalMs / 2);
  }

  /** Records the wait of a run that is about to start. Returns whether to drop it, because it waited too long. */
  recordWait(now: number, waitedMs: number): boolean {
    const { drop, next } = codel(this.#codel, now, waitedMs, this.#numbers);
    this.#codel = next;
    return drop;
  }
}
