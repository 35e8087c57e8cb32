import { AsyncLocalStorage } from 'node:async_hooks';
import type { Work } from './work.ts';

/** What travels with asynchronous control flow: one storage for the whole SDK, since each costs every `await` a little. */
export interface Scope {
  readonly work: Work | undefined;
  /** Whether a retry further out will repeat what fails here. */
  readonly retriesOwned: boolean;
}

interface KeptScope extends Scope {
  /** The same with its retries owned; made once, when first needed. */
  owning?: Scope;
}

/**
 * One storage for all copies of this package in a process, which npm and bundlers make easily: a deadline set by one is found
 * by the others, and retries do not multiply between them. Other versions read what stands in it: a scope may get further
 * fields, and those it has must keep their meaning.
 */
const storageKey = Symbol.for('@macadam/core/scope');
const storage = ((globalThis as Record<symbol, unknown>)[storageKey] ??=
  new AsyncLocalStorage()) as AsyncLocalStorage<KeptScope>;

/** Everything that travels with the current asynchronous context, in one look-up. Undefined outside of any work. */
export function currentScope(): Scope | undefined {
  return storage.getStore();
}

export function runInScope<T>(scope: Scope, fn: () => T): T {
  return storage.run(scope, fn);
}

/**
 * Runs `fn` for nobody in particular: without the deadline, the signal and the priority of the current work. For what
 * several callers share, such as one request they all wait for, or one that goes on after the caller was answered. That a
 * retry further out repeats what fails stays known.
 */
export function runDetached<T>(fn: () => T): T {
  const scope = storage.getStore();
  if (scope?.work === undefined) return fn();
  return storage.run({ work: undefined, retriesOwned: scope.retriesOwned }, fn);
}

const atRoot = AsyncLocalStorage.snapshot();

/**
 * Runs `fn` where the program began: outside of any work, and of whatever else travels with asynchronous control flow, such as a
 * trace or the request of a framework. For what outlives the call that happens to begin it, and would keep all of that alive.
 */
export function runAtRoot<T>(fn: () => T): T {
  return atRoot(fn);
}

const OWNING_WITHOUT_WORK: Scope = { work: undefined, retriesOwned: true };

/**
 * Says, for the rest of the current asynchronous context, that a retry further out will repeat what fails here. Call it
 * inside a context of your own (`AsyncResource.runInAsyncScope`), which is cheaper than opening another one.
 */
export function ownRetries(): void {
  const scope = storage.getStore();
  if (scope === undefined) {
    storage.enterWith(OWNING_WITHOUT_WORK);
    return;
  }
  if (scope.retriesOwned) return;
  // Not in a weak map: with one entry for each unit of work, that makes the collector's work the larger part.
  storage.enterWith((scope.owning ??= { work: scope.work, retriesOwned: true }));
}

/**
 * Whether a retry further out owns the retries of what runs here. Whoever retries must then try once: three attempts
 * inside three attempts would be nine, which is how a small outage becomes a large one.
 */
export function retriesOwnedUpstream(): boolean {
  return storage.getStore()?.retriesOwned ?? false;
}
