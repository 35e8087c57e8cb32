import type { Clock } from '@macadam/core';
import { matchesCredentials, type PresentedRequest } from './credentials.ts';
import { STORE_FAILED, type GuardedStore } from './guarded-store.ts';
import type { MemoryHttpCacheStore } from './memory-store.ts';
import { combineParts } from './ranges.ts';
import { usableForMs } from './reuse.ts';
import type { CacheMode, StoredResponse } from './stored-response.ts';
import { matchesSelectingFields } from './vary.ts';

/** Maximum number of stored responses per URL, for different selecting fields and credentials. */
const MAX_VARIANTS = 32;

export interface PutOptions {
  /** Whether the URL was invalidated after the response was requested. */
  readonly isInvalidated: () => boolean;
  /** A stored response that the new one replaces, although other selecting fields or credentials select it. */
  readonly replaced?: StoredResponse | undefined;
}

/** The stored responses of each URL, newest first: one per combination of selecting fields and credentials. */
export class Variants {
  readonly #store: GuardedStore | MemoryHttpCacheStore;
  readonly #mode: CacheMode;
  readonly #clock: Clock;

  constructor(store: GuardedStore | MemoryHttpCacheStore, mode: CacheMode, clock: Clock) {
    this.#store = store;
    this.#mode = mode;
    this.#clock = clock;
  }

  /** The newest stored response that matches the request. */
  async find(url: string, presented: PresentedRequest): Promise<StoredResponse | undefined> {
    return (await this.#read(url)).find(this.#matcher(presented));
  }

  /** Stores a response. Replaces an older one of the same variant, or combines both if they are parts. */
  async put(url: string, response: StoredResponse, { isInvalidated, replaced }: PutOptions): Promise<void> {
    const stored = await this.#read(url);
    const previous = stored.find((other) => isSameVariant(other, response));
    if (previous !== undefined && this.#isNewer(previous, response)) return;
    const combined = previous === undefined ? response : (combineParts(previous, response) ?? response);
    const others = stored.filter(
      (other) => !isSameVariant(other, response) && !(replaced !== undefined && isSameVariant(other, replaced)),
    );
    if (isInvalidated()) return;
    await this.#write(url, [combined, ...others].slice(0, MAX_VARIANTS));
    // The invalidation may have reached the store before this write.
    if (isInvalidated()) await this.delete(url);
  }

  /** Deletes all stored responses that match a request, older ones too, and keeps the others of the URL. */
  async deleteMatching(url: string, presented: PresentedRequest): Promise<void> {
    const matches = this.#matcher(presented);
    const others = (await this.#read(url)).filter((stored) => !matches(stored));
    if (others.length === 0 || (await this.#write(url, others)) === STORE_FAILED) await this.delete(url);
  }

  async delete(url: string): Promise<void> {
    await this.#store.delete(this.#cacheKey(url));
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
