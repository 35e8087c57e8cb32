import { RecencyMap, type Clock } from '@macadam/core';
import { matchesCredentials, type Asker } from './credentials.ts';
import { MemoryHttpCacheStore, type HttpCacheStore } from './memory-store.ts';
import { combined } from './ranges.ts';
import { usefulForMs } from './reuse.ts';
import type { CacheMode, StoredResponse } from './stored-response.ts';
import { selects } from './vary.ts';
import { isWellFormed } from './well-formed.ts';

/** Answers to one URL that are kept beside each other, for different request headers. */
const MOST_VARIANTS = 32;
/** A store that takes longer is no faster than asking the server. */
const STORE_TIMEOUT_MS = 250;
/** URLs that the store has not been made to forget. */
const MOST_UNFORGOTTEN = 1_000;

/** What a store did not do. */
const FAILED = Symbol('failed');

/** How an answer is put into its place. */
export interface Putting {
  /** Whether what is put has become outdated meanwhile. */
  readonly isOutdated: () => boolean;
  /** What it takes the place of, when that was chosen by other fields. */
  readonly instead?: StoredResponse | undefined;
}

/** The stored answers of each URL, in a store that may fail, hang, or give back what nobody put there. */
export class Variants {
  readonly #store: HttpCacheStore;
  readonly #mode: CacheMode;
  readonly #clock: Clock;
  /** When these were to be forgotten, which the store has not done yet: what it has of before is not to be used. */
  readonly #unforgotten = new RecencyMap<string, number>();
  /** Times the store failed or was too slow. */
  failures = 0;

  constructor(store: HttpCacheStore, mode: CacheMode, clock: Clock) {
    this.#store = store;
    this.#mode = mode;
    this.#clock = clock;
  }

  /** The newest answer that fits the request. */
  async find(url: string, asker: Asker): Promise<StoredResponse | undefined> {
    return (await this.#all(url)).find(this.#fitting(asker));
  }

  /** Keeps an answer, in the place of the one it is a newer version of, or together with the one it is a part of. */
  async put(url: string, response: StoredResponse, { isOutdated, instead }: Putting): Promise<void> {
    const before = await this.#all(url);
    const former = before.find((stored) => isSameVariant(stored, response));
    const whole = former === undefined ? response : (combined(former, response) ?? response);
    const others = before.filter(
      (stored) => !isSameVariant(stored, response) && !(instead !== undefined && isSameVariant(stored, instead)),
    );
    if (isOutdated()) return;
    const done = await this.#write(url, [whole, ...others].slice(0, MOST_VARIANTS));
    if (done !== FAILED) this.#unforgotten.delete(url);
    // A store may do what it is asked to in another order.
    if (isOutdated()) await this.delete(url);
  }

  /** Forgets what fits a request, older answers too, and keeps what lies beside it. */
  async drop(url: string, asker: Asker): Promise<void> {
    const fits = this.#fitting(asker);
    const others = (await this.#all(url)).filter((stored) => !fits(stored));
    if (others.length === 0 || (await this.#write(url, others)) === FAILED) await this.delete(url);
  }

  async delete(url: string): Promise<void> {
    const now = this.#clock.now();
    this.#unforgotten.set(url, now);
    if (this.#unforgotten.size > MOST_UNFORGOTTEN) this.#unforgotten.deleteOldest();
    const done = await this.#bounded(() => this.#store.delete(this.#key(url)));
    if (done !== FAILED && this.#unforgotten.peek(url) === now) this.#unforgotten.delete(url);
  }

  #fitting({ headers, credentials }: Asker): (stored: StoredResponse) => boolean {
    return (stored) => selects(stored, headers) && matchesCredentials(stored, credentials, this.#mode);
  }

  async #all(url: string): Promise<readonly StoredResponse[]> {
    const found = await this.#bounded(() => this.#store.get(this.#key(url)));
    if (found === FAILED || found === undefined || found === null) return [];
    if (this.#store instanceof MemoryHttpCacheStore) return found;
    if (!Array.isArray(found) || !found.every(isWellFormed)) {
      this.failures++;
      return [];
    }
    const endedAt = this.#unforgotten.peek(url);
    return endedAt === undefined ? found : found.filter(({ requestedAt }) => requestedAt > endedAt);
  }

  #write(url: string, all: readonly StoredResponse[]): Promise<unknown> {
    const now = this.#clock.now();
    // In whole milliseconds, as stores count them.
    const keepForMs = Math.ceil(Math.max(...all.map((stored) => usefulForMs(stored, now, this.#mode))));
    const key = this.#key(url);
    return this.#bounded(() => (keepForMs > 0 ? this.#store.set(key, all, keepForMs) : this.#store.delete(key)));
  }

  /** A URL has no spaces, so that no key can be taken for another. */
  #key(url: string): string {
    return `${this.#mode} ${url}`;
  }

  async #bounded<T>(operation: () => T | PromiseLike<T>): Promise<T | typeof FAILED> {
    try {
      const result = operation();
      return isPromise(result) ? await this.#inTime(result) : result;
    } catch {
      this.failures++;
      return FAILED;
    }
  }

  #inTime<T>(promise: PromiseLike<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.setTimer(() => reject(new Error('the store is too slow')), STORE_TIMEOUT_MS);
      Promise.resolve(promise)
        .then(resolve, reject)
        .finally(() => timer.cancel());
    });
  }
}

/** Also one of another kind, or of another realm. */
function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as PromiseLike<T> | undefined)?.then === 'function';
}

function isSameVariant(a: StoredResponse, b: StoredResponse): boolean {
  if (a.authorization !== b.authorization || a.cookie !== b.cookie) return false;
  const names = Object.keys(a.selecting);
  if (names.length !== Object.keys(b.selecting).length) return false;
  return names.every((name) => a.selecting[name] === b.selecting[name]);
}
