/**
 * Delays each attempt until a pacer permits it, such as a limiter that knows what the dependency allows. It is outside of
 * the circuit breaker and the timeout of the attempt, so that the wait does not count as time of the dependency.
 */
import {
  assertClock,
  assertFunction,
  assertKnownOptions,
  assertObject,
  OptionsError,
  systemClock,
  type Clock,
} from '@macadam/core';
import { notRunning, type Call, type Running, type Sink, type Stage } from './call.ts';
import { definePolicy } from './define-policy.ts';
import type { Outcome, Policy } from './policy.ts';
import { isThenable } from './thenable.ts';
import { emitWarning } from './warning.ts';

/** An attempt that waits for its turn. */
export interface PacedAttempt {
  /** The number of the attempt, from 1. */
  readonly attempt: number;
  /** Aborts when nobody waits for the attempt any more. Created when first read. */
  readonly signal: AbortSignal;
  /** The time left for the call in milliseconds; `Infinity` without a limit. */
  readonly remainingMs: number;
}

/** Permission to begin an attempt. */
export interface PacedTurn {
  /** Called once with the outcome of the attempt; undefined if it was cancelled. Errors it throws become process warnings. */
  settle(outcome: Outcome | undefined): void;
}

/** Decides when attempts may begin. */
export interface Pacer {
  /**
   * Returns a turn, or a promise of one. An error it throws or rejects with becomes the failure of the attempt. Called in the
   * asynchronous context of the call.
   */
  acquire(attempt: PacedAttempt): PacedTurn | PromiseLike<PacedTurn>;
  /** Describes the pacer in words, for `describe()` of the policy. */
  describe?(): string;
}

/** Options of {@link paced}. */
export interface PacedOptions {
  /** Decides when each attempt may begin. Required. */
  pacer: Pacer;
  /** The clock for all waits and durations. Default: `systemClock`. */
  clock?: Clock;
}

interface Counts {
  begun: number;
  waiting: number;
  refused: number;
}

class PacedRun implements Sink, Running, PacedAttempt {
  readonly attempt: number;
  readonly #inner: Stage;
  readonly #call: Call;
  readonly #sink: Sink;
  readonly #counts: Counts;
  #turn: PacedTurn | undefined;
  #running: Running = notRunning;
  #startedAt = 0;
  #done = false;
  #cancelReason: unknown;
  #controller: AbortController | undefined;

  constructor(inner: Stage, call: Call, attempt: number, sink: Sink, counts: Counts) {
    this.attempt = attempt;
    this.#inner = inner;
    this.#call = call;
    this.#sink = sink;
    this.#counts = counts;
  }

  get signal(): AbortSignal {
    return (this.#controller ??= new AbortController()).signal;
  }

  get remainingMs(): number {
    return this.#call.deadlineAt - this.#call.now;
  }

  acquireTurn(pacer: Pacer): void {
    let turn: PacedTurn | undefined;
    try {
      const acquired: unknown = this.#call.runInContext(() => pacer.acquire(this), undefined);
      // A thenable is user code: it may throw, or settle twice. A promise around it settles once.
      if (isThenable(acquired)) this.#awaitTurn(Promise.resolve(acquired));
      else turn = assertedTurn(acquired);
    } catch (error) {
      this.#failToAcquire(error);
      return;
    }
    if (turn !== undefined) this.#begin(turn);
  }

  #awaitTurn(acquired: Promise<unknown>): void {
    this.#counts.waiting++;
    acquired.then(assertedTurn).then(
      (turn) => {
        this.#counts.waiting--;
        // The attempt was cancelled meanwhile: the turn is given back unused.
        if (this.#done) settleTurn(turn, undefined);
        else {
          this.#call.nextEvent();
          this.#begin(turn);
        }
      },
      (error: unknown) => {
        this.#counts.waiting--;
        if (this.#done) return;
        this.#call.nextEvent();
        this.#failToAcquire(error);
      },
    );
  }

  succeed(value: unknown): void {
    if (this.#done) return;
    this.#end({ ok: true, value, attempt: this.attempt, durationMs: this.#durationMs });
    this.#sink.succeed(value);
  }

  fail(error: unknown): void {
    if (this.#done) return;
    this.#end({ ok: false, error, attempt: this.attempt, durationMs: this.#durationMs });
    this.#sink.fail(error);
  }

  cancel(reason: unknown): void {
    if (this.#done) return;
    this.#cancelReason = reason;
    this.#controller?.abort(reason);
    this.#running.cancel(reason);
    this.#end(undefined);
  }

  get #durationMs(): number {
    return this.#call.now - this.#startedAt;
  }

  #begin(turn: PacedTurn): void {
    this.#counts.begun++;
    this.#turn = turn;
    this.#startedAt = this.#call.now;
    const running = this.#inner.start(this.#call, this.attempt, this);
    // The function cancelled its own call while it was starting. If it has settled, cancel does nothing.
    if (this.#done) running.cancel(this.#cancelReason);
    else this.#running = running;
  }

  #failToAcquire(error: unknown): void {
    this.#done = true;
    this.#counts.refused++;
    this.#sink.fail(error);
  }

  #end(outcome: Outcome | undefined): void {
    this.#done = true;
    if (this.#turn !== undefined) settleTurn(this.#turn, outcome);
  }
}

function assertedTurn(acquired: unknown): PacedTurn {
  if (typeof (acquired as Partial<PacedTurn> | null | undefined)?.settle === 'function') return acquired as PacedTurn;
  throw new OptionsError('paced.pacer.acquire()', acquired, 'a turn, with a function settle, or a promise of one');
}

/** An error of the pacer becomes a process warning: it must not prevent the call from ending. */
function settleTurn(turn: PacedTurn, outcome: Outcome | undefined): void {
  try {
    turn.settle(outcome);
  } catch (error) {
    emitWarning(error);
  }
}

/**
 * Delays each attempt until its pacer permits it, for example to keep to the rate limits of a server. The wait counts against the time
 * limit of the call, not against that of the attempt. Inside a retry or hedge, each attempt waits for a turn of its own.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { paced } from '@macadam/resilience';
 *
 * const turn = { settle() {} };
 * const pacer = { acquire: async () => turn };
 * const result = await paced({ pacer }).execute(async () => 'in its turn');
 * ```
 */
export function paced(options: PacedOptions): Policy {
  assertObject('paced', options);
  assertKnownOptions('paced', options, ['pacer', 'clock']);
  const { pacer, clock = systemClock } = options;
  if (typeof pacer !== 'object' || pacer === null) throw new OptionsError('paced.pacer', pacer, 'a Pacer');
  assertFunction('paced.pacer.acquire', pacer.acquire);
  assertClock('paced.clock', clock);
  const counts: Counts = { begun: 0, waiting: 0, refused: 0 };
  return definePolicy(
    'paced',
    {
      clock,
      defers: true,
      repeats: false,
      around: (inner) => ({
        start(call, attempt, sink) {
          const run = new PacedRun(inner, call, attempt, sink, counts);
          run.acquireTurn(pacer);
          return run;
        },
      }),
    },
    {
      describe: () => `paced: ${pacer.describe?.() ?? 'each attempt waits for its turn'}`,
      stats: () => ({ ...counts }),
    },
  );
}
