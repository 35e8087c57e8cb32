/**
 * A `cache.store` of the user, which may fail, hang or return what was never stored.
 *
 * - Each operation has a time limit. After repeated failures a circuit breaker skips operations for a while; otherwise every
 *   call would wait for that limit.
 * - An invalidated response is never served again, even when its deletion fails or when a write that was given up arrives
 *   after the deletion: `PendingInvalidations` filters what is read, and the deletion is repeated.
 */
import { isMacadamError, RecencyMap, runDetached, type Clock, type Random } from '@macadam/core';
import {
  circuitBreaker,
  consecutiveFailures,
  failureRate,
  pipeline,
  timeout,
  type CircuitBreaker,
  type Policy,
} from '@macadam/resilience';
import { digest } from '../digest.ts';
import { STORE_FAILED, type HttpCacheStore } from './memory-store.ts';
import { PendingInvalidations, type Invalidation } from './pending-invalidations.ts';
import type { StoredResponse } from './stored-response.ts';
import { isWellFormed } from './well-formed.ts';

/** A store that takes longer is no faster than the origin. */
const OPERATION_TIMEOUT_MS = 250;

/** When operations are skipped, and for how long. Source: the shared tier of `@macadam/cache`. */
const BREAKER = {
  trip: [consecutiveFailures({ count: 5 }), failureRate({ ratio: 0.5, windowMs: 10_000, minimumCalls: 20 })],
  openMs: 1_000,
  maxOpenMs: 30_000,
  halfOpenProbes: 1,
  captureStack: false,
};

/** Maximum number of keys with unfinished writes that are tracked: those of a store that hangs never finish. */
const MAX_TRACKED_WRITES = 1_000;

interface UnfinishedWrites {
  count: number;
  /** Deletions of the key since the first of these writes began. */
  deletions: number;
}

export class GuardedStore {
  readonly #store: HttpCacheStore;
  readonly #breaker: CircuitBreaker;
  readonly #guard: Policy;
  /** Writes that the store has not finished, by key, including those that timed out here. */
  readonly #unfinishedWrites = new RecencyMap<string, UnfinishedWrites>();
  readonly #clock: Clock;
  readonly #invalidations = new PendingInvalidations();
  /** The deletion that is being retried. */
  #retrying: { readonly key: string; readonly done: Promise<unknown> } | undefined;
  /** Operations that failed or timed out. */
  failures = 0;

  constructor(store: HttpCacheStore, { name, clock, random }: { name: string; clock: Clock; random: Random }) {
    this.#store = store;
    this.#clock = clock;
    this.#breaker = circuitBreaker({ ...BREAKER, name: `store of HTTP cache ${name}`, clock, random });
    this.#guard = pipeline(timeout({ timeoutMs: OPERATION_TIMEOUT_MS, clock }), this.#breaker);
  }

  async get(cacheKey: string): Promise<readonly StoredResponse[] | undefined> {
    const key = storeKey(cacheKey);
    // An invalidation may begin, or be settled, while the store reads what it has from before.
    const invalidatedBeforeMs = this.#invalidations.invalidatedAtMs(key);
    const found: unknown = await this.#run(() => this.#store.get(key));
    if (found === STORE_FAILED || found === undefined || found === null) return undefined;
    if (!Array.isArray(found) || !found.every(isWellFormed)) {
      this.failures++;
      return undefined;
    }
    const invalidatedAtMs = Math.max(invalidatedBeforeMs, this.#invalidations.invalidatedAtMs(key));
    if (invalidatedAtMs === -Infinity) return found;
    return found.filter(({ requestedAtMs }) => requestedAtMs > invalidatedAtMs);
  }

  async set(cacheKey: string, responses: readonly StoredResponse[], ttlMs: number): Promise<unknown> {
    const key = storeKey(cacheKey);
    const isOnlyWrite = this.#unfinishedWrites.peek(key) === undefined;
    const invalidation = this.#invalidations.get(key);
    // Tracked from here on, so that a deletion during the wait below counts for this write.
    const finish = this.#trackWrite(key);
    // A retried deletion must not remove what is written now.
    if (this.#retrying?.key === key) await this.#retrying.done;
    let hasBegun = false;
    const result = await this.#run(async () => {
      hasBegun = true;
      try {
        await this.#store.set(key, responses, ttlMs);
      } finally {
        finish();
      }
    });
    if (!hasBegun) finish();
    // An earlier unfinished write may still overwrite this one.
    if (!isOnlyWrite || result === STORE_FAILED) return STORE_FAILED;
    this.#invalidations.settle(key, invalidation);
    return result;
  }

