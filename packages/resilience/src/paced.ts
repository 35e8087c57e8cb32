/**
 * Lets somebody else say when a try may begin: a limiter that knows what the dependency allows. It stands outside of what
 * judges and limits a try, so that time in its queue is no time of the dependency's.
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

/** A try that wants to begin. */
export interface PacedTry {
  /** Counted from 1. */
  readonly attempt: number;
  /** Aborts when nobody waits for the try any more. Made when first read. */
  readonly signal: AbortSignal;
  /** What is left of the call's time, in milliseconds; `Infinity` without a limit. */
  readonly remainingMs: number;
}

/** Leave to begin a try. */
export interface PacedTurn {
  /** Told once how the try ended; undefined when it was cancelled. What it throws is of no consequence. */
  settle(outcome: Outcome | undefined): void;
}

/** Says when tries may begin. */
export interface Pacer {
  /**
   * Gives a turn at once, or promises one. What it throws or rejects with is the failure of the try. Called in the
   * asynchronous context of the call.
   */
  acquire(wish: PacedTry): PacedTurn | PromiseLike<PacedTurn>;
  /** In words. */
  describe?(): string;
}

export interface PacedOptions {
  /** Who is asked. */
  pacer: Pacer;
  /** Default: the system clock. */
  clock?: Clock;
}

interface Counts {
  begun: number;
  waiting: number;
  refused: number;
}

class PacedRun implements Sink, Running, PacedTry {
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

  ask(pacer: Pacer): void {
    let turn: PacedTurn | undefined;
    try {
      const answer: unknown = this.#call.within(() => pacer.acquire(this), undefined);
      // What can be waited for is code of somebody's: asking it may throw, and it may answer twice.
      if (isThenable(answer)) this.#await(Promise.resolve(answer));
      else turn = turnIn(answer);
    } catch (error) {
      this.#refuse(error);
      return;
    }
    if (turn !== undefined) this.#begin(turn);
  }

  #await(answer: Promise<unknown>): void {
    this.#counts.waiting++;
    answer.then(turnIn).then(
      (turn) => {
        this.#counts.waiting--;
        // A turn that comes too late is given back.
        if (this.#done) told(turn, undefined);
        else {
          this.#call.nextEvent();
          this.#begin(turn);
        }
      },
      (error: unknown) => {
        this.#counts.waiting--;
        if (this.#done) return;
        this.#call.nextEvent();
        this.#refuse(error);
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
    // Cancelled by the very function that was being started; one that has settled ignores it.
    if (this.#done) running.cancel(this.#cancelReason);
    else this.#running = running;
  }

  #refuse(error: unknown): void {
    this.#done = true;
    this.#counts.refused++;
    this.#sink.fail(error);
  }

  #end(outcome: Outcome | undefined): void {
    this.#done = true;
    if (this.#turn !== undefined) told(this.#turn, outcome);
  }
}

function turnIn(answer: unknown): PacedTurn {
  if (typeof (answer as Partial<PacedTurn> | null | undefined)?.settle === 'function') return answer as PacedTurn;
  throw new OptionsError('paced.pacer.acquire()', answer, 'a turn, with a function settle, or a promise of one');
}

/** The call has to end, whatever a pacer makes of it. */
function told(turn: PacedTurn, outcome: Outcome | undefined): void {
  try {
    turn.settle(outcome);
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : String(error));
  }
}

/**
 * Lets each try begin when its pacer says so, such as one that keeps to the limits a server tells. Time spent waiting
 * counts against the limit of the call, not against that of the try; inside of a retry and a hedge, each try has a turn.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { paced } from '@macadam/resilience';
 *
 * const turn = { settle() {} };
 * const pacer = { acquire: async () => turn };
 * const answer = await paced({ pacer }).execute(async () => 'in its turn');
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
          run.ask(pacer);
          return run;
        },
      }),
    },
    {
      describe: () => `paced: ${pacer.describe?.() ?? 'each try in its turn'}`,
      stats: () => ({ ...counts }),
    },
  );
}
