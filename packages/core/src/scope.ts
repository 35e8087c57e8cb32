import { AsyncLocalStorage } from 'node:async_hooks';
import type { Work } from './work.ts';

/** What Macadam attaches to the current asynchronous context. */
export interface Scope {
  /** The current work; undefined outside of any. */
  readonly work: Work | undefined;
  /** Whether an outer retry repeats what fails here. */
  readonly retriesOwned: boolean;
}

interface StoredScope extends Scope {
  /** The same scope with `retriesOwned`; created when first needed. */
  withRetriesOwned?: Scope;
}

/**
 * One storage for all copies of this package in a process, which npm and bundlers easily create: a deadline set through one
 * copy applies in the others, and retries of two copies do not multiply. Copies of other versions read these scopes too, so
 * fields may be added to `Scope` and `Work`, but the existing ones must keep their meaning.
 */
const storageKey = Symbol.for('@macadam/core/scope');
const storage = ((globalThis as Record<symbol, unknown>)[storageKey] ??=
  new AsyncLocalStorage()) as AsyncLocalStorage<StoredScope>;

/** Returns the scope of the current asynchronous context; undefined outside of any work or retry. For internal use by Macadam packages. */
export function currentScope(): Scope | undefined {
  return storage.getStore();
}

export function runInScope<T>(scope: Scope, fn: () => T): T {
  return storage.run(scope, fn);
}

/**
 * Runs `fn` outside the current work: without its deadline, signal and priority. For what several callers share, such as a request they
 * all wait for, or what continues after the caller got its result. Other asynchronous context is kept.
 */
export function runDetached<T>(fn: () => T): T {
  const scope = storage.getStore();
  if (scope?.work === undefined) return fn();
  return storage.run({ work: undefined, retriesOwned: scope.retriesOwned }, fn);
}

const atRoot = AsyncLocalStorage.snapshot();

/**
 * Runs `fn` outside of all asynchronous context: work, traces, requests of a framework. For what outlives the call that happens to
 * start it and would otherwise keep that context alive.
 */
export function runAtRoot<T>(fn: () => T): T {
  return atRoot(fn);
}

const RETRIES_OWNED_WITHOUT_WORK: Scope = { work: undefined, retriesOwned: true };

/**
 * Marks the current asynchronous context as one whose failures are retried further out, so that retries inside it make a single attempt.
 * For authors of retries; call it inside a context of your own (`AsyncResource.runInAsyncScope`).
 */
export function ownRetries(): void {
  const scope = storage.getStore();
  if (scope === undefined) {
    storage.enterWith(RETRIES_OWNED_WITHOUT_WORK);
    return;
  }
  if (scope.retriesOwned) return;
  // A property and not a WeakMap, whose entries, one per unit of work, would cost the garbage collector more than the rest.
  storage.enterWith((scope.withRetriesOwned ??= { work: scope.work, retriesOwned: true }));
}

/**
 * Whether an outer retry repeats what fails here. Code that retries should then make a single attempt, because three attempts inside
 * three attempts are nine.
 */
export function retriesOwnedUpstream(): boolean {
  return storage.getStore()?.retriesOwned ?? false;
}
