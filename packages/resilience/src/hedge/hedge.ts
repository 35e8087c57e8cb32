import { Expiring, ExpiryQueue, timerlessClock } from '@macadam/core';
import { notRunning, type Call, type Running, type Sink, type Stage } from '../call.ts';
import { definePolicy } from '../define-policy.ts';
import type { Outcome, Policy } from '../policy.ts';
import { retryAfterOf } from '../retry/options.ts';
import { retryBudget, type RetryBudget } from '../retry/retry-budget.ts';
import { startPinnedCall } from '../pinned-call.ts';
import { LatencyWindow } from './latency-window.ts';
import { hedgeSettings, type HedgeOptions, type HedgeSettings } from './options.ts';

/** A percentile of fewer measured calls is not used. */
const MINIMUM_SAMPLES = 100;
const UNMEASURED_DELAY_MS = 500;
const WINDOW_MS = 30_000;
/** Factor on the percentile. Without it, if most attempts take exactly the percentile, all of these would be hedged. */
const PERCENTILE_MARGIN = 1.0005;
/** The percentile is computed again at most this often. Source: Finagle's BackupRequestFilter. */
const REFRESH_MS = 3_000;

/** The delay, budgets and counts that all calls of one policy share. */
class HedgeState {
  readonly settings: HedgeSettings;
  readonly queue: ExpiryQueue;
  readonly extraLoad: RetryBudget;
  readonly #latencies = new LatencyWindow(WINDOW_MS);
  #delayMs = UNMEASURED_DELAY_MS;
  #refreshAt = -Infinity;
  calls = 0;
  hedges = 0;
  wins = 0;
  refused = 0;

  constructor(settings: HedgeSettings) {
    this.settings = settings;
    this.queue = new ExpiryQueue(settings.clock);
    this.extraLoad = retryBudget({ ratio: settings.maxExtraLoad, minPerSecond: 0, clock: settings.clock });
  }

  delayMs(now: number): number {
    if (this.settings.delayMs !== undefined) return this.settings.delayMs;
    if (now >= this.#refreshAt) {
      this.#refreshAt = now + REFRESH_MS;
      const hasEnough = this.#latencies.total(now) >= MINIMUM_SAMPLES;
      this.#delayMs = hasEnough
        ? Math.max(1, this.#latencies.percentile(this.settings.percentile, now) * PERCENTILE_MARGIN)
        : UNMEASURED_DELAY_MS;
    }
    return this.#delayMs;
  }

  measure(durationMs: number, now: number): void {
    if (this.settings.delayMs === undefined) this.#latencies.add(durationMs, now);
  }

  /** Whether one more attempt may be sent. Asks `maxExtraLoad` first, since asking the shared budget spends from it. */
  grant(now: number): boolean {
    const granted = this.extraLoad.tryRetry(false, now) && this.settings.budget.tryRetry(false, now);
    if (granted) this.hedges++;
    else this.refused++;
    return granted;
  }
}

/** One of the concurrent attempts of a call. */
class HedgeAttempt implements Sink {
  readonly #hedged: HedgedCall;
  readonly index: number;
  readonly startedAt: number;
  running: Running = notRunning;
  ended = false;

  constructor(hedged: HedgedCall, index: number, startedAt: number) {
    this.#hedged = hedged;
    this.index = index;
    this.startedAt = startedAt;
  }

  succeed(value: unknown): void {
    if (this.ended) return;
    this.ended = true;
    this.#hedged.attemptSucceeded(this, value);
  }

  fail(error: unknown): void {
    if (this.ended) return;
    this.ended = true;
    this.#hedged.attemptFailed(this, error);
  }
}

/** One call: its first attempt, and the hedges. The first success ends the call and cancels the other attempts. */
class HedgedCall extends Expiring implements Running {
  readonly #state: HedgeState;
  readonly #inner: Stage;
  readonly #call: Call;
  readonly #firstAttempt: number;
  readonly #sink: Sink;
  readonly #attempts: HedgeAttempt[] = [];
  #done = false;
  #endReason: unknown;

  constructor(state: HedgeState, inner: Stage, call: Call, attempt: number, sink: Sink) {
    super();
    this.#state = state;
    this.#inner = inner;
    this.#call = call;
    this.#firstAttempt = attempt;
    this.#sink = sink;
  }

  begin(): void {
    this.#state.calls++;
    this.#state.extraLoad.callStarted(this.#call.now);
    this.#send();
  }

