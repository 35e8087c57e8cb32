import { OptionsError, timerlessClock } from '@macadam/core';
import { notRunning, type Call, type Running, type Sink, type Stage } from '../call.ts';
import { isCutShort } from '../cut-short.ts';
import { definePolicy, type Layer } from '../define-policy.ts';
import { CircuitOpenError } from '../errors.ts';
import { observe } from '../instruments.ts';
import type { Outcome, Policy, PolicyStats } from '../policy.ts';
import { startPinnedCall } from '../pinned-call.ts';
import { emitWarning } from '../warning.ts';
import { classifyCancellation, classifyError, describeFailure } from './classify.ts';
import { Circuit } from './circuit.ts';
import { circuitBreakerSettings, type CircuitBreakerOptions, type CircuitBreakerSettings } from './options.ts';
import type { CircuitState, Lease, Verdict } from './state.ts';

/** Stops calling what keeps failing, and finds out with a few probes when it is well again. */
export interface CircuitBreaker extends Policy {
  /** The name of the breaker. */
  readonly name: string;
  /** The state as of the last call or command. An open circuit becomes half open with the first call after its open time. */
  readonly state: CircuitState;
  /** Whether a call would be admitted now, for code that can choose between dependencies. */
  readonly admits: boolean;
  /** Refuses all calls until `reset()`: for operators and deployments. */
  isolate(): void;
  /**
   * Ends the open time, so that the next calls are probes: for code that knows otherwise that the dependency has recovered. Does
   * nothing unless the circuit is open.
   */
  halfOpen(): void;
  /** Closes the circuit and forgets all recorded calls. */
  reset(): void;
}

/** A call that was admitted. */
class GuardedRun implements Sink, Running {
  readonly #circuit: Circuit;
  readonly #call: Call;
  readonly #attempt: number;
  readonly #sink: Sink;
  readonly #lease: Lease | undefined;
  readonly #generation: number;
  readonly #startedAt: number;
  #inner: Running = notRunning;
  #done = false;

  constructor(circuit: Circuit, call: Call, attempt: number, sink: Sink, lease: Lease | undefined) {
    this.#circuit = circuit;
    this.#call = call;
    this.#attempt = attempt;
    this.#sink = sink;
    this.#lease = lease;
    this.#generation = circuit.generation;
    this.#startedAt = call.now;
  }

