/**
 * The engine under every policy.
 *
 * A pipeline is a chain of stages, outermost first, ended by the function itself. A call walks in through
 * `Stage.start`, and its outcome walks out through `Sink`: each layer is one small object per call that is the sink of
 * the layer inside it. There is no promise between layers, only one around them all, so five layers cost little more
 * than one, and what happens in which order does not depend on how many microtasks a layer takes.
 *
 * The rules that make it safe:
 * - a stage calls exactly one of the sink's methods, once, possibly before `start` returns;
 * - after `cancel` a stage calls neither;
 * - stages do not throw; a throwing callback of the user's becomes the failure of the call;
 * - `call.now` reads the clock at most once for each event (start, settling, timer), and everyone uses that reading.
 */
import { AsyncResource } from 'node:async_hooks';
import { currentScope, onAbort, TimeoutError, type AttemptRecord, type Clock, type Unsubscribe } from '@macadam/core';
import type { ExecuteOptions, ExecuteFunction, Outcome } from './policy.ts';

/** Told how a layer ended. */
export interface Sink {
  succeed(value: unknown): void;
  fail(error: unknown): void;
}

/** A layer in flight. */
export interface Running {
  /** Stops what is in flight. The sink hears nothing more. */
  cancel(reason: unknown): void;
}

/** A policy, bound to what is inside of it. */
export interface Stage {
  start(call: Call, attempt: number, sink: Sink): Running;
}

/** What is the same for all calls of one pipeline. */
export interface Chain {
  readonly clock: Clock;
  readonly outermost: Stage;
  /** A layer may run the function after the caller's stack has gone, so the caller's context is kept from the start. */
  readonly keepsContext: boolean;
  /** A layer repeats what failed, so nothing inside may. */
  readonly repeats: boolean;
  /** The time limit of the whole call, in milliseconds: it counts from here, so that time in a queue counts too. */
  readonly limitMs: number;
}

/** Given a number, the runtime does not look up what triggered the call, which nobody asks for. */
const NO_TRIGGER = 0;

/** Where a new promise leaves its two functions, so that no closure has to be made to catch them. */
let newResolve!: (value: unknown) => void;
let newReject!: (error: unknown) => void;
function leaveFunctions(resolve: (value: unknown) => void, reject: (error: unknown) => void): void {
  newResolve = resolve;
  newReject = reject;
}

const aMomentLater = Promise.resolve();

/** One call on its way: what every layer can see, and the outermost sink. */
export class Call implements Sink {
  readonly clock: Clock;
  readonly fn: ExecuteFunction<unknown>;
  readonly options: ExecuteOptions | undefined;
  readonly startedAt: number;
  /** The last reading of the clock, at most the duration of the try old when a try has just succeeded. */
  lastRead: number;
  #unread = false;
  /** When the whole call is out of time, on the monotonic clock. */
  deadlineAt: number;
  /** The tries that failed so far; made by the first failure. */
  history: AttemptRecord[] | undefined;
  readonly promise: Promise<unknown>;
  #started = false;
  #settled = false;
  /** A layer repeats what failed, so nothing that runs inside may. */
  readonly ownsRetries: boolean;
  /** A retry around this call repeats what fails in it. Read once: on Node 22 a try marks the whole context below. */
  readonly retriesOwnedUpstream: boolean;
  /** The caller's asynchronous context, so that a try started by somebody else's timer still runs in it. */
  #context: AsyncResource | undefined;
  readonly #resolve: (value: unknown) => void;
  readonly #reject: (error: unknown) => void;
  #unsubscribe: Unsubscribe | undefined;

  constructor(chain: Chain, fn: ExecuteFunction<unknown>, options: ExecuteOptions | undefined) {
    this.clock = chain.clock;
    this.fn = fn;
    this.options = options;
    this.startedAt = this.lastRead = chain.clock.monotonic();
    this.history = undefined;
    this.ownsRetries = chain.repeats;
    const scope = currentScope();
    this.retriesOwnedUpstream = scope !== undefined && scope.retriesOwned;
    this.#context = chain.keepsContext ? new AsyncResource('MacadamCall', NO_TRIGGER) : undefined;
    this.#unsubscribe = undefined;
    this.promise = new Promise(leaveFunctions);
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
    this.#started = true;
    if (signal !== undefined && !this.#settled) {
      this.#unsubscribe = onAbort(signal, (reason) => {
        this.nextEvent();
        running.cancel(reason);
        this.fail(reason);
      });
    }
  }

  /** The clock's reading at the event that is being handled; read when somebody asks, since reading is not free. */
  get now(): number {
    if (this.#unread) this.now = this.clock.monotonic();
    return this.lastRead;
  }

  set now(reading: number) {
    this.lastRead = reading;
    this.#unread = false;
  }

  /** A new event begins: the reading of the last one is old. */
  nextEvent(): void {
    this.#unread = true;
  }

  succeed(value: unknown): void {
    this.#settled = true;
    this.#unsubscribe?.();
    this.#resolve(value);
  }

  fail(error: unknown): void {
    this.#settled = true;
    this.#unsubscribe?.();
    if (this.#started) this.#reject(error);
    // Refused on the spot. A promise that is rejected before anyone can listen takes the runtime's detour for unhandled
    // rejections, which costs more than the refusal.
    else void aMomentLater.then(() => this.#reject(error));
  }

  /** Notes a try that failed, for the error that may come of it. */
  remember(outcome: Outcome, startedAt: number, waitedMs: number): void {
    const { attempt, durationMs } = outcome;
    const error = outcome.ok ? undefined : outcome.error;
    (this.history ??= []).push({ attempt, startedAtMs: startedAt - this.startedAt, durationMs, waitedMs, error });
  }

  /** Keeps the caller's context from now on: for a layer that rarely needs it, and knows in time. */
  keepContext(): void {
    this.#context ??= new AsyncResource('MacadamCall', NO_TRIGGER);
  }

  /** Runs `fn` in the caller's context: the one that was kept, or the one that is there. */
  within<A, R>(fn: (argument: A) => R, argument: A): R {
    return this.#context === undefined ? fn(argument) : this.#context.runInAsyncScope(fn, undefined, argument);
  }
}

/** What to hand out as the running layer when nothing is running any more. */
export const notRunning: Running = { cancel() {} };
