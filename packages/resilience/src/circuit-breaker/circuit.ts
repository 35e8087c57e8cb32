import { CircuitOpenError } from '../errors.ts';
import { emitWarning } from '../warning.ts';
import { createNumbers } from './counting-rule.ts';
import type { CircuitBreakerSettings } from './options.ts';
import { admit, halfOpened, initialState, opened, afterProbe, type Lease, type State, type Verdict } from './state.ts';
import type { TripMeter, TripRule } from './trip-rule.ts';

/** The state, the trip rules and the counts of one breaker. */
export class Circuit {
  // The fields that every success uses come first, so that they are next to each other in memory.
  state: State = initialState;
  /** Incremented with each change of state. The outcome of a call counts only in the generation in which it started. */
  generation = 0;
  /** Shared by all breakers of a `circuitBreakers()`. */
  readonly settings: CircuitBreakerSettings;
  /** The numbers of all counting rules; `settings.offsets` says where those of each rule start. */
  readonly #numbers: number[];
  successes = 0;
  readonly name: string;
  /** The meters of the rules that are not counting rules, at the index of the rule. */
  readonly #meters: readonly (TripMeter | undefined)[] | undefined = undefined;
  failures = 0;
  neutral = 0;
  rejected = 0;
  opens = 0;
  /** As text: an error can hold a whole response, and there may be thousands of circuits. */
  lastFailure: string | undefined = undefined;
  /** Why the circuit opened, or was isolated, the last time. */
  #reason: string | undefined = undefined;

  constructor(settings: CircuitBreakerSettings, name: string) {
    this.settings = settings;
    this.name = name;
    this.#numbers = createNumbers(settings.numberCount);
    const { trip, counting } = settings;
    if (counting.includes(undefined))
      this.#meters = trip.map((rule, i) => (counting[i] ? undefined : guardedMeter(rule.start())));
  }

  /** Admits a call, returning its lease if it is a probe, or rejects it. */
  admit(now: number): Lease | CircuitOpenError | undefined {
    const { settings } = this;
    const admission = admit(this.state, now, settings);
    this.#transitionTo(admission.next, 'the open time is over');
    // `onStateChange` may have isolated or reset the circuit. A call that it made changes the state as well, but not its kind.
    if (this.state.kind !== admission.next.kind) return this.admit(now);
    if (admission.admitted) return admission.lease;
    this.rejected++;
    return new CircuitOpenError(this.name, this.state.kind, admission.retryAfterMs, {
      reason: this.#reason,
      lastFailure: this.lastFailure,
      captureStack: settings.captureStack,
    });
  }

  /** Whether a call would be admitted now. Changes nothing. */
  admits(now: number): boolean {
    return this.state.kind === 'closed' || admit(this.state, now, this.settings).admitted;
  }

  /** Records the outcome of a call that started in the current generation. */
  record(verdict: Verdict, durationMs: number, lease: Lease | undefined, now: number): void {
    if (verdict === 'success') this.successes++;
    else if (verdict === 'failure') this.failures++;
    else this.neutral++;
    if (lease !== undefined) this.#recordProbe(verdict, durationMs, lease, now);
    else if (verdict !== 'neutral') this.#recordClosed(verdict === 'failure', durationMs, now);
  }

  #recordProbe(verdict: Verdict, durationMs: number, lease: Lease, now: number): void {
    const { settings } = this;
    const isSlow = verdict === 'success' && durationMs > settings.slowerThanMs;
    const probeVerdict = isSlow ? 'failure' : verdict;
    const next = afterProbe(this.state, lease, probeVerdict, now, settings, settings.random());
    const failure = isSlow ? `a probe took longer than ${settings.slowerThanMs} ms` : 'a probe failed';
    this.#transitionTo(next, probeVerdict === 'failure' ? failure : 'the probes succeeded');
  }

  #recordClosed(failed: boolean, durationMs: number, now: number): void {
    const { settings } = this;
    const { trip, counting, offsets } = settings;
    let tripped = -1;
    for (let i = 0; i < trip.length; i++) {
      const rule = counting[i];
      const trips =
        rule === undefined
          ? this.#meters?.[i]?.record(failed, durationMs, now)
          : rule.record(this.#numbers, offsets[i] as number, failed, durationMs, now);
      if (trips === true) tripped = i;
    }
    if (tripped < 0) return;
    const next = opened(0, now, settings, settings.random());
    this.#transitionTo(next, describeRule(trip[tripped] as TripRule));
  }

  isolate(): void {
    this.#transitionTo({ kind: 'isolated' }, 'isolated by hand');
  }

  halfOpen(): void {
    this.#transitionTo(halfOpened(this.state), 'known to be well');
  }

  reset(): void {
    this.#resetRules();
    this.#transitionTo(initialState, 'reset by hand');
  }

  #resetRules(): void {
    this.lastFailure = undefined;
    const { counting, offsets } = this.settings;
    for (const [i, rule] of counting.entries()) {
      if (rule === undefined) this.#meters?.[i]?.reset();
      else rule.reset(this.#numbers, offsets[i] as number);
    }
  }

  #transitionTo(next: State, reason: string): void {
    const from = this.state.kind;
    this.state = next;
    if (next.kind === from) return;
    this.generation++;
    if (next.kind === 'open') this.opens++;
    if (next.kind === 'open' || next.kind === 'isolated') this.#reason = reason;
    if (next.kind === 'closed') this.#resetRules();
    const { onStateChange } = this.settings;
    if (onStateChange === undefined) return;
    try {
      onStateChange({ name: this.name, from, to: next.kind, reason });
    } catch (error) {
      emitWarning(error);
    }
  }
}

/** Describes a rule, which may be the user's: if that throws, the circuit must open all the same. */
function describeRule(rule: TripRule): string {
  try {
    return rule.describe();
  } catch (error) {
    emitWarning(error);
    return 'a rule that cannot be described';
  }
}

/** Wraps the meter of a user's rule: an error it throws becomes a warning, and must not prevent the call from ending. */
function guardedMeter(meter: TripMeter): TripMeter {
  return {
    record(failed, durationMs, now) {
      try {
        return meter.record(failed, durationMs, now);
      } catch (error) {
        emitWarning(error);
        return false;
      }
    },
    reset() {
      try {
        meter.reset();
      } catch (error) {
        emitWarning(error);
      }
    },
  };
}
