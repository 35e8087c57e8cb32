import type { Clock } from '@macadam/core';
import { matchesCredentials, type Asker } from './credentials.ts';
import { FAILED, type GuardedStore } from './guarded-store.ts';
import type { MemoryHttpCacheStore } from './memory-store.ts';
import { combined } from './ranges.ts';
import { usefulForMs } from './reuse.ts';
import type { CacheMode, StoredResponse } from './stored-response.ts';
import { selects } from './vary.ts';

/** Answers to one URL that are kept beside each other, for different request headers. */
const MOST_VARIANTS = 32;

/** How an answer is put into its place. */
export interface Putting {
  /** Whether what is put has become outdated meanwhile. */
  readonly isOutdated: () => boolean;
  /** What it takes the place of, when that was chosen by other fields. */
  readonly instead?: StoredResponse | undefined;
}

/** The stored answers of each URL, in a store that may not do what it is asked. */
export class Variants {
  readonly #store: GuardedStore | MemoryHttpCacheStore;
  readonly #mode: CacheMode;
  readonly #clock: Clock;

  constructor(store: GuardedStore | MemoryHttpCacheStore, mode: CacheMode, clock: Clock) {
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
    if (former !== undefined && this.#isNewer(former, response)) return;
    const whole = former === undefined ? response : (combined(former, response) ?? response);
    const others = before.filter(
      (stored) => !isSameVariant(stored, response) && !(instead !== undefined && isSameVariant(stored, instead)),
    );
    if (isOutdated()) return;
    await this.#write(url, [whole, ...others].slice(0, MOST_VARIANTS));
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
    await this.#store.delete(this.#key(url));
  }

  /** Who asked later got what is newer, however long it takes to read the rest of what was sent before. */
  #isNewer(former: StoredResponse, { requestedAtMs }: StoredResponse): boolean {
    // Not by a clock that has been set back since.
    return former.requestedAtMs > requestedAtMs && former.requestedAtMs <= this.#clock.now();
  }

  #fitting({ headers, credentials }: Asker): (stored: StoredResponse) => boolean {
    return (stored) => selects(stored, headers) && matchesCredentials(stored, credentials, this.#mode);
  }

  async #all(url: string): Promise<readonly StoredResponse[]> {
    return (await this.#store.get(this.#key(url))) ?? [];
  }

  async #write(url: string, all: readonly StoredResponse[]): Promise<unknown> {
    const now = this.#clock.now();
    // In whole milliseconds, as stores count them.
    const keepForMs = Math.ceil(Math.max(...all.map((stored) => usefulForMs(stored, now, this.#mode))));
    const key = this.#key(url);
    return await (keepForMs > 0 ? this.#store.set(key, all, keepForMs) : this.#store.delete(key));
  }

  /** A URL has no spaces, so that no key can be taken for another. */
  #key(url: string): string {
    return `${this.#mode} ${url}`;
  }
}

function isSameVariant(a: StoredResponse, b: StoredResponse): boolean {
  if (a.authorization !== b.authorization || a.cookie !== b.cookie) return false;
  const names = Object.keys(a.selecting);
  if (names.length !== Object.keys(b.selecting).length) return false;
  return names.every((name) => a.selecting[name] === b.selecting[name]);
}
