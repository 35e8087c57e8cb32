import { AsyncResource } from 'node:async_hooks';
import { runAtRoot, runDetached } from '@macadam/core';
import type { LoadedMany, LoaderOfMany, LoadManyContext, StaleValue } from './cache.ts';
import { CacheValueError } from './errors.ts';
import type { FlightContext } from './flight-context.ts';
import type { PendingBatch } from './flight.ts';
import type { LoadSlots } from './load-slots.ts';

/**
 * One call of a bulk loader that serves the loads of many keys. Each key keeps its own flight, with its own fencing,
 * tags and timeout.
 */
export class Batch<T> implements LoadManyContext<T>, PendingBatch {
  readonly #loader: LoaderOfMany<T>;
  readonly #slots: LoadSlots | undefined;
  /** The async context of the call that created the batch. */
  readonly #asyncScope = new AsyncResource('MacadamBatch');
  /** Keys of which it is not decided whether they need a load, plus 1 while the caller is still adding keys. */
  #undecided = 1;
  readonly #contexts = new Map<string, FlightContext<T>>();
  #resolve!: (values: ReadonlyMap<string, T> | PromiseLike<ReadonlyMap<string, T>>) => void;
  #reject!: (error: unknown) => void;
  readonly #values = new Promise<ReadonlyMap<string, T>>((resolve, reject) => {
    this.#resolve = resolve;
    this.#reject = reject;
  });

  /** @param slots undefined for a load that has a slot already: waiting for another could be waiting for itself */
  constructor(loader: LoaderOfMany<T>, slots: LoadSlots | undefined) {
    this.#loader = loader;
    this.#slots = slots;
  }

  /** The loader of one key: adds it to the batch and waits for the result of the batch. */
  readonly load = async (context: FlightContext<T>): Promise<T | undefined> => {
    this.#contexts.set(context.key, context);
    return (await this.#values).get(context.key);
  };

  join(): void {
    this.#undecided++;
  }

  /** Calls the bulk loader when every key is decided: added to the batch, or not needed. */
  leave(): void {
    if (--this.#undecided === 0) this.#callLoader();
  }

  #callLoader(): void {
    if (this.#contexts.size === 0) return;
    if (this.#slots === undefined) void this.#loadInSlot();
    else this.#slots.run(() => this.#loadInSlot(), this.#reject);
  }

  /** Settles at the timeout, so that a loader that ignores its signal frees its slot too. */
  #loadInSlot(): Promise<unknown> {
    // Loads may have timed out while the batch waited for its slot.
    for (const [key, { hasEnded }] of this.#contexts) if (hasEnded) this.#contexts.delete(key);
    const keys = [...this.#contexts.keys()];
    const [first] = this.#contexts.values();
    if (first === undefined) {
      this.#resolve(new Map());
      return this.#values;
    }
    const call = async (): Promise<ReadonlyMap<string, T>> => valuesByKey(await this.#loader(keys, this));
    const isBackground = [...this.#contexts.values()].every((context) => context.isBackground);
    // See `Flight.runLoader`.
    const values = isBackground ? runAtRoot(call) : this.#asyncScope.runInAsyncScope(() => runDetached(call));
    this.#resolve(values);
    return Promise.race([values.catch(() => {}), first.ended]);
  }

  get signal(): AbortSignal {
    // All loads of a batch started together, so they time out together.
    const [first] = this.#contexts.values();
    return (first as FlightContext<T>).signal;
  }

  readonly stale = (key: string): StaleValue<T> | undefined => this.#contextOf(key).stale;
  readonly setValidator = (key: string, validator: string): void => this.#contextOf(key).setValidator(validator);
  readonly notModified = (key: string): T => this.#contextOf(key).notModified();
  readonly setTtl = (key: string, ttlMs: number): void => this.#contextOf(key).setTtl(ttlMs);
  readonly addTags = (key: string, tags: readonly string[]): void => this.#contextOf(key).addTags(tags);
  readonly skip = (key: string): void => this.#contextOf(key).skip();

  #contextOf(key: string): FlightContext<T> {
    const context = this.#contexts.get(key);
    if (context === undefined) throw new CacheValueError('The bulk loader used a key that it was not asked to load');
    return context;
  }
}

function valuesByKey<T>(loaded: LoadedMany<T>): ReadonlyMap<string, T> {
  if (loaded instanceof Map) return loaded as ReadonlyMap<string, T>;
  if (typeof loaded !== 'object' || loaded === null) {
    throw new CacheValueError('The bulk loader must return a Map, pairs or an object by key');
  }
  if (!(Symbol.iterator in loaded)) return new Map(Object.entries(loaded as Readonly<Record<string, T>>));
  const values = new Map<string, T>();
  for (const pair of loaded as Iterable<readonly [string, T]>) {
    // Returning the values in the order of the keys would be the natural mistake.
    if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== 'string') {
      throw new CacheValueError('The bulk loader must return a Map, pairs or an object by key, not a list of values');
    }
    values.set(pair[0], pair[1] as T);
  }
  return values;
}

/** The values that exist, by key, in the order of the keys. */
export function presentValues<T>(keys: readonly string[], values: readonly (T | undefined)[]): Map<string, T> {
  const found = new Map<string, T>();
  for (const [i, key] of keys.entries()) {
    const value = values[i];
    if (value !== undefined) found.set(key, value);
  }
  return found;
}