  /** Starts one more attempt, and schedules the next hedge. */
  #send(): void {
    const { now } = this.#call;
    const attempt = new HedgeAttempt(this, this.#attempts.length, now);
    this.#attempts.push(attempt);
    if (this.#attempts.length <= this.#state.settings.maxHedges) {
      this.expiresAt = now + this.#state.delayMs(now);
      this.#state.queue.add(this, now);
    }
    const running = this.#inner.start(this.#call, this.#firstAttempt + attempt.index, attempt);
    // The call may have ended while this attempt was starting. If the attempt has settled, cancel does nothing.
    if (this.#done) running.cancel(this.#endReason);
    else if (!attempt.ended) attempt.running = running;
  }

  #hedge(now: number): boolean {
    if (this.#attempts.length > this.#state.settings.maxHedges || !this.#state.grant(now)) return false;
    this.#send();
    return true;
  }

  override expire(now: number): void {
    if (this.#done) return;
    this.#call.now = now;
    this.#hedge(now);
  }

  attemptSucceeded(attempt: HedgeAttempt, value: unknown): void {
    this.#retryEnded(attempt);
    if (this.#done) return;
    if (attempt.index > 0) this.#state.wins++;
    this.#measure(attempt);
    this.#end(undefined);
    this.#sink.succeed(value);
  }

  attemptFailed(attempt: HedgeAttempt, error: unknown): void {
    this.#retryEnded(attempt);
    if (this.#done) return;
    const othersRun = this.#attempts.some((other) => !other.ended);
    const { now } = this.#call;
    const number = this.#firstAttempt + attempt.index;
    const outcome: Outcome = { ok: false, error, attempt: number, durationMs: now - attempt.startedAt };
    const { isFatal, isUnsent } = this.#state.settings;
    let fatal: boolean;
    try {
      fatal = isFatal(outcome);
      if (fatal && othersRun && isUnsent(outcome)) return;
    } catch (thrown) {
      this.#end(undefined);
      this.#sink.fail(thrown);
      return;
    }
    if (!fatal) {
      // After a failure the next hedge is sent at once (gRPC A6), unless the failure has a `Retry-After`.
      this.#state.queue.remove(this);
      if ((retryAfterOf(outcome) === undefined && this.#hedge(now)) || othersRun) return;
    }
    this.#end(undefined);
    this.#sink.fail(error);
  }

  cancel(reason: unknown): void {
    if (!this.#done) this.#end(reason);
  }

  #end(reason: unknown): void {
    this.#done = true;
    this.#endReason = reason;
    this.#state.queue.remove(this);
    for (const attempt of this.#attempts) {
      if (attempt.ended) continue;
      attempt.ended = true;
      // A cancelled attempt would have taken at least this long. Without it the measured percentile would be too low.
      this.#measure(attempt);
      this.#retryEnded(attempt);
      attempt.running.cancel(reason);
    }
  }

  #measure(attempt: HedgeAttempt): void {
    const { now } = this.#call;
    this.#state.measure(now - attempt.startedAt, now);
  }

  #retryEnded(attempt: HedgeAttempt): void {
    if (attempt.index > 0) this.#state.settings.budget.retryEnded();
  }
}

/**
 * Sends a second attempt next to a slow one and uses whichever answers first, which cuts the tail latency. Applies only to calls with
 * `idempotent: true`; other calls pass through. The slower attempts are cancelled, and do not count for or against the dependency.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { hedge } from '@macadam/resilience';
 *
 * const price = await hedge({ delayMs: 20 }).execute(async () => 42, { idempotent: true });
 * ```
 */
export function hedge(options: HedgeOptions = {}): Policy {
  const settings = hedgeSettings(options);
  const state = new HedgeState(settings);
  const layer = {
    clock: settings.clock,
    defers: true,
    repeats: true,
    around: (inner: Stage): Stage => ({
      start(call, attempt, sink) {
        if (call.options?.idempotent !== true) return inner.start(call, attempt, sink);
        const race = new HedgedCall(state, inner, call, attempt, sink);
        race.begin();
        return race;
      },
    }),
  };
  return definePolicy('hedge', layer, {
    describe: () => describe(settings),
    stats: () => {
      const { calls, hedges, wins, refused } = state;
      return { calls, hedges, wins, refused, delayMs: state.delayMs(settings.clock.monotonic()) };
    },
  });
}

function describe({ delayMs, percentile, maxHedges, maxExtraLoad }: HedgeSettings): string {
  const after = delayMs === undefined ? `the live p${Number((percentile * 100).toFixed(3))}` : `${delayMs} ms`;
  return `hedge: up to ${maxHedges} more after ${after}, for at most ${maxExtraLoad * 100} % of calls, idempotent ones only`;
}

startPinnedCall(hedge({ clock: timerlessClock }));
