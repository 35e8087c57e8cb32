import { onAbort, type Unsubscribe } from './abort.ts';
import { Annotations } from './annotations.ts';
import { systemClock, type Clock, type Timer } from './clock.ts';
import { deadlineAfter, earliestDeadline, type Deadline } from './deadline.ts';
import { OptionsError, TimeoutError } from './errors.ts';
import {
  assertClock,
  assertDurationMs,
  assertFunction,
  assertKnownOptions,
  assertObject,
  assertOneOf,
  assertSignal,
} from './options.ts';
import { currentScope, runInScope } from './scope.ts';

/** How important a piece of work is under overload, from `critical`, refused last, to `background`, refused first. */
export type Priority = 'critical' | 'high' | 'normal' | 'low' | 'background';

/** The priorities, most important first. */
export const priorities: readonly Priority[] = ['critical', 'high', 'normal', 'low', 'background'];

/** A unit of work (a request, job or message), as found by `currentWork()`. */
export interface Work {
  /** When its result stops being of use; absent without a time limit. */
  readonly deadline?: Deadline;
  /** Its priority. */
  readonly priority: Priority;
  /** The tenant it is done for, used by fairness and quotas; absent without one. */
  readonly tenant?: string;
  /**
   * Aborts when the work is cancelled or its deadline passes. Created when first read, which costs a listener and, with a deadline, a
   * timer until the work settles.
   */
  readonly signal: AbortSignal;
  /** Aborts when the work is cancelled, but not when its deadline passes; undefined if nothing can cancel it. Cheaper than `signal`. */
  readonly cancellation: AbortSignal | undefined;
  /** The annotations so far. Nested work shares those of the outermost work. */
  readonly annotations: Readonly<Record<string, unknown>>;
  /** Adds fields such as `{ cacheHits: 2 }` to the canonical log line written when the outermost work ends. */
  annotate(fields: Readonly<Record<string, unknown>>): void;
}

/** Options of {@link runWork}. */
export interface WorkOptions {
  /** Time limit in milliseconds, above 0. The earliest of this, `deadline` and the deadline of the outer work applies. Default: none. */
  timeoutMs?: number;
  /** A deadline made by `deadlineAfter()`. Default: that of the outer work, if there is one. */
  deadline?: Deadline;
  /** Cancels the work, as does the signal of the outer work. Default: none. */
  signal?: AbortSignal;
  /** The priority. Default: that of the outer work, else `normal`. */
  priority?: Priority;
  /** The tenant the work is done for. Default: that of the outer work, else none. */
  tenant?: string;
  /** Initial annotations. Default: none. */
  attributes?: Readonly<Record<string, unknown>>;
  /** The clock of the deadline. Default: that of the outer work, else `systemClock`. */
  clock?: Clock;
}

const OPTION_NAMES = ['timeoutMs', 'deadline', 'signal', 'priority', 'tenant', 'attributes', 'clock'] as const;

class RunningWork implements Work {
  declare readonly deadline?: Deadline;
  readonly priority: Priority;
  declare readonly tenant?: string;
  readonly clock: Clock;
  /** The signals that can cancel it: that of its options, and that of the outer work. */
  readonly #sources: readonly AbortSignal[];
  /**
   * The annotations, shared with nested work. Not a `#` field, since nested work can be created by another copy of this
   * class. Outer work of another version may not have it.
   */
  readonly notes: Annotations;
  #controller: AbortController | undefined;
  /** Joins the signals, where there are two. */
  #cancelling: AbortController | undefined;
  #unsubscribe: Unsubscribe[] = [];
  #timer: Timer | undefined;
  #settled = false;

  constructor(options: WorkOptions, parent: RunningWork | undefined) {
    this.clock = options.clock ?? parent?.clock ?? systemClock;
    this.priority = options.priority ?? parent?.priority ?? 'normal';
    const own = options.timeoutMs === undefined ? undefined : deadlineAfter(options.timeoutMs, this.clock);
    const deadline = earliestDeadline(earliestDeadline(own, options.deadline), parent?.deadline);
    if (deadline !== undefined) this.deadline = deadline;
    const tenant = options.tenant ?? parent?.tenant;
    if (tenant !== undefined) this.tenant = tenant;
    this.#sources = definedSignals(options.signal, parent?.cancellation);
    this.notes = parent?.notes ?? new Annotations();
    if (options.attributes !== undefined) this.notes.add(options.attributes);
  }

  get annotations(): Readonly<Record<string, unknown>> {
    return this.notes.record;
  }

