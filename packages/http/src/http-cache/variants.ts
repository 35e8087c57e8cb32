import type { Clock } from '@macadam/core';
import { CacheControl } from './cache-control.ts';
import { credentialsOf, matchesCredentials } from './credentials.ts';
import { responseField } from './fields.ts';
import { currentAgeMs, freshnessLifetimeMs } from './freshness.ts';
import type { HttpCacheStore } from './memory-store.ts';
import { combined } from './ranges.ts';
import { standsInForMs } from './reuse.ts';
import type { CacheMode, StoredResponse } from './stored-response.ts';
import { selects } from './vary.ts';

/** Answers to one URL that are kept beside each other, for different request headers. */
const MOST_VARIANTS = 32;
/** A store that takes longer is no faster than asking the server. */
const STORE_TIMEOUT_MS = 250;
/** What can be asked about is kept so much longer than it is fresh. */
const KEPT_FOR_VALIDATION_MS = 86_400_000;

/** The stored answers of each URL, in a store that may fail or hang. */
export class Variants {
  readonly #store: HttpCacheStore;
  readonly #mode: CacheMode;
  readonly #clock: Clock;
  /** Times the store failed or was too slow. */
  failures = 0;

  constructor(store: HttpCacheStore, mode: CacheMode, clock: Clock) {
    this.#store = store;
    this.#mode = mode;
    this.#clock = clock;
  }

  /** The newest answer that fits the request. */
  async find(url: string, headers: readonly string[]): Promise<StoredResponse | undefined> {
    const all = await this.#all(url);
    if (all === undefined) return undefined;
    const credentials = credentialsOf(headers);
    return all.find((stored) => selects(stored, headers) && matchesCredentials(stored, credentials, this.#mode));
  }

  /** Keeps an answer, in the place of the one it is a newer version of, or together with the one it is a part of. */
  async put(url: string, response: StoredResponse): Promise<void> {
    const before = (await this.#all(url)) ?? [];
    const former = before.find((stored) => isSameVariant(stored, response));
    const whole = former === undefined ? response : (combined(former, response) ?? response);
    const all = [whole, ...before.filter((stored) => !isSameVariant(stored, response))].slice(0, MOST_VARIANTS);
    const now = this.#clock.now();
    const keepForMs = Math.max(...all.map((stored) => usefulForMs(stored, now, this.#mode)));
    await this.#bounded(() => this.#store.set(this.#key(url), all, keepForMs));
  }

  async delete(url: string): Promise<void> {
    await this.#bounded(() => this.#store.delete(this.#key(url)));
  }

  async #all(url: string): Promise<readonly StoredResponse[] | undefined> {
    const found = await this.#bounded(() => this.#store.get(this.#key(url)));
    return Array.isArray(found) ? (found as readonly StoredResponse[]) : undefined;
  }

  /** A URL has no spaces, so that no key can be taken for another. */
  #key(url: string): string {
    return `${this.#mode} ${url}`;
  }

  async #bounded<T>(operation: () => T | Promise<T>): Promise<T | undefined> {
    try {
      const result = operation();
      return result instanceof Promise ? await this.#inTime(result) : result;
    } catch {
      this.failures++;
      return undefined;
    }
  }

  #inTime<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.setTimer(() => reject(new Error('the store is too slow')), STORE_TIMEOUT_MS);
      promise.then(resolve, reject).finally(() => timer.cancel());
    });
  }
}

function isSameVariant(a: StoredResponse, b: StoredResponse): boolean {
  if (a.authorization !== b.authorization || a.cookie !== b.cookie) return false;
  const names = Object.keys(a.selecting);
  if (names.length !== Object.keys(b.selecting).length) return false;
  return names.every((name) => a.selecting[name] === b.selecting[name]);
}

function usefulForMs(stored: StoredResponse, now: number, mode: CacheMode): number {
  const control = new CacheControl(responseField(stored.headers, 'cache-control'));
  const lifetimeMs = freshnessLifetimeMs(stored, control, mode);
  const freshForMs = lifetimeMs - currentAgeMs(stored, now);
  const hasValidator = 'etag' in stored.headers || 'last-modified' in stored.headers;
  const toldSeconds = Math.max(control.seconds('stale-while-revalidate') ?? 0, control.seconds('stale-if-error') ?? 0);
  const staleMs = Math.max(toldSeconds * 1_000, lifetimeMs > 0 ? standsInForMs(control) : 0);
  return Math.max(0, freshForMs) + Math.max(staleMs, hasValidator ? KEPT_FOR_VALIDATION_MS : 0);
}
