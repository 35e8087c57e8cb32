/**
 * The engine under every policy.
 *
 * A pipeline is a chain of stages, outermost first; the last one runs the function. A call goes inwards through
 * `Stage.start`, and its outcome comes back through `Sink`: each layer is one small object per call, and the sink of the
 * layer inside it. There is a single promise around all layers and none between them, so five layers cost little more
 * than one, and the order of events does not depend on the number of microtasks in a layer.
 *
 * Invariants:
 * - a stage calls one of the sink's methods once, possibly before `start` returns, or neither after `cancel`;
 * - a sink ignores what comes after its end: code of the user that runs while a layer ends (listeners, callbacks) may cancel the call;
 * - stages do not throw; if a callback of the user throws, the call fails with that error;
 * - `call.now` reads the clock at most once per event (start, settling, timer); all layers use the same reading.
 */
import { AsyncResource } from 'node:async_hooks';
import {
  currentScope,
  onAbort,
  RetryScope,
  TimeoutError,
  type AttemptRecord,
  type Clock,
  type Unsubscribe,
} from '@macadam/core';
import { wasCutShort } from './cut-short.ts';
import type { ExecuteOptions, ExecuteFunction, Outcome } from './policy.ts';
import type { RetryBudget } from './retry/retry-budget.ts';

/** Receives the outcome of the layer inside. */
export interface Sink {
  succeed(value: unknown): void;
  fail(error: unknown): void;
}

/** A layer of a call in flight. */
export interface Running {
  /** Cancels the layer and all inside it. The sink is not called any more. */
  cancel(reason: unknown): void;
}

/** A policy, bound to the stage inside it. */
export interface Stage {
  start(call: Call, attempt: number, sink: Sink): Running;
}

/** The parts of a pipeline that are the same for all calls. */
export interface Chain {
  readonly clock: Clock;
  readonly outermost: Stage;
  /**
   * Whether the asynchronous context of the caller is captured at the start of each call, because a layer may run the
   * function later.
   */
  readonly keepsContext: boolean;
  /** Whether a layer retries, so that policies inside the function must not. */
  readonly ownsRetries: boolean;
  /** The time limit of the whole call, in milliseconds, which includes the time in queues. */
  readonly limitMs: number;
}

/** An explicit trigger id saves the runtime the lookup of the current one, which nothing uses. */
const NO_TRIGGER = 0;

/** A new promise stores its two functions here, so that no closure has to be created to capture them. */
let newResolve!: (value: unknown) => void;
let newReject!: (error: unknown) => void;
function captureFunctions(resolve: (value: unknown) => void, reject: (error: unknown) => void): void {
  newResolve = resolve;
  newReject = reject;
}

const resolvedPromise = Promise.resolve();

/** One call in flight: the state that all layers share, and the outermost sink. */
export class Call implements Sink {
  readonly clock: Clock;
  readonly fn: ExecuteFunction<unknown>;
  readonly options: ExecuteOptions | undefined;
  readonly startedAt: number;
  /** The last reading of the clock. When an attempt has just succeeded, at most as old as that attempt took. */
  lastReading: number;
  #isStale = false;
  /** When the time for the whole call is over, on the monotonic clock. */
  deadlineAt: number;
  /** The attempts that failed so far; undefined before the first failure. */
  history: AttemptRecord[] | undefined;
  readonly promise: Promise<unknown>;
  #state: 'running' | 'settled' | 'starting' = 'starting';
  /** The last timeout that was cut short, by the limits of this call. */
  cutShort: unknown = undefined;
  /** The retry budget in which a layer further out counts this call. */
  countedIn: RetryBudget | undefined = undefined;
  /** The scope of the function, if a layer of this call retries what fails in it; undefined also if a retry around this call does. */
  readonly retryScope: RetryScope | undefined;
  /** The asynchronous context of the caller, for attempts that are started by timers or other calls. */
  #context: AsyncResource | undefined;
  readonly #resolve: (value: unknown) => void;
  readonly #reject: (error: unknown) => void;
  #unsubscribe: Unsubscribe | undefined;

