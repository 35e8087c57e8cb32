import type { Ending } from './tier.ts';

/**
 * How many keys and tags are remembered, and how many characters they may have together. Beyond that, everything in the
 * tier is invalidated.
 */
const MAX_NAMES = 10_000;
const MAX_CHARACTERS = 8_388_608;

/** An invalidation or expiry that the tier has not acknowledged. */
export interface UnsettledInvalidation {
  readonly how: Ending;
  /** Its place in the order in which they began. */
  readonly number: number;
  /** True when it failed, and may or may not have taken effect. False while it is under way. */
  failed: boolean;
}

/**
 * The invalidations by this process that the tier has not acknowledged: those under way, and those that failed and will
 * be replayed. Nothing that they affect is read from the tier, so this process is right at once, and the others as soon
 * as the tier can be reached. Only the latest one per key or tag counts, which bounds the table.
 */
export class UnsettledInvalidations {
  readonly #keys = new Map<string, UnsettledInvalidation>();
  readonly #tags = new Map<string, UnsettledInvalidation>();
  #characters = 0;
  #clear: UnsettledInvalidation | undefined;
  #begun = 0;

  get size(): number {
    return this.#keys.size + this.#tags.size + (this.#clear === undefined ? 0 : 1);
  }

  get hasFailed(): boolean {
    if (this.#clear?.failed === true) return true;
    for (const unsettled of [...this.#keys.values(), ...this.#tags.values()]) if (unsettled.failed) return true;
    return false;
  }

  /** Whether what the tier stores for the key may be older than an invalidation. */
  hasKey(key: string): boolean {
    return this.#clear !== undefined || this.#keys.has(key);
  }

  /** Whether no newer operation on the key has started since. */
  isLatest(key: string, unsettled: UnsettledInvalidation): boolean {
    return this.#keys.get(key) === unsettled;
  }

  hasAnyTag(tags: readonly string[]): boolean {
    return this.#tags.size > 0 && tags.some((tag) => this.#tags.has(tag));
  }

  /**
   * The keys by how they have to be ended. A removal that may not have taken effect must not be downgraded to an expiry,
   * which would allow serving the value stale.
   */
  keysByEnding(keys: readonly string[], how: Ending): NamesByEnding {
    return byEnding(this.#keys, keys, how);
  }

  /** The same for tags. */
  tagsByEnding(tags: readonly string[], how: Ending): NamesByEnding {
    return byEnding(this.#tags, tags, how);
  }

  beginKeys(keys: readonly string[], how: Ending): UnsettledInvalidation {
    return this.#begin(this.#keys, keys, how);
  }

  beginTags(tags: readonly string[], how: Ending): UnsettledInvalidation {
    return this.#begin(this.#tags, tags, how);
  }

  beginClear(): UnsettledInvalidation {
    this.#clear = this.#next('invalidated', false);
    return this.#clear;
  }

  /**
   * Marks it as failed, to be replayed. The bounds are checked here: what is under way is already held by its callers.
   */
  fail(unsettled: UnsettledInvalidation): void {
    unsettled.failed = true;
    if (this.size > MAX_NAMES || this.#characters > MAX_CHARACTERS) this.#collapseToClear();
  }

  /** Removes it from the keys, except where a newer operation has started since. */
  settleKeys(keys: readonly string[], settled: UnsettledInvalidation): void {
    this.#settle(this.#keys, keys, settled);
  }

  settleTags(tags: readonly string[], settled: UnsettledInvalidation): void {
    this.#settle(this.#tags, tags, settled);
  }

  /**
   * The acknowledged clear also covers what began before it and has failed, but nothing that began while it was under
   * way: the tier may have stored a value after the clear and before that invalidation.
   */
  settleClear(settled: UnsettledInvalidation): void {
    if (this.#clear === settled) this.#clear = undefined;
    for (const table of [this.#keys, this.#tags]) {
      for (const [name, { failed, number }] of table) {
        if (failed && number < settled.number) this.#delete(table, name);
      }
    }
  }

  get hasFailedClear(): boolean {
    return this.#clear?.failed === true;
  }

  failedKeys(how: Ending, limit: number): string[] {
    return failedNames(this.#keys, how, limit);
  }

  failedTags(how: Ending, limit: number): string[] {
    return failedNames(this.#tags, how, limit);
  }

  #begin(table: Map<string, UnsettledInvalidation>, names: readonly string[], how: Ending): UnsettledInvalidation {
    const unsettled = this.#next(how, false);
    for (const name of names) {
      // Deleted first, so that it moves to the end: a replay that fails again must not keep the others from their turn.
      this.#delete(table, name);
      this.#characters += name.length;
      table.set(name, unsettled);
    }
    return unsettled;
  }

  #next(how: Ending, failed: boolean): UnsettledInvalidation {
    return { how, number: ++this.#begun, failed };
  }

  #collapseToClear(): void {
    this.#keys.clear();
    this.#tags.clear();
    this.#characters = 0;
    this.#clear = this.#next('invalidated', true);
  }

  #settle(table: Map<string, UnsettledInvalidation>, names: readonly string[], settled: UnsettledInvalidation): void {
    for (const name of names) if (table.get(name) === settled) this.#delete(table, name);
  }

  #delete(table: Map<string, UnsettledInvalidation>, name: string): void {
    if (table.delete(name)) this.#characters -= name.length;
  }
}

/** The names to end in each way; most often all are to be ended in the same. */
export type NamesByEnding = readonly (readonly [how: Ending, names: readonly string[]])[];

function byEnding(
  table: ReadonlyMap<string, UnsettledInvalidation>,
  names: readonly string[],
  how: Ending,
): NamesByEnding {
  const isRemoved = (name: string): boolean => table.get(name)?.how === 'invalidated';
  if (how === 'invalidated' || !names.some(isRemoved)) return [[how, names]];
  return [
    ['invalidated', names.filter(isRemoved)],
    [how, names.filter((name) => !isRemoved(name))],
  ];
}

function failedNames(table: ReadonlyMap<string, UnsettledInvalidation>, how: Ending, limit: number): string[] {
  const names: string[] = [];
  for (const [name, unsettled] of table) {
    if (names.length === limit) break;
    if (unsettled.failed && unsettled.how === how) names.push(name);
  }
  return names;
}
