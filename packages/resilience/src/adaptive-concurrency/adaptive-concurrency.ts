import {
  assertClock,
  assertFunction,
  assertInteger,
  assertKnownOptions,
  assertObject,
  assertOneOf,
  isMacadamError,
  OptionsError,
  systemClock,
  timerlessClock,
  type Clock,
} from '@macadam/core';
import { notRunning, type Call, type Running, type Sink, type Stage } from '../call.ts';
import { classifyCancellation } from '../circuit-breaker/classify.ts';
import { isCutShort } from '../cut-short.ts';
import { definePolicy } from '../define-policy.ts';
import { ConcurrencyLimitedError } from '../errors.ts';
import type { Outcome, Policy } from '../policy.ts';
import { startPinnedCall } from '../pinned-call.ts';
import { WindowedLimit } from './windowed-limit.ts';

/** Options of {@link adaptiveConcurrency}. */
export interface AdaptiveConcurrencyOptions {
  /** `gradient2` follows the trend of latencies, `aimd` reacts to dropped calls only. Default: `gradient2` (Netflix). */
  algorithm?: 'aimd' | 'gradient2';
  /** Initial limit on calls in flight, from `min` to `max`. Default: 20 (Netflix), or the nearest value in that range. */
  initial?: number;
  /** Minimum limit, at least 1. Default: 4. */
  min?: number;
  /** Maximum limit, at least `min`. Default: 200 (Netflix), or `min` if that is more. */
  max?: number;
  /**
   * Which outcomes mean that the dependency is overloaded. Not asked about timeouts that were cut short (`wasCutShort`). Default:
   * timeouts, `MAC_OVERLOADED` and errors with a `status` of 503.
   */
  isDrop?: (outcome: Outcome) => boolean;
  /** The clock for all waits and durations. Default: `systemClock`. */
  clock?: Clock;
}

type Settings = Required<AdaptiveConcurrencyOptions>;

/** Admits calls up to the limit, and measures them. */
class Limiter {
  readonly isDrop: (outcome: Outcome) => boolean;
  readonly #limit: WindowedLimit;
  inFlight = 0;
  rejected = 0;

  constructor(settings: Settings) {
    this.isDrop = settings.isDrop;
    this.#limit = new WindowedLimit(settings);
  }

  get limit(): number {
    return this.#limit.value;
  }

  get hasRoom(): boolean {
    return this.inFlight < this.limit;
  }

  tryEnter(): boolean {
    if (!this.hasRoom) {
      this.rejected++;
      return false;
    }
    this.inFlight++;
    return true;
  }

  /** Ends a call without measuring it, because it says nothing about the load, such as an aborted one. */
  leave(): void {
    this.inFlight--;
  }

  measure(durationMs: number, dropped: boolean, now: number): void {
    this.#limit.measure(durationMs, this.inFlight--, dropped, now);
  }
}

class LimitedRun implements Sink, Running {
  readonly #limiter: Limiter;
  readonly #call: Call;
  readonly #attempt: number;
  readonly #sink: Sink;
  readonly #startedAt: number;
  #inner: Running = notRunning;
  #done = false;

  constructor(limiter: Limiter, call: Call, attempt: number, sink: Sink) {
    this.#limiter = limiter;
    this.#call = call;
    this.#attempt = attempt;
    this.#sink = sink;
    this.#startedAt = call.now;
  }

