import type { Ending } from './tier.ts';

/** Keys and tags that are remembered at most, and the characters they may take. Beyond, everything in the tier is ended. */
const MOST = 10_000;
const MOST_CHARACTERS = 8_388_608;

/** An ending that the tier has not acknowledged. */
export interface Unsettled {
  how: Ending;
  /** It was tried and may not have happened; otherwise it is under way. */
  failed: boolean;
}

/**
 * What was ended here and is not known to have been ended in the tier: while it is under way, and from when it failed until it
 * was done again. Nothing of it is read from the tier, so that this process at once, and the others as soon as they can be told,
 * are right. Only the last ending of a key or tag counts, which bounds it.
 */
export class Recovery {
  readonly #keys = new Map<string, Unsettled>();
  readonly #tags = new Map<string, Unsettled>();
  #characters = 0;
  #everything: Unsettled | undefined;

  get size(): number {
    return this.#keys.size + this.#tags.size + (this.#everything === undefined ? 0 : 1);
  }

  get hasFailed(): boolean {
    if (this.#everything?.failed === true) return true;
    for (const unsettled of [...this.#keys.values(), ...this.#tags.values()]) if (unsettled.failed) return true;
    return false;
  }

  /** Whether what the tier has at a key may be of before an ending. */
  holdsKey(key: string): boolean {
    return this.#everything !== undefined || this.#keys.has(key);
  }

  /** Whether nothing newer has begun at the key since. */
  isLatest(key: string, unsettled: Unsettled): boolean {
    return this.#keys.get(key) === unsettled;
  }

  holdsAnyTag(tags: readonly string[]): boolean {
    return this.#tags.size > 0 && tags.some((tag) => this.#tags.has(tag));
  }

  beginKeys(keys: readonly string[], how: Ending): Unsettled {
    return this.#begin(this.#keys, keys, how);
  }

  beginTags(tags: readonly string[], how: Ending): Unsettled {
    return this.#begin(this.#tags, tags, how);
  }

  beginEverything(): Unsettled {
    const unsettled: Unsettled = { how: 'invalidated', failed: false };
    this.#everything = unsettled;
    return unsettled;
  }

  /** It may not have happened, and is to be done again. What is under way takes as much as its callers hold anyway. */
  fail(unsettled: Unsettled): void {
    unsettled.failed = true;
    if (this.size > MOST || this.#characters > MOST_CHARACTERS) this.#giveUp();
  }

  /** It is done, unless something newer has begun since. */
  settleKeys(keys: readonly string[], done: Unsettled): void {
    this.#settle(this.#keys, keys, done);
  }

  settleTags(tags: readonly string[], done: Unsettled): void {
    this.#settle(this.#tags, tags, done);
  }

  /** What was ended before everything was has been ended with it. */
  settleEverything(done: Unsettled): void {
    if (this.#everything === done) this.#everything = undefined;
    for (const table of [this.#keys, this.#tags]) {
      for (const [name, { failed }] of table) if (failed) this.#forget(table, name);
    }
  }

  get everything(): boolean {
    return this.#everything?.failed === true;
  }

  failedKeys(how: Ending, most: number): string[] {
    return failedIn(this.#keys, how, most);
  }

  failedTags(how: Ending, most: number): string[] {
    return failedIn(this.#tags, how, most);
  }

  #begin(table: Map<string, Unsettled>, names: readonly string[], how: Ending): Unsettled {
    const unsettled: Unsettled = { how, failed: false };
    for (const name of names) {
      const former = table.get(name);
      // What should have been removed before, and may not be yet, is not made good by letting it serve as stale.
      if (former?.how === 'invalidated') unsettled.how = 'invalidated';
      if (former === undefined) this.#characters += name.length;
      table.set(name, unsettled);
    }
    return unsettled;
  }

  #giveUp(): void {
    this.#keys.clear();
    this.#tags.clear();
    this.#characters = 0;
    this.#everything = { how: 'invalidated', failed: true };
  }

  #settle(table: Map<string, Unsettled>, names: readonly string[], done: Unsettled): void {
    for (const name of names) if (table.get(name) === done) this.#forget(table, name);
  }

  #forget(table: Map<string, Unsettled>, name: string): void {
    if (table.delete(name)) this.#characters -= name.length;
  }
}

function failedIn(table: ReadonlyMap<string, Unsettled>, how: Ending, most: number): string[] {
  const names: string[] = [];
  for (const [name, unsettled] of table) {
    if (names.length === most) break;
    if (unsettled.failed && unsettled.how === how) names.push(name);
  }
  return names;
}
