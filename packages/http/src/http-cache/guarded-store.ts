import { isMacadamError, runDetached, type Clock, type Random } from '@macadam/core';
import {
  circuitBreaker,
  consecutiveFailures,
  failureRate,
  pipeline,
  timeout,
  type CircuitBreaker,
  type Policy,
} from '@macadam/resilience';
import type { HttpCacheStore } from './memory-store.ts';
import type { StoredResponse } from './stored-response.ts';
import { isWellFormed } from './well-formed.ts';

/** A store that takes longer is no faster than asking the server. */
const STORE_TIMEOUT_MS = 250;

/** When a store is left alone, and for how long. Source: what `@macadam/cache` does with a shared tier. */
const BREAKER = {
  trip: [consecutiveFailures({ count: 5 }), failureRate({ ratio: 0.5, windowMs: 10_000, minimumCalls: 20 })],
  openMs: 1_000,
  maxOpenMs: 30_000,
  halfOpenProbes: 1,
  captureStack: false,
};

/** What a store did not do. */
export const FAILED: unique symbol = Symbol('failed');

/**
 * A store that may fail, hang, or give back what nobody put there. All that it is asked has a time limit, and while it keeps
 * failing it is asked nothing: else it would cost every call that limit.
 */
export class GuardedStore {
  readonly #store: HttpCacheStore;
  readonly #breaker: CircuitBreaker;
  readonly #guard: Policy;
  /** Times the store failed or was too slow. */
  failures = 0;

  constructor(store: HttpCacheStore, { name, clock, random }: { name: string; clock: Clock; random: Random }) {
    this.#store = store;
    this.#breaker = circuitBreaker({ ...BREAKER, name: `store of HTTP cache ${name}`, clock, random });
    this.#guard = pipeline(timeout({ timeoutMs: STORE_TIMEOUT_MS, clock }), this.#breaker);
  }

  async get(key: string): Promise<readonly StoredResponse[] | undefined> {
    const found: unknown = await this.#ask(() => this.#store.get(key));
    if (found === FAILED || found === undefined || found === null) return undefined;
    if (Array.isArray(found) && found.every(isWellFormed)) return found;
    this.failures++;
    return undefined;
  }

  set(key: string, responses: readonly StoredResponse[], keepForMs: number): Promise<unknown> {
    return this.#ask(() => this.#store.set(key, responses, keepForMs));
  }

  /** Asked for while the store is left alone, too, but not waited for then: others may be given what is outdated. */
  async delete(key: string): Promise<unknown> {
    const operation = (): unknown => this.#store.delete(key);
    if (this.#breaker.admits) return await this.#ask(operation);
    void quietly(operation);
    return FAILED;
  }

  async #ask(operation: () => unknown): Promise<unknown> {
    try {
      // For nobody in particular: that a caller is in a hurry says nothing about the store.
      return await runDetached(() => this.#guard.execute(async () => await operation()));
    } catch (error) {
      if (!isMacadamError(error, 'MAC_CIRCUIT_OPEN')) this.failures++;
      return FAILED;
    }
  }
}

async function quietly(operation: () => unknown): Promise<void> {
  try {
    await operation();
  } catch {
    // Nobody waits for it.
  }
}