  begin(inner: Stage): void {
    const running = inner.start(this.#call, this.#attempt, this);
    if (!this.#done) this.#inner = running;
  }

  get #durationMs(): number {
    return this.#call.now - this.#startedAt;
  }

  succeed(value: unknown): void {
    this.#handleOutcome({ ok: true, value, attempt: this.#attempt, durationMs: this.#durationMs });
  }

  fail(error: unknown): void {
    this.#handleOutcome({ ok: false, error, attempt: this.#attempt, durationMs: this.#durationMs });
  }

  #handleOutcome(outcome: Outcome): void {
    if (this.#done) return;
    this.#done = true;
    try {
      this.#measure(outcome);
    } catch (error) {
      this.#limiter.leave();
      this.#sink.fail(error);
      return;
    }
    if (outcome.ok) this.#sink.succeed(outcome.value);
    else this.#sink.fail(outcome.error);
  }

  #measure(outcome: Outcome): void {
    // Also before a custom `isDrop`: callers with short deadlines must not lower the limit of a healthy dependency.
    if (!outcome.ok && isCutShort(outcome.error, this.#call)) this.#limiter.leave();
    else this.#limiter.measure(outcome.durationMs, this.#limiter.isDrop(outcome), this.#call.now);
  }

  cancel(reason: unknown): void {
    if (this.#done) return;
    this.#done = true;
    // First, because the timeouts inside judge whether a timeout was cut short.
    this.#inner.cancel(reason);
    if (classifyCancellation(reason, this.#call) === 'neutral') this.#limiter.leave();
    else this.#limiter.measure(this.#durationMs, true, this.#call.now);
  }
}

/**
 * Limits the calls in flight to as many as the dependency serves without queueing. The limit is found by measuring: it grows while
 * latencies stay level, and shrinks when they rise or calls are dropped. Calls beyond it are refused at once with
 * `ConcurrencyLimitedError` (`MAC_CONCURRENCY_LIMITED`).
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { adaptiveConcurrency } from '@macadam/resilience';
 *
 * const search = adaptiveConcurrency({ initial: 10, max: 100 });
 * const hits = await search.execute(async () => ['a hit']);
 * ```
 */
export function adaptiveConcurrency(options: AdaptiveConcurrencyOptions = {}): Policy {
  const settings = adaptiveSettings(options);
  const limiter = new Limiter(settings);
  const { algorithm, initial, min, max, clock } = settings;
  const around = (inner: Stage): Stage => ({
    start(call, attempt, sink) {
      if (!limiter.tryEnter()) {
        sink.fail(new ConcurrencyLimitedError(limiter.limit));
        return notRunning;
      }
      const run = new LimitedRun(limiter, call, attempt, sink);
      run.begin(inner);
      return run;
    },
  });
  return definePolicy(
    'adaptiveConcurrency',
    { clock, defers: false, repeats: false, around },
    {
      describe: () => `adaptive concurrency: ${algorithm}, from ${initial}, between ${min} and ${max} in flight`,
      stats: () => ({ limit: limiter.limit, inFlight: limiter.inFlight, rejected: limiter.rejected }),
      // Not in the public type: @macadam/http reads it for each choice of an endpoint, where `stats()` would make an object.
      get hasRoom(): boolean {
        return limiter.hasRoom;
      },
    },
  );
}

function adaptiveSettings(options: AdaptiveConcurrencyOptions): Settings {
  const path = 'adaptiveConcurrency';
  assertObject(path, options);
  assertKnownOptions(path, options, ['algorithm', 'initial', 'min', 'max', 'isDrop', 'clock']);
  const { algorithm = 'gradient2', min = 4, isDrop = isOverload, clock = systemClock } = options;
  assertOneOf(`${path}.algorithm`, algorithm, ['gradient2', 'aimd']);
  assertInteger(`${path}.min`, min, { min: 1 });
  const { max = Math.max(200, min) } = options;
  assertInteger(`${path}.max`, max, { min: 1 });
  if (max < min) throw new OptionsError(`${path}.max`, max, `at least min (${min})`);
  const { initial = Math.min(Math.max(20, min), max) } = options;
  assertInteger(`${path}.initial`, initial, { min, max });
  assertFunction(`${path}.isDrop`, isDrop);
  assertClock(`${path}.clock`, clock);
  return { algorithm, initial, min, max, isDrop, clock };
}

function isOverload(outcome: Outcome): boolean {
  if (outcome.ok) return false;
  const { error } = outcome;
  if (isMacadamError(error, 'MAC_TIMEOUT') || isMacadamError(error, 'MAC_OVERLOADED')) return true;
  try {
    return typeof error === 'object' && error !== null && (error as { status?: unknown }).status === 503;
  } catch {
    // An error that cannot be read.
    return false;
  }
}

startPinnedCall(adaptiveConcurrency({ clock: timerlessClock }));
