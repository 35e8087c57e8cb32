import { priorities, WaitingLine, type Priority, type Waiting } from '@macadam/core';

/** Someone who queues. */
export interface Queued extends Waiting {
  readonly priority: Priority;
  readonly tenant: string;
}

/**
 * The most important first; among equals each tenant in turn, so that one who sends a thousand requests does not delay
 * those who send one.
 */
export class FairQueue<T extends Queued> {
  size = 0;
  /** For each priority, the lines of the tenants that wait, whose turn comes next first. */
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

  /** Takes out whoever is next: of their tenant the oldest, or the newest. */
  next(order: 'fifo' | 'lifo'): T | undefined {
    for (const lines of this.#levels) {
      for (const [tenant, line] of lines) {
        const one = (order === 'fifo' ? line.oldest : line.newest) as T;
        this.remove(one);
        if (line.size > 0) {
          // To the end of the round.
          lines.delete(tenant);
          lines.set(tenant, line);
        }
        return one;
      }
    }
    return undefined;
  }

  /** Who makes room for somebody of this priority: the oldest of the least important, if less important. */
  leastBelow(priority: Priority): T | undefined {
    for (let level = priorities.length - 1; level > priorities.indexOf(priority); level--) {
      for (const line of (this.#levels[level] as Map<string, WaitingLine<T>>).values()) return line.oldest;
    }
    return undefined;
  }

  /** How many are served before somebody who comes now. */
  ahead(priority: Priority): number {
    let count = 0;
    for (let level = 0; level <= priorities.indexOf(priority); level++) count += this.#sizes[level] as number;
    return count;
  }

  #count(level: number, by: number): void {
    this.size += by;
    this.#sizes[level] = (this.#sizes[level] as number) + by;
  }
}