  get cancellation(): AbortSignal | undefined {
    if (this.#sources.length < 2) return this.#sources[0];
    this.#cancelling ??= this.#abortedBySources();
    return this.#cancelling.signal;
  }

  get signal(): AbortSignal {
    this.#controller ??= this.#makeController();
    return this.#controller.signal;
  }

  annotate(fields: Readonly<Record<string, unknown>>): void {
    this.notes.add(fields);
  }

  /** Removes all listeners and the timer. The signal never aborts after this. */
  settle(): void {
    this.#settled = true;
    this.#timer?.cancel();
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#unsubscribe = [];
  }

  #makeController(): AbortController {
    const controller = this.#abortedBySources();
    const limitMs = this.deadline?.remainingMs();
    if (limitMs !== undefined && !this.#settled && !controller.signal.aborted) {
      const expire = (): void => {
        controller.abort(new TimeoutError('The deadline of the current work has passed', limitMs));
      };
      if (limitMs > 0) this.#timer = this.clock.setTimer(expire, limitMs);
      else expire();
    }
    return controller;
  }

  #abortedBySources(): AbortController {
    const controller = new AbortController();
    const abort = (reason: unknown): void => {
      controller.abort(reason);
      // It has nothing to do any more: the work was cancelled.
      this.#timer?.cancel();
    };
    for (const source of this.#sources) {
      if (source.aborted) controller.abort(source.reason);
      else if (!this.#settled) this.#unsubscribe.push(onAbort(source, abort));
    }
    return controller;
  }
}

const NO_SIGNALS: readonly AbortSignal[] = [];

function definedSignals(one: AbortSignal | undefined, other: AbortSignal | undefined): readonly AbortSignal[] {
  if (one === undefined) return other === undefined ? NO_SIGNALS : [other];
  return other === undefined || other === one ? [one] : [one, other];
}

/**
 * Runs `fn` as a unit of work and returns its result. Until it settles, everything it calls finds the work through `currentWork()`, at any
 * depth of asynchronous calls.
 *
 * Nested work inherits priority, tenant and annotations; its deadline can only be earlier.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { currentWork, runWork } from '@macadam/core';
 *
 * await runWork({ timeoutMs: 800, priority: 'high' }, async () => {
 *   const left = currentWork()?.deadline?.remainingMs() ?? Infinity;
 *   if (left > 800) throw new Error('the deadline travels with the work');
 * });
 * ```
 */
export function runWork<T>(options: WorkOptions, fn: () => T): T {
  assertObject('runWork', options);
  assertKnownOptions('runWork', options, OPTION_NAMES);
  if (options.timeoutMs !== undefined) assertDurationMs('runWork.timeoutMs', options.timeoutMs);
  if (options.deadline !== undefined) assertDeadline(options.deadline);
  if (options.priority !== undefined) assertOneOf('runWork.priority', options.priority, priorities);
  assertSignal('runWork.signal', options.signal);
  if (options.attributes !== undefined) assertObject('runWork.attributes', options.attributes);
  if (options.clock !== undefined) assertClock('runWork.clock', options.clock);
  const { tenant } = options;
  if (tenant !== undefined && typeof tenant !== 'string') throw new OptionsError('runWork.tenant', tenant, 'a string');
  assertFunction('runWork.fn', fn);
  const outer = currentScope();
  const work = new RunningWork(options, outer?.work as RunningWork | undefined);
  let result: T;
  try {
    result = runInScope({ work, retryOwner: outer?.retryOwner }, () => toPromiseIfThenable(fn()));
  } catch (error) {
    work.settle();
    throw error;
  }
  if (!isThenable(result)) {
    work.settle();
    return result;
  }
  const settle = (): void => work.settle();
  result.then(settle, settle);
  return result;
}

/** A number or a Date passed as a deadline would only fail where the deadline is read, far from the mistake. */
function assertDeadline(deadline: Deadline): void {
  if (typeof (deadline as Partial<Deadline> | null)?.remainingMs === 'function') return;
  throw new OptionsError('runWork.deadline', deadline, 'a deadline, as deadlineAfter makes it');
}

/**
 * Returns the unit of work that the current code runs for; undefined outside of `runWork()`.
 *
 * @example
 * ```ts
 * import { currentWork } from '@macadam/core';
 *
 * const leftMs = currentWork()?.deadline?.remainingMs() ?? Infinity;
 * ```
 */
export function currentWork(): Work | undefined {
  return currentScope()?.work;
}

/**
 * Converts a thenable that is not a promise to one; returns a promise or any other value unchanged. Query builders run the
 * query each time `then` is called. Converted here, it is called once, and inside of the work.
 */
function toPromiseIfThenable<T>(result: T): T {
  return isThenable(result) ? (Promise.resolve(result) as T) : result;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
