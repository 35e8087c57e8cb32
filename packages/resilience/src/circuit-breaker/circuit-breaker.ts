import type { Call, Running, Sink, Stage } from '../call.ts';
import { notRunning } from '../call.ts';
import { definePolicy } from '../define-policy.ts';
import { CircuitOpenError } from '../errors.ts';
import type { Outcome, Policy, PolicyStats } from '../policy.ts';
import { classifyCancellation, classifyError } from './classify.ts';
import { circuitBreakerSettings, type CircuitBreakerOptions, type CircuitBreakerSettings } from './options.ts';
import {
  admit,
  initialState,
  opened,
  opensBefore,
  probed,
  type CircuitState,
  type Lease,
  type State,
  type Verdict,
} from './state.ts';
import type { TripMeter } from './trip-rule.ts';

/** Stops calling what keeps failing, and finds out with a few probes when it is well again. */
export interface CircuitBreaker extends Policy {
  readonly name: string;
  /** The state as of the last call or command; an open breaker turns half open when a call comes after its time. */
  readonly state: CircuitState;
  /** Refuses every call until {@link CircuitBreaker.reset}: for an operator, or a deploy. */
  isolate(): void;
  /** Closes the circuit and forgets what it has seen. */
  reset(): void;
}

/** The state, the meters and the counts of one breaker. */
class Circuit {
  readonly settings: CircuitBreakerSettings;
  readonly #meters: readonly TripMeter[];
  state: State = initialState;
  /** Grows with each change of state: an outcome counts only in the generation its call began in. */
  generation = 0;
  successes = 0;
  failures = 0;
  neutral = 0;
  rejected = 0;
  opens = 0;

  constructor(settings: CircuitBreakerSettings) {
    this.settings = settings;
    this.#meters = settings.trip.map((rule) => rule.start());
  }

  /** Lets a call through (a lease, when it is a probe) or says why not. Closed is handled by the caller. */
  admit(now: number): Lease | CircuitOpenError {
    const { settings } = this;
    const admission = admit(this.state, now, settings);
    this.#become(admission.next, 'the open time is over');
    if (admission.admitted && admission.lease !== undefined) return admission.lease;
    this.rejected++;
    const retryAfterMs = admission.admitted ? undefined : admission.retryAfterMs;
    return new CircuitOpenError(settings.name, this.state.kind, retryAfterMs, settings.captureStack);
  }

  /** Takes in how a call of the current generation ended. */
  record(verdict: Verdict, durationMs: number, lease: Lease | undefined, now: number): void {
    if (verdict === 'success') this.successes++;
    else if (verdict === 'failure') this.failures++;
    else this.neutral++;
    if (lease !== undefined) this.#recordProbe(verdict, durationMs, lease, now);
    else if (verdict !== 'neutral') this.#recordClosed(verdict === 'failure', durationMs, now);
  }

  #recordProbe(verdict: Verdict, durationMs: number, lease: Lease, now: number): void {
    const { settings } = this;
    const slow = verdict === 'success' && durationMs > settings.slowerThanMs;
    const judged = slow ? 'failure' : verdict;
    const next = probed(this.state, lease, judged, now, settings, settings.random());
    this.#become(next, judged === 'failure' ? 'a probe failed' : 'the probes succeeded');
  }

  #recordClosed(failed: boolean, durationMs: number, now: number): void {
    const { settings } = this;
    let tripped = -1;
    for (let i = 0; i < this.#meters.length; i++) {
      if ((this.#meters[i] as TripMeter).record(failed, durationMs, now)) tripped = i;
    }
    if (tripped < 0) return;
    const next = opened(opensBefore(this.state, now), now, settings, settings.random());
    this.#become(next, (settings.trip[tripped] as { describe(): string }).describe());
  }

  isolate(): void {
    this.#become({ kind: 'isolated' }, 'isolated by hand');
  }

  reset(now: number): void {
    for (const meter of this.#meters) meter.reset();
    this.#become({ kind: 'closed', since: now, opens: 0 }, 'reset by hand');
  }

  #become(next: State, reason: string): void {
    const from = this.state.kind;
    this.state = next;
    if (next.kind === from) return;
    this.generation++;
    if (next.kind === 'open') this.opens++;
    if (next.kind === 'closed') for (const meter of this.#meters) meter.reset();
    const { name, onStateChange } = this.settings;
    if (onStateChange === undefined) return;
    try {
      onStateChange({ name, from, to: next.kind, reason });
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : String(error));
    }
  }
}

/** A call that was let through. */
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
    this.#done = true;
    const { classify } = this.#circuit.settings;
    if (classify === undefined) {
      this.#record(classifyError(error));
      this.#sink.fail(error);
    } else if (this.#classified({ ok: false, error, attempt: this.#attempt, durationMs: this.#durationMs })) {
      this.#sink.fail(error);
    }
  }

  cancel(reason: unknown): void {
    if (this.#done) return;
    this.#done = true;
    this.#record(classifyCancellation(reason));
    this.#inner.cancel(reason);
  }

  get #durationMs(): number {
    return this.#call.now - this.#startedAt;
  }

  /** Asks the user's classifier; when it throws, that is the failure of the call, and neutral to the circuit. */
  #classified(outcome: Outcome): boolean {
    let verdict: Verdict;
    try {
      verdict = (this.#circuit.settings.classify as (outcome: Outcome) => Verdict)(outcome);
    } catch (error) {
      this.#record('neutral');
      this.#sink.fail(error);
      return false;
    }
    this.#record(verdict);
    return true;
  }

  #record(verdict: Verdict): void {
    const circuit = this.#circuit;
    // A call that began before the state changed knows nothing of the present.
    if (circuit.generation !== this.#generation) return;
    circuit.record(verdict, this.#durationMs, this.#lease, this.#call.now);
  }
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
 * A circuit breaker: closed while the dependency is well; open, refusing calls at once with {@link CircuitOpenError},
 * when a trip rule says so; half open after its open time, when a few leased probes decide.
 *
 * It sets no timer. Outcomes of calls that began before the last change of state are discarded, and cancelled or
 * locally refused calls are neutral, so only the dependency's own answers move it.
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
  return breakerOf(circuitBreakerSettings(options));
}

export function breakerOf(settings: CircuitBreakerSettings): CircuitBreaker {
  const circuit = new Circuit(settings);
  return definePolicy(
    'circuitBreaker',
    {
      clock: settings.clock,
      defers: false,
      repeats: false,
      around: (inner) => new CircuitBreakerStage(circuit, inner),
    },
    {
      name: settings.name,
      get state(): CircuitState {
        return circuit.state.kind;
      },
      isolate: () => circuit.isolate(),
      reset: () => circuit.reset(settings.clock.monotonic()),
      describe: () => describe(settings),
      stats: () => statsOf(circuit),
    },
  );
}

function describe({ name, trip, openMs, maxOpenMs, openJitter, halfOpenProbes }: CircuitBreakerSettings): string {
  const rules = trip.map((rule) => rule.describe()).join(', or ');
  const time = `${openMs} ms, doubling to ${maxOpenMs} ms, ± ${openJitter * 100} %`;
  return `circuit breaker "${name}": opens after ${rules}; stays open ${time}; closes after ${halfOpenProbes} good probes`;
}

function statsOf({ state, successes, failures, neutral, rejected, opens }: Circuit): PolicyStats {
  return { state: state.kind, successes, failures, neutral, rejected, opens };
}
