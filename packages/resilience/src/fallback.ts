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

/** Options of {@link fallback}. */
export interface FallbackOptions {
  /**
   * The value to return instead. A function is called with the outcome and may be asynchronous; an error it throws becomes the failure
   * of the call. Required.
   */
  value: unknown;
  /** Which outcomes are replaced. A call aborted by its caller never is. Default: all errors. */
  fallbackIf?: (outcome: Outcome) => boolean;
  /** The clock for all waits and durations. Default: `systemClock`. */
  clock?: Clock;
}

interface FallbackState {
  readonly value: unknown;
  readonly fallbackIf: (outcome: Outcome) => boolean;
  used: number;
}

class FallbackRun implements Sink, Running {
  readonly #state: FallbackState;
  readonly #call: Call;
  readonly #attempt: number;
  readonly #sink: Sink;
  readonly #startedAt: number;
  inner: Running = notRunning;
  #done = false;

  constructor(state: FallbackState, call: Call, attempt: number, sink: Sink) {
    this.#state = state;
    this.#call = call;
    this.#attempt = attempt;
    this.#sink = sink;
    this.#startedAt = call.now;
  }

  succeed(value: unknown): void {
    this.#handleOutcome({ ok: true, value, attempt: this.#attempt, durationMs: this.#call.now - this.#startedAt });
  }

  fail(error: unknown): void {
    this.#handleOutcome({ ok: false, error, attempt: this.#attempt, durationMs: this.#call.now - this.#startedAt });
  }

  cancel(reason: unknown): void {
    if (this.#done) return;
    this.#done = true;
    this.inner.cancel(reason);
  }

  #handleOutcome(outcome: Outcome): void {
    if (this.#done) return;
    try {
      if (this.#state.fallbackIf(outcome)) {
        this.#state.used++;
        const { value } = this.#state;
        this.#settle(
          typeof value === 'function'
            ? this.#call.runInContext(value as (outcome: Outcome) => unknown, outcome)
            : value,
        );
      } else if (outcome.ok) this.#settle(outcome.value);
      else this.#fail(outcome.error);
    } catch (error) {
      this.#fail(error);
    }
  }

  #settle(value: unknown): void {
    if (isThenable(value)) {
      value.then(
        (settled) => this.#settle(settled),
        (error: unknown) => this.#fail(error),
      );
    } else if (!this.#done) {
      this.#done = true;
      this.#sink.succeed(value);
    }
  }

  #fail(error: unknown): void {
    if (this.#done) return;
    this.#done = true;
    this.#sink.fail(error);
  }
}

/**
 * Returns another value when everything inside it has failed: a default, the last known value, a cheaper source.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { fallback } from '@macadam/resilience';
 *
 * const rate = await fallback({ value: 1 }).execute(async () => {
 *   throw new Error('the rates service is down');
 * });
 * if (rate !== 1) throw new Error('it should have fallen back');
 * ```
 */
export function fallback(options: FallbackOptions): Policy {
  assertObject('fallback', options);
  assertKnownOptions('fallback', options, ['value', 'fallbackIf', 'clock']);
  const { value, fallbackIf = (outcome: Outcome) => !outcome.ok, clock = systemClock } = options;
  if (!('value' in options)) throw new OptionsError('fallback.value', value, 'given: the value to return instead');
  assertFunction('fallback.fallbackIf', fallbackIf);
  assertClock('fallback.clock', clock);
  const state: FallbackState = { value, fallbackIf, used: 0 };
  const around = (inner: Stage): Stage => ({
    start(call, attempt, sink) {
      const run = new FallbackRun(state, call, attempt, sink);
      run.inner = inner.start(call, attempt, run);
      return run;
    },
  });
  return definePolicy(
    'fallback',
    { clock, defers: true, repeats: false, around },
    {
      describe: () => `fallback: returns ${typeof value === 'function' ? 'the result of a function' : 'a fixed value'}`,
      stats: () => ({ used: state.used }),
    },
  );
}