  begin(inner: Stage): void {
    const running = inner.start(this.#call, this.#attempt, this);
    if (!this.#done) this.#inner = running;
  }

  succeed(value: unknown): void {
    if (this.#done) return;
    this.#done = true;
    const { classify } = this.#circuit.settings;
    if (classify === undefined) {
      this.#record('success');
      this.#sink.succeed(value);
    } else if (this.#classified({ ok: true, value, attempt: this.#attempt, durationMs: this.#durationMs })) {
      this.#sink.succeed(value);
    }
  }

  fail(error: unknown): void {
    if (this.#done) return;
    this.#done = true;
    const { classify } = this.#circuit.settings;
    // Also before a custom `classify`: otherwise callers with short deadlines could open the circuit of a healthy dependency.
    const cutShort = isCutShort(error, this.#call);
    if (classify === undefined || cutShort) {
      this.#record(cutShort ? 'neutral' : classifyError(error), error);
      this.#sink.fail(error);
    } else if (this.#classified({ ok: false, error, attempt: this.#attempt, durationMs: this.#durationMs })) {
      this.#sink.fail(error);
    }
  }

  cancel(reason: unknown): void {
    if (this.#done) return;
    this.#done = true;
    // First, because the timeouts inside judge whether a timeout was cut short, which decides the verdict.
    this.#inner.cancel(reason);
    this.#record(classifyCancellation(reason, this.#call), reason);
  }

  get #durationMs(): number {
    return this.#call.now - this.#startedAt;
  }

  /** Records the verdict of the user's `classify`. If it throws or returns none, the call fails with that error, and is neutral. */
  #classified(outcome: Outcome): boolean {
    let verdict: Verdict;
    try {
      verdict = (this.#circuit.settings.classify as (outcome: Outcome) => Verdict)(outcome);
      assertVerdict(verdict);
    } catch (error) {
      this.#record('neutral');
      this.#sink.fail(error);
      return false;
    }
    this.#record(verdict, outcome.ok ? undefined : outcome.error);
    return true;
  }

  #record(verdict: Verdict, error?: unknown): void {
    const circuit = this.#circuit;
    // A call that started before the last change of state does not count.
    if (circuit.generation !== this.#generation) return;
    if (verdict === 'failure') circuit.lastFailure = describeFailure(error);
    // For a success in a closed circuit the time does not matter, unless a rule needs it: saves reading the clock.
    try {
      if (verdict === 'success' && this.#lease === undefined && !circuit.settings.timesSuccesses) {
        circuit.record(verdict, 0, undefined, this.#call.lastReading);
      } else circuit.record(verdict, this.#durationMs, this.#lease, this.#call.now);
    } catch (thrown) {
      // A custom `random`: it must not prevent the call from ending.
      emitWarning(thrown);
    }
  }
}

/** Any other value, such as a promise, would neither open the circuit nor keep it open. */
function assertVerdict(verdict: unknown): void {
  if (verdict === 'success' || verdict === 'failure' || verdict === 'neutral') return;
  throw new OptionsError('circuitBreaker.classify()', verdict, '"success", "failure" or "neutral"');
}

class CircuitBreakerStage implements Stage {
  readonly #circuit: Circuit;
  readonly #inner: Stage;

  constructor(circuit: Circuit, inner: Stage) {
    this.#circuit = circuit;
    this.#inner = inner;
  }

  start(call: Call, attempt: number, sink: Sink): Running {
    const circuit = this.#circuit;
    let lease: Lease | undefined;
    if (circuit.state.kind !== 'closed') {
      const admission = circuit.admit(call.now);
      if (admission instanceof CircuitOpenError) {
        sink.fail(admission);
        return notRunning;
      }
      lease = admission;
    }
    const run = new GuardedRun(circuit, call, attempt, sink, lease);
    run.begin(this.#inner);
    return run;
  }
}

/**
 * Stops calling a dependency that fails. The circuit is closed while the dependency is healthy. When a trip rule is met it opens, and
 * calls are refused at once with `CircuitOpenError` (`MAC_CIRCUIT_OPEN`). After the open time it is half open, and a few probes decide
 * whether it closes or opens again.
 *
 * It sets no timer. Calls that began before the last change of state, and calls that were cancelled or refused on this side, do not
 * count, so that only the dependency's own answers change the state.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { circuitBreaker, consecutiveFailures } from '@macadam/resilience';
 *
 * const breaker = circuitBreaker({ name: 'db', trip: [consecutiveFailures({ count: 3 })] });
 * await breaker.execute(async () => 'rows');
 * if (breaker.state !== 'closed') throw new Error('a success keeps it closed');
 * ```
 */
export function circuitBreaker(options: CircuitBreakerOptions = {}): CircuitBreaker {
  const breaker = breakerOf(circuitBreakerSettings(options));
  observe(breaker, () => [[breaker.name, breaker]]);
  return breaker;
}

/** The public part of a circuit. A class, so that thousands of breakers share one hidden class in V8. */
class Breaker {
  readonly name: string;
  readonly #circuit: Circuit;

  constructor(circuit: Circuit) {
    this.name = circuit.name;
    this.#circuit = circuit;
  }

  get state(): CircuitState {
    return this.#circuit.state.kind;
  }

  get admits(): boolean {
    return this.#circuit.admits(this.#circuit.settings.clock.monotonic());
  }

  isolate(): void {
    this.#circuit.isolate();
  }

  halfOpen(): void {
    this.#circuit.halfOpen();
  }

  reset(): void {
    this.#circuit.reset();
  }

  describe(): string {
    const { trip, openMs, maxOpenMs, openJitter, halfOpenProbes } = this.#circuit.settings;
    const rules = trip.map((rule) => rule.describe()).join(', or ');
    const time = `${openMs} ms, doubling to ${maxOpenMs} ms, ± ${openJitter * 100} %`;
    return `circuit breaker "${this.name}": opens after ${rules}; stays open ${time}; closes after ${halfOpenProbes} good probes`;
  }

  stats(): PolicyStats {
    const { state, successes, failures, neutral, rejected, opens } = this.#circuit;
    return { state: state.kind, successes, failures, neutral, rejected, opens };
  }
}

/** Makes a breaker without metrics. `name` is its key in a `circuitBreakers()`. */
export function breakerOf(settings: CircuitBreakerSettings, name: string = settings.name): CircuitBreaker {
  const circuit = new Circuit(settings, name);
  const layer: Layer = {
    clock: settings.clock,
    defers: false,
    repeats: false,
    around: (inner) => new CircuitBreakerStage(circuit, inner),
  };
  return definePolicy('circuitBreaker', layer, new Breaker(circuit));
}

// Made without metrics, in which it would show up.
startPinnedCall(breakerOf(circuitBreakerSettings({ clock: timerlessClock })));