  constructor(chain: Chain, fn: ExecuteFunction<unknown>, options: ExecuteOptions | undefined) {
    this.clock = chain.clock;
    this.fn = fn;
    this.options = options;
    this.startedAt = this.lastReading = chain.clock.monotonic();
    this.history = undefined;
    const scope = currentScope();
    const ownsRetries = chain.ownsRetries && scope?.retryOwner?.settled !== false;
    this.retryScope = ownsRetries ? new RetryScope(scope?.work) : undefined;
    this.#context = chain.keepsContext ? new AsyncResource('MacadamCall', NO_TRIGGER) : undefined;
    this.#unsubscribe = undefined;
    this.promise = new Promise(captureFunctions);
    this.#resolve = newResolve;
    this.#reject = newReject;
    const work = scope?.work;
    const limitMs = chain.limitMs === Infinity ? Infinity : (options?.timeoutMs ?? chain.limitMs);
    this.deadlineAt = this.startedAt + Math.min(limitMs, work?.deadline?.remainingMs() ?? Infinity);
    const signal = options?.signal ?? work?.cancellation;
    if (signal?.aborted === true) {
      this.#reject(signal.reason);
      return;
    }
    if (this.deadlineAt <= this.startedAt) {
      this.fail(new TimeoutError('The deadline of the current work has passed: nothing was started', 0));
      return;
    }
    const running = chain.outermost.start(this, 1, this);
    if (this.#state === 'settled') return;
    this.#state = 'running';
    if (signal !== undefined) {
      this.#unsubscribe = onAbort(signal, (reason) => {
        this.nextEvent();
        if (wasCutShort(reason)) this.cutShort = reason;
        running.cancel(reason);
        this.fail(reason);
      });
    }
  }

  /** The time of the current event. Reads the clock when first used, since that is not free. */
  get now(): number {
    if (this.#isStale) this.now = this.clock.monotonic();
    return this.lastReading;
  }

  set now(reading: number) {
    this.lastReading = reading;
    this.#isStale = false;
  }

  /** Starts a new event: `now` reads the clock again. */
  nextEvent(): void {
    this.#isStale = true;
  }

  succeed(value: unknown): void {
    this.#settle();
    this.#resolve(value);
  }

  fail(error: unknown): void {
    const isStarting = this.#state === 'starting';
    this.#settle();
    if (!isStarting) this.#reject(error);
    // Rejected synchronously, before the caller has the promise: deferred, since the runtime would treat the rejection as
    // unhandled first, which costs more than the rejection itself.
    else void resolvedPromise.then(() => this.#reject(error));
  }

  #settle(): void {
    this.#state = 'settled';
    this.#unsubscribe?.();
    if (this.retryScope !== undefined) this.retryScope.settled = true;
  }

  /** Adds a failed attempt to the history, for the final error. */
  recordFailure(outcome: Outcome, startedAt: number, waitedMs: number): void {
    const { attempt, durationMs } = outcome;
    const error = outcome.ok ? undefined : outcome.error;
    (this.history ??= []).push({ attempt, startedAtMs: startedAt - this.startedAt, durationMs, waitedMs, error });
  }

  /** Captures the context of the caller now: for a layer that needs it only sometimes. */
  captureContext(): void {
    this.#context ??= new AsyncResource('MacadamCall', NO_TRIGGER);
  }

  /** Runs `fn` in the captured context of the caller, or in the current one if none was captured. */
  runInContext<A, R>(fn: (argument: A) => R, argument: A): R {
    return this.#context === undefined ? fn(argument) : this.#context.runInAsyncScope(fn, undefined, argument);
  }
}

/** Stands for a layer that has ended already. */
export const notRunning: Running = { cancel() {} };
