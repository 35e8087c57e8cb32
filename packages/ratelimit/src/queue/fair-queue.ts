import { priorities, WaitingLine, type Priority, type Waiting } from '@macadam/core';

export interface Queued extends Waiting {
  readonly priority: Priority;
  readonly tenant: string;
}

/**
 * A queue by priority. Tenants of the same priority take turns, so that a tenant with a thousand requests does not delay
 * those with one.
 */
export class FairQueue<T extends Queued> {
  size = 0;
  /** For each priority the queues of its tenants, that of the next turn first. */
  readonly #levels: readonly Map<string, WaitingLine<T>>[] = priorities.map(() => new Map());
  readonly #sizes: number[] = priorities.map(() => 0);

  add(one: T): void {
    const level = priorities.indexOf(one.priority);
    const lines = this.#levels[level] as Map<string, WaitingLine<T>>;
    let line = lines.get(one.tenant);
    if (line === undefined) lines.set(one.tenant, (line = new WaitingLine()));
    line.join(one);
    this.#count(level, 1);
  }

  remove(one: T): void {
    const level = priorities.indexOf(one.priority);
    const lines = this.#levels[level] as Map<string, WaitingLine<T>>;
    const line = lines.get(one.tenant) as WaitingLine<T>;
    line.leave(one);
    if (line.size === 0) lines.delete(one.tenant);
    this.#count(level, -1);
  }

  /** Removes and returns the next one: the oldest or the newest of the tenant whose turn it is. */
  next(order: 'fifo' | 'lifo'): T | undefined {
    for (const lines of this.#levels) {
      for (const [tenant, line] of lines) {
        const one = (order === 'fifo' ? line.oldest : line.newest) as T;
        this.remove(one);
        if (line.size > 0) {
          // The tenant goes to the end of the round.
          lines.delete(tenant);
          lines.set(tenant, line);
        }
        return one;
      }
    }
    return undefined;
  }

  /** The oldest of the lowest priority, if that is below `priority`. */
  oldestBelow(priority: Priority): T | undefined {
    for (let level = priorities.length - 1; level > priorities.indexOf(priority); level--) {
      for (const line of (this.#levels[level] as Map<string, WaitingLine<T>>).values()) return line.oldest;
    }
    return undefined;
  }

  /** How many are served before a newcomer of this priority. */
  countAhead(priority: Priority): number {
    let count = 0;
    for (let level = 0; level <= priorities.indexOf(priority); level++) count += this.#sizes[level] as number;
    return count;
  }

  #count(level: number, by: number): void {
    this.size += by;
    this.#sizes[level] = (this.#sizes[level] as number) + by;
  }
}
