import { CircuitOpenError } from '../errors.ts';
import { numbers } from './counting-rule.ts';
import type { CircuitBreakerSettings } from './options.ts';
import { admit, halfOpened, initialState, opened, probed, type Lease, type State, type Verdict } from './state.ts';
import type { TripMeter } from './trip-rule.ts';

/** The state, the meters and the counts of one breaker. */
export class Circuit {
  // What a success needs stands first, side by side in memory.
  state: State = initialState;
  /** Grows with each change of state: an outcome counts only in the generation its call began in. */
  generation = 0;
  /** Those of a family are one object. */
  readonly settings: CircuitBreakerSettings;
  /** The numbers of the rules that count in a list; where each begins, the settings say. */
  readonly #numbers: number[];
  successes = 0;
  readonly name: string;
  /** Those of the other rules, at the places of these. */
  readonly #meters: readonly (TripMeter | undefined)[] | undefined = undefined;
  failures = 0;
  neutral = 0;
  rejected = 0;
  opens = 0;
  /** In words, since an error may hold the whole of an answer, and there may be thousands of circuits. */
  lastFailure: string | undefined = undefined;

  constructor(settings: CircuitBreakerSettings, name: string) {
    this.settings = settings;
    this.name = name;
    this.#numbers = numbers(settings.numbers);
    const { trip, counting } = settings;
    if (counting.includes(undefined))
      this.#meters = trip.map((rule, i) => (counting[i] ? undefined : guarded(rule.start())));
  }

  /** Lets a call through (a lease, when it is a probe) or says why not. Closed is handled by the caller. */
  admit(now: number): Lease | CircuitOpenError {
    const { settings } = this;
    const admission = admit(this.state, now, settings);
    this.#become(admission.next, 'the open time is over');
    if (admission.admitted && admission.lease !== undefined) return admission.lease;
    this.rejected++;
    const retryAfterMs = admission.admitted ? undefined : admission.retryAfterMs;
    return new CircuitOpenError(this.name, this.state.kind, retryAfterMs, settings.captureStack, this.lastFailure);
  }

  /** Whether a call would be let through, without letting one through. */
  admits(now: number): boolean {
    return this.state.kind === 'closed' || admit(this.state, now, this.settings).admitted;
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
    const { trip, counting, places } = settings;
    let tripped = -1;
    for (let i = 0; i < trip.length; i++) {
      const rule = counting[i];
      const trips =
        rule === undefined
          ? this.#meters?.[i]?.record(failed, durationMs, now)
          : rule.record(this.#numbers, places[i] as number, failed, durationMs, now);
      if (trips === true) tripped = i;
    }
    if (tripped < 0) return;
    const next = opened(0, now, settings, settings.random());
    this.#become(next, (settings.trip[tripped] as { describe(): string }).describe());
  }

  isolate(): void {
    this.#become({ kind: 'isolated' }, 'isolated by hand');
  }

  halfOpen(): void {
    this.#become(halfOpened(this.state), 'known to be well');
  }

  reset(): void {
    this.#forget();
    this.#become(initialState, 'reset by hand');
  }

  /** What the rules have seen. */
  #forget(): void {
    this.lastFailure = undefined;
    const { counting, places } = this.settings;
    for (const [i, rule] of counting.entries()) {
      if (rule === undefined) this.#meters?.[i]?.reset();
      else rule.reset(this.#numbers, places[i] as number);
    }
  }

  #become(next: State, reason: string): void {
    const from = this.state.kind;
    this.state = next;
    if (next.kind === from) return;
    this.generation++;
    if (next.kind === 'open') this.opens++;
    if (next.kind === 'closed') this.#forget();
    const { onStateChange } = this.settings;
    if (onStateChange === undefined) return;
    try {
      onStateChange({ name: this.name, from, to: next.kind, reason });
    } catch (error) {
      warnOf(error);
    }
  }
}

/** The meter of a rule of the user's. What it throws must not keep a call from ending: it has seen nothing then. */
function guarded(meter: TripMeter): TripMeter {
  return {
    record(failed, durationMs, now) {
      try {
        return meter.record(failed, durationMs, now);
      } catch (error) {
        warnOf(error);
        return false;
      }
    },
    reset() {
      try {
        meter.reset();
      } catch (error) {
        warnOf(error);
      }
    },
  };
}

function warnOf(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error));
}
