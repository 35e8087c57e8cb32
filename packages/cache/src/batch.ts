import { AsyncResource } from 'node:async_hooks';
import { runAtRoot, runDetached } from '@macadam/core';
import type { Policy } from '@macadam/resilience';
import type { LoadedMany, LoaderOfMany, LoadManyContext, StaleValue } from './cache.ts';
import { CacheValueError } from './errors.ts';
import type { FlightContext, Members } from './flight.ts';

/** Many loads of one key each, answered by one call of a bulk loader: each key keeps its own fence, tags and time. */
export class Batch<T> implements LoadManyContext<T>, Members {
  readonly #loader: LoaderOfMany<T>;
  readonly #places: Policy;
  /** What travels with the call it is made for. */
  readonly #scope = new AsyncResource('MacadamBatch');
  /** Keys for which it is not known yet whether they are to be loaded, and whoever still adds some. */
  #undecided = 1;
  readonly #contexts = new Map<string, FlightContext<T>>();
  #resolve!: (values: ReadonlyMap<string, T> | PromiseLike<ReadonlyMap<string, T>>) => void;
  #reject!: (error: unknown) => void;
  readonly #values = new Promise<ReadonlyMap<string, T>>((resolve, reject) => {
    this.#resolve = resolve;
    this.#reject = reject;
  });

  constructor(loader: LoaderOfMany<T>, places: Policy) {
    this.#loader = loader;
    this.#places = places;
  }

  /** The loader of one key: notes that it is wanted, and waits for the whole batch. */
  readonly load = async (context: FlightContext<T>): Promise<T | undefined> => {
    this.#contexts.set(context.key, context);
    return (await this.#values).get(context.key);
  };

  enter(): void {
    this.#undecided++;
  }

  /** Calls the bulk loader, once every key has been asked for or is not needed. */
  leave(): void {
    if (--this.#undecided === 0) this.#send();
  }

  #send(): void {
    if (this.#contexts.size === 0) return;
    const keys = [...this.#contexts.keys()];
    const [first] = this.#contexts.values();
    const ended = (first as FlightContext<T>).ended;
    const call = async (): Promise<ReadonlyMap<string, T>> => byKey(await this.#loader(keys, this));
    const isBackground = [...this.#contexts.values()].every((context) => context.isBackground);
    const turn = (): Promise<unknown> => {
      // See `Flight.within`.
      const values = isBackground ? runAtRoot(call) : this.#scope.runInAsyncScope(() => runDetached(call));
      this.#resolve(values);
      // The place is given back when the time is up, also by a loader that does not listen.
      return Promise.race([values, ended]);
    };
    this.#places.execute(turn).catch(this.#reject);
  }

  get signal(): AbortSignal {
    // All loads of a batch began together, so they are out of time together.
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
    if (context === undefined) throw new CacheValueError('The bulk loader named a key that it was not asked for');
    return context;
  }
}

function byKey<T>(loaded: LoadedMany<T>): ReadonlyMap<string, T> {
  if (loaded instanceof Map) return loaded as ReadonlyMap<string, T>;
  if (typeof loaded !== 'object' || loaded === null) {
    throw new CacheValueError('The bulk loader must return a Map, pairs or an object by key');
  }
  if (!(Symbol.iterator in loaded)) return new Map(Object.entries(loaded as Readonly<Record<string, T>>));
  const values = new Map<string, T>();
  for (const pair of loaded as Iterable<readonly [string, T]>) {
    // A list of values in the order of the keys would be the natural mistake.
    if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== 'string') {
      throw new CacheValueError('The bulk loader must return a Map, pairs or an object by key, not a list of values');
    }
    values.set(pair[0], pair[1] as T);
  }
  return values;
}

/** The values that were found, by key. */
export function present<T>(keys: readonly string[], values: readonly (T | undefined)[]): Map<string, T> {
  const found = new Map<string, T>();
  for (const [i, key] of keys.entries()) {
    const value = values[i];
    if (value !== undefined) found.set(key, value);
  }
  return found;
}
