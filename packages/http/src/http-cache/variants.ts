import type { Clock } from '@macadam/core';
import { ChangeQueue, type Change } from './change-queue.ts';
import { matchesCredentials, type PresentedRequest } from './credentials.ts';
import type { GuardedStore } from './guarded-store.ts';
import { STORE_FAILED, type MemoryHttpCacheStore } from './memory-store.ts';
import { combineParts } from './ranges.ts';
import { Receipts } from './receipts.ts';
import { usableForMs } from './reuse.ts';
import type { CacheMode, StoredResponse } from './stored-response.ts';
import { matchesSelectingFields } from './vary.ts';

/** Maximum number of stored responses per URL, for different selecting fields and credentials. */
const MAX_VARIANTS = 32;

export interface ChangeOptions {
  /** Whether the URL was invalidated after the response was requested. */
  readonly isInvalidated: () => boolean;
}

export interface PutOptions extends ChangeOptions {
  /** A stored response that the new one replaces, although other selecting fields or credentials select it. */
  readonly replaced?: StoredResponse | undefined;
  /** Whether it is only an update of `replaced`, which must still be stored. */
  readonly isUpdate: boolean;
}

/** The stored responses of each URL, newest first: one per combination of selecting fields and credentials. */
export class Variants {
  readonly #store: GuardedStore | MemoryHttpCacheStore;
  readonly #clock: Clock;
  readonly #mode: CacheMode;
  /** The longest body that parts are combined to, in bytes. */
  readonly #maxBytes: number;
  readonly #changes = new ChangeQueue((url, changes) => this.#make(url, changes));
  readonly receipts: Receipts;

  constructor(
    store: GuardedStore | MemoryHttpCacheStore,
    clock: Clock,
    { mode, maxBytes }: { readonly mode: CacheMode; readonly maxBytes: number },
  ) {
    this.#store = store;
    this.#clock = clock;
    this.#mode = mode;
    this.#maxBytes = maxBytes;
    this.receipts = new Receipts(clock);
  }

  /** The newest stored response that matches the request. */
  async find(url: string, presented: PresentedRequest): Promise<StoredResponse | undefined> {
    return (await this.#read(url)).find(this.#matcher(presented));
  }

  /**
   * Stores a response. Replaces an older one of the same variant, or combines both if they are parts. Resolves with whether
   * it was stored.
   */
  put(url: string, response: StoredResponse, { isInvalidated, replaced, isUpdate }: PutOptions): Promise<boolean> {
    const isReplaced = (other: StoredResponse): boolean => replaced !== undefined && isSameVariant(other, replaced);
    const apply = (stored: readonly StoredResponse[]): readonly StoredResponse[] => {
      if (isUpdate && !stored.some(isReplaced)) return stored;
      const previous = stored.find((other) => isSameVariant(other, response));
      if (previous !== undefined && this.#isNewer(previous, response)) return stored;
      const combined = previous && combineParts(previous, response, this.#maxBytes);
      const others = stored.filter((other) => !isSameVariant(other, response) && !isReplaced(other));
      this.receipts.add(combined ?? response, replaced);
      return [combined ?? response, ...others].slice(0, MAX_VARIANTS);
    };
    return this.#changes.add(url, { isInvalidated, isRemoval: false, apply });
  }

  /** Deletes all stored responses that match a request, older ones too, and keeps the others of the URL. */
  async deleteMatching(url: string, presented: PresentedRequest, { isInvalidated }: ChangeOptions): Promise<void> {
    const matches = this.#matcher(presented);
    const apply = (stored: readonly StoredResponse[]): StoredResponse[] => stored.filter((other) => !matches(other));
    await this.#changes.add(url, { isInvalidated, isRemoval: true, apply });
  }

  async delete(url: string): Promise<void> {
    await this.#store.delete(this.#cacheKey(url));
  }

  async #make(url: string, changes: readonly Change[]): Promise<ReadonlySet<Change>> {
    const made = new Set<Change>();
    const before = await this.#read(url);
    let responses = before;
    for (const change of changes) {
      if (change.isInvalidated()) continue;
      const after = change.apply(responses);
      if (after !== responses) made.add(change);
      responses = after;
    }
    if (made.size === 0) return made;
    const isWritten = responses.length > 0 && (await this.#write(url, responses)) !== STORE_FAILED;
    const changesMade = [...made];
    const isLeft = !isWritten && changesMade.some(({ isRemoval }) => isRemoval);
    // The invalidation may have reached the store before this write.
    if (isLeft || changesMade.some(({ isInvalidated }) => isInvalidated())) await this.delete(url);
    return isWritten ? made : new Set();
  }

  /** Whether a stored response was requested later. The body of the other may just have taken longer to read. */
  #isNewer(stored: StoredResponse, { requestedAtMs }: StoredResponse): boolean {
    // A time ahead of the clock is from before the clock was set back, and says nothing.
    return stored.requestedAtMs > requestedAtMs && stored.requestedAtMs <= this.#clock.now();
  }

  #matcher({ headers, credentials }: PresentedRequest): (stored: StoredResponse) => boolean {
    return (stored) => matchesSelectingFields(stored, headers) && matchesCredentials(stored, credentials, this.#mode);
  }

  async #read(url: string): Promise<readonly StoredResponse[]> {
    return (await this.#store.get(this.#cacheKey(url))) ?? [];
  }

  async #write(url: string, responses: readonly StoredResponse[]): Promise<unknown> {
    const now = this.#clock.now();
    // Stores such as Redis accept whole milliseconds only.
    const ttlMs = Math.ceil(Math.max(...responses.map((stored) => usableForMs(stored, now, this.#mode))));
    const key = this.#cacheKey(url);
    return await (ttlMs > 0 ? this.#store.set(key, responses, ttlMs) : this.#store.delete(key));
  }

  /** Unambiguous: a URL contains no space. */
  #cacheKey(url: string): string {
    return `${this.#mode} ${url}`;
  }
}

function isSameVariant(a: StoredResponse, b: StoredResponse): boolean {
  if (a.authorization !== b.authorization || a.cookie !== b.cookie) return false;
  const names = Object.keys(a.selecting);
  if (names.length !== Object.keys(b.selecting).length) return false;
  return names.every((name) => a.selecting[name] === b.selecting[name]);
}