  /**
   * Deletes what is stored for a key. While the breaker is open the deletion is sent all the same, because other processes
   * may use the store, but it is not awaited. A deletion that fails is retried after the next operation that succeeds.
   */
  async delete(cacheKey: string): Promise<void> {
    const key = storeKey(cacheKey);
    const invalidation = this.#invalidations.add(key, this.#clock.now());
    if (this.#breaker.admits) {
      await this.#delete(key, invalidation);
      return;
    }
    invalidation.needsRetry = true;
    this.#countDeletion(key);
    void ignoringErrors(() => this.#store.delete(key));
  }

  async #delete(key: string, invalidation: Invalidation): Promise<unknown> {
    const hasUnfinishedWrites = this.#countDeletion(key);
    const result = await this.#run(() => this.#store.delete(key));
    invalidation.needsRetry = result === STORE_FAILED || hasUnfinishedWrites;
    if (!invalidation.needsRetry) this.#invalidations.settle(key, invalidation);
    return result;
  }

  /** Notes a deletion for the unfinished writes of the key, which may reach the store after it. Returns whether there are any. */
  #countDeletion(key: string): boolean {
    const writes = this.#unfinishedWrites.peek(key);
    if (writes !== undefined) writes.deletions++;
    return writes !== undefined;
  }

  /** Retries failed deletions, one after the other, until one fails again. */
  async #retryDeletions(): Promise<void> {
    if (this.#retrying !== undefined) return;
    for (let next = this.#nextDeletion(); next !== undefined; next = this.#nextDeletion()) {
      this.#retrying = { key: next[0], done: this.#delete(...next) };
      if ((await this.#retrying.done) === STORE_FAILED) break;
    }
    this.#retrying = undefined;
  }

  #nextDeletion(): readonly [key: string, invalidation: Invalidation] | undefined {
    return this.#invalidations.firstToRetry((key) => this.#unfinishedWrites.peek(key) === undefined);
  }

  /** Counts a write as unfinished until the returned function is called. */
  #trackWrite(key: string): () => void {
    const writes = this.#unfinishedWrites.peek(key) ?? { count: 0, deletions: 0 };
    const { deletions } = writes;
    writes.count++;
    this.#unfinishedWrites.set(key, writes);
    if (this.#unfinishedWrites.size > MAX_TRACKED_WRITES) this.#unfinishedWrites.deleteOldest();
    return () => {
      if (--writes.count === 0 && this.#unfinishedWrites.peek(key) === writes) this.#unfinishedWrites.delete(key);
      // The key was deleted while this write, which may have timed out long ago, was unfinished.
      if (writes.deletions > deletions) void ignoringErrors(() => this.#store.delete(key));
    };
  }

  async #run(operation: () => unknown): Promise<unknown> {
    try {
      // Detached from the caller's work: a short deadline of one caller says nothing about the store.
      const result = await runDetached(() => this.#guard.execute(async () => await operation()));
      void this.#retryDeletions();
      return result;
    } catch (error) {
      if (!isMacadamError(error, 'MAC_CIRCUIT_OPEN')) this.failures++;
      return STORE_FAILED;
    }
  }
}

/**
 * The key given to the store. Tools and logs of a store show keys, and a query may hold a secret: it is always replaced by
 * a digest, so that two cache keys never share a store key.
 */
function storeKey(cacheKey: string): string {
  const at = cacheKey.indexOf('?');
  return at < 0 ? cacheKey : `${cacheKey.slice(0, at)}?${digest(cacheKey.slice(at + 1))}`;
}

async function ignoringErrors(operation: () => unknown): Promise<void> {
  try {
    await operation();
  } catch {
    // Nobody waits for the result; the invalidation stays pending and is retried.
  }
}
