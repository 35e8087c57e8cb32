import type { Ending } from './tier.ts';

/**
 * How many keys and tags are remembered, and how many characters they may have together. Beyond that, everything in the
 * tier is invalidated.
 */
const MAX_NAMES = 10_000;
const MAX_CHARACTERS = 8_388_608;

/** An invalidation or expiry that the tier has not acknowledged. */
export interface UnsettledInvalidation {
  how: Ending;
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

  beginKeys(keys: readonly string[], how: Ending): UnsettledInvalidation {
    return this.#begin(this.#keys, keys, how);
  }

  beginTags(tags: readonly string[], how: Ending): UnsettledInvalidation {
    return this.#begin(this.#tags, tags, how);
  }

  beginClear(): UnsettledInvalidation {
    const unsettled: UnsettledInvalidation = { how: 'invalidated', failed: false };
    this.#clear = unsettled;
    return unsettled;
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

  /** The acknowledged clear also covers everything that had failed before it. */
  settleClear(settled: UnsettledInvalidation): void {
    if (this.#clear === settled) this.#clear = undefined;
    for (const table of [this.#keys, this.#tags]) {
      for (const [name, { failed }] of table) if (failed) this.#delete(table, name);
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
    const unsettled: UnsettledInvalidation = { how, failed: false };
    for (const name of names) {
      const previous = table.get(name);
      // A removal that may not have taken effect must not be downgraded to an expiry, which would allow serving the
      // value stale.
      if (previous?.how === 'invalidated') unsettled.how = 'invalidated';
      if (previous === undefined) this.#characters += name.length;
      table.set(name, unsettled);
    }
    return unsettled;
  }

  #collapseToClear(): void {
    this.#keys.clear();
    this.#tags.clear();
    this.#characters = 0;
    this.#clear = { how: 'invalidated', failed: true };
  }

  #settle(table: Map<string, UnsettledInvalidation>, names: readonly string[], settled: UnsettledInvalidation): void {
    for (const name of names) if (table.get(name) === settled) this.#delete(table, name);
  }

  #delete(table: Map<string, UnsettledInvalidation>, name: string): void {
    if (table.delete(name)) this.#characters -= name.length;
  }
}

function failedNames(table: ReadonlyMap<string, UnsettledInvalidation>, how: Ending, limit: number): string[] {
  const names: string[] = [];
  for (const [name, unsettled] of table) {
    if (names.length === limit) break;
    if (unsettled.failed && unsettled.how === how) names.push(name);
  }
  return names;
}
