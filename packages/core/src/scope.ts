import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import type { Work } from './work.ts';

/** What Macadam attaches to the current asynchronous context. */
export interface Scope {
  /** The current work; undefined outside of any. */
  readonly work: Work | undefined;
  /** The scope of the call of an outer retry; undefined outside of any. */
  readonly retryOwner: RetryScope | undefined;
}

/**
 * The scope of a call whose failures are retried, for authors of retries: what fails inside is repeated by this call, so that retries in
 * it make a single attempt. That ends when the call has settled, because what goes on in the background then has nobody to repeat it.
 *
 * Apart from the call, which would otherwise be kept, with its result, by all that goes on in the background.
 */
export class RetryScope implements Scope {
  /** The work that the call is part of. */
  readonly work: Work | undefined;
  /** Whether the call has settled. To be set by its owner. */
  settled = false;

  constructor(work: Work | undefined) {
    this.work = work;
  }

  /** This scope. */
  get retryOwner(): RetryScope {
    return this;
  }
}

/**
 * One storage for all copies of this package in a process, which npm and bundlers easily create: a deadline set through one
 * copy applies in the others, and retries of two copies do not multiply. Copies of other versions read these scopes too, so
 * fields may be added to `Scope` and `Work`, but the existing ones must keep their meaning.
 */
const storageKey = Symbol.for('@macadam/core/scope');
const storage = ((globalThis as Record<symbol, unknown>)[storageKey] ??=
  new AsyncLocalStorage()) as AsyncLocalStorage<Scope>;

const DETACHED: Scope = { work: undefined, retryOwner: undefined };

/** Returns the scope of the current asynchronous context; undefined outside of any work or retry. For internal use by Macadam packages. */
export function currentScope(): Scope | undefined {
  return storage.getStore();
}

export function runInScope<T>(scope: Scope, fn: () => T): T {
  return storage.run(scope, fn);
}

/**
 * Runs `fn` outside the current work, without its deadline, signal and priority, and outside of outer retries. For what several callers
 * share, such as a request they all wait for, or what continues after the caller got its result: none of them repeats it for the others.
 * Other asynchronous context is kept.
 */
export function runDetached<T>(fn: () => T): T {
  return storage.getStore() === undefined ? fn() : storage.run(DETACHED, fn);
}

const atRoot = AsyncLocalStorage.snapshot();

/**
 * Runs `fn` outside of the current asynchronous context: work, traces, requests of a framework. For what outlives the call that happens
 * to start it and would otherwise keep that context alive. The context it runs in is that in which this package was first imported,
 * which is none unless that happens within a request.
 */
export function runAtRoot<T>(fn: () => T): T {
  return atRoot(fn);
}

/** Whether `enterWith` changes a context for all that runs in it later, as before Node 24. Since then it enters a copy. */
function entersForAll(): boolean {
  const probe = new AsyncLocalStorage<boolean>();
  const context = new AsyncResource('MacadamProbe');
  context.runInAsyncScope(() => probe.enterWith(true));
  const entered = context.runInAsyncScope(() => probe.getStore()) === true;
  probe.disable();
  return entered;
}

const mustLeave = entersForAll();

/**
 * Runs `fn(argument)` in `scope`, whose call retries what fails inside. For authors of retries; call it inside a context of your own
 * (`AsyncResource.runInAsyncScope`), and not where {@link retriesOwnedUpstream} is true.
 */
export function ownRetries<A, R>(scope: RetryScope, fn: (argument: A) => R, argument: A): R {
  if (mustLeave) return storage.run(scope, fn, argument);
  // Cheaper than `run`, which makes another copy of the context to leave it.
  storage.enterWith(scope);
  return fn(argument);
}

/**
 * Whether an outer retry repeats what fails here. Code that retries should then make a single attempt, because three attempts inside
 * three attempts are nine. False once the call of that retry has settled.
 */
export function retriesOwnedUpstream(): boolean {
  return storage.getStore()?.retryOwner?.settled === false;
}
