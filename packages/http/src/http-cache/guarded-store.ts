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
import type { HttpCacheStore } from './memory-store.ts';
import type { StoredResponse } from './stored-response.ts';
import { Unforgotten, type Ending } from './unforgotten.ts';
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

/** Keys under which something is being put, of a store that hangs. */
const MOST_PUTS = 1_000;

interface Puts {
  /** That are not done yet. */
  open: number;
  /** How often it was to be forgotten since there was one. */
  deletions: number;
}

/** What a store did not do, or what may not last. */
export const FAILED: unique symbol = Symbol('failed');

/**
 * A store that may fail, hang, or give back what nobody put there. All that it is asked has a time limit, and while it keeps
 * failing it is asked nothing: else it would cost every call that limit.
 */
export class GuardedStore {
  readonly #store: HttpCacheStore;
  readonly #breaker: CircuitBreaker;
  readonly #guard: Policy;
  /** What is being put where, which the store goes on with when nobody waits for it any more. */
  readonly #puts = new RecencyMap<string, Puts>();
  readonly #clock: Clock;
  /** What it has of before these were to be forgotten is not to be used. */
  readonly #unforgotten = new Unforgotten();
  /** What it is being told again. */
  #catchingUp: { readonly key: string; readonly done: Promise<unknown> } | undefined;
  /** Times the store failed or was too slow. */
  failures = 0;

  constructor(store: HttpCacheStore, { name, clock, random }: { name: string; clock: Clock; random: Random }) {
    this.#store = store;
    this.#clock = clock;
    this.#breaker = circuitBreaker({ ...BREAKER, name: `store of HTTP cache ${name}`, clock, random });
    this.#guard = pipeline(timeout({ timeoutMs: STORE_TIMEOUT_MS, clock }), this.#breaker);
  }

  async get(place: string): Promise<readonly StoredResponse[] | undefined> {
    const key = keyOf(place);
    const found: unknown = await this.#ask(() => this.#store.get(key));
    if (found === FAILED || found === undefined || found === null) return undefined;
    if (!Array.isArray(found) || !found.every(isWellFormed)) {
      this.failures++;
      return undefined;
    }
    const endedAt = this.#unforgotten.endedAt(key);
    return endedAt === -Infinity ? found : found.filter(({ requestedAtMs }) => requestedAtMs > endedAt);
  }

  async set(place: string, responses: readonly StoredResponse[], keepForMs: number): Promise<unknown> {
    const key = keyOf(place);
    // What is new must not go with what was before.
    if (this.#catchingUp?.key === key) await this.#catchingUp.done;
    const isFirst = this.#puts.peek(key) === undefined;
    const ended = this.#unforgotten.of(key);
    const done = await this.#ask(() => this.#put(key, responses, keepForMs));
    // What was put there before, and is not done yet, may take its place.
    if (!isFirst || done === FAILED) return FAILED;
    this.#unforgotten.done(key, ended);
    return done;
  }

  /**
   * Asked for while the store is left alone, too, but not waited for then: others may be given what is outdated. What it
   * fails to forget it is asked again when it has done something else.
   */
  async delete(place: string): Promise<void> {
    const key = keyOf(place);
    const ending = this.#unforgotten.add(key, this.#clock.now());
    if (this.#breaker.admits) {
      await this.#forget(key, ending);
      return;
    }
    ending.isOwed = true;
    this.#outdatePuts(key);
    void quietly(() => this.#store.delete(key));
  }

  async #forget(key: string, ending: Ending): Promise<unknown> {
    const isBeingPut = this.#outdatePuts(key);
    const done = await this.#ask(() => this.#store.delete(key));
    ending.isOwed = done === FAILED || isBeingPut;
    if (!ending.isOwed) this.#unforgotten.done(key, ending);
    return done;
  }

  /** What is being put under the key may be done after what was to end it. */
  #outdatePuts(key: string): boolean {
    const puts = this.#puts.peek(key);
    if (puts !== undefined) puts.deletions++;
    return puts !== undefined;
  }

  /** Has the store do what it failed to do, one after the other, until it fails again. */
  async #catchUp(): Promise<void> {
    if (this.#catchingUp !== undefined) return;
    for (let owed = this.#firstOwed(); owed !== undefined; owed = this.#firstOwed()) {
      this.#catchingUp = { key: owed[0], done: this.#forget(...owed) };
      if ((await this.#catchingUp.done) === FAILED) break;
    }
    this.#catchingUp = undefined;
  }

  #firstOwed(): readonly [key: string, ending: Ending] | undefined {
    return this.#unforgotten.firstOwed((key) => this.#puts.peek(key) === undefined);
  }

  async #put(key: string, responses: readonly StoredResponse[], keepForMs: number): Promise<void> {
    const puts = this.#puts.peek(key) ?? { open: 0, deletions: 0 };
    const { deletions } = puts;
    puts.open++;
    this.#puts.set(key, puts);
    if (this.#puts.size > MOST_PUTS) this.#puts.deleteOldest();
    try {
      await this.#store.set(key, responses, keepForMs);
    } finally {
      if (--puts.open === 0 && this.#puts.peek(key) === puts) this.#puts.delete(key);
      // Given up long ago, maybe, and done after what was to end it.
      if (puts.deletions > deletions) void quietly(() => this.#store.delete(key));
    }
  }

  async #ask(operation: () => unknown): Promise<unknown> {
    try {
      // For nobody in particular: that a caller is in a hurry says nothing about the store.
      const done = await runDetached(() => this.#guard.execute(async () => await operation()));
      void this.#catchUp();
      return done;
    } catch (error) {
      if (!isMacadamError(error, 'MAC_CIRCUIT_OPEN')) this.failures++;
      return FAILED;
    }
  }
}

/**
 * What the answers to a URL lie under. Keys are shown, by the tools and the logs of a store, and a query may hold a secret: it
 * becomes a digest, always, so that no key can be taken for another.
 */
function keyOf(place: string): string {
  const at = place.indexOf('?');
  return at < 0 ? place : `${place.slice(0, at)}?${digest(place.slice(at + 1))}`;
}

async function quietly(operation: () => unknown): Promise<void> {
  try {
    await operation();
  } catch {
    // Nobody waits for it.
  }
}
