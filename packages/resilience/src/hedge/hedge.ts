import { Expiring, ExpiryQueue, timerlessClock } from '@macadam/core';
import { notRunning, type Call, type Running, type Sink, type Stage } from '../call.ts';
import { definePolicy } from '../define-policy.ts';
import type { Outcome, Policy } from '../policy.ts';
import { retryAfterOf } from '../retry/options.ts';
import { retryBudget, type RetryBudget } from '../retry/retry-budget.ts';
import { standingCall } from '../standing-call.ts';
import { LatencyWindow } from './latency-window.ts';
import { hedgeSettings, type HedgeOptions, type HedgeSettings } from './options.ts';

/** Below this many measured calls a percentile says nothing. */
const MINIMUM_SAMPLES = 100;
const UNMEASURED_DELAY_MS = 500;
const WINDOW_MS = 30_000;
/** A try must take longer than the percentile: where most take exactly as long, the others would be hedged with them. */
const LONGER = 1.0005;
/** The percentile is computed anew at most this often. Source: Finagle's BackupRequestFilter. */
const REFRESH_MS = 3_000;

/** What the hedges of one policy share. */
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
      const enough = this.#latencies.total(now) >= MINIMUM_SAMPLES;
      this.#delayMs = enough
        ? Math.max(1, this.#latencies.percentile(this.settings.percentile, now) * LONGER)
        : UNMEASURED_DELAY_MS;
    }
    return this.#delayMs;
  }

  measure(durationMs: number, now: number): void {
    if (this.settings.delayMs === undefined) this.#latencies.add(durationMs, now);
  }

  /** Whether one more try may be sent: its own limit first, since asking the shared budget spends from it. */
  grant(now: number): boolean {
    const granted = this.extraLoad.tryRetry(false, now) && this.settings.budget.tryRetry(false, now);
    if (granted) this.hedges++;
    else this.refused++;
    return granted;
  }
}

/** One of the tries that race. */
class Racer implements Sink {
  readonly #race: Race;
  readonly index: number;
  readonly startedAt: number;
  running: Running = notRunning;
  ended = false;

  constructor(race: Race, index: number, startedAt: number) {
    this.#race = race;
    this.index = index;
    this.startedAt = startedAt;
  }

  succeed(value: unknown): void {
    if (this.ended) return;
    this.ended = true;
    this.#race.won(this, value);
  }

  fail(error: unknown): void {
    if (this.ended) return;
    this.ended = true;
    this.#race.lost(this, error);
  }
}

/** One call: a first try, and beside it the hedges. */
class Race extends Expiring implements Running {
  readonly #state: HedgeState;
  readonly #inner: Stage;
  readonly #call: Call;
  readonly #attempt: number;
  readonly #sink: Sink;
  readonly #racers: Racer[] = [];
  #done = false;
  #endReason: unknown;

  constructor(state: HedgeState, inner: Stage, call: Call, attempt: number, sink: Sink) {
    super();
    this.#state = state;
    this.#inner = inner;
    this.#call = call;
    this.#attempt = attempt;
    this.#sink = sink;
  }

  begin(): void {
    this.#state.calls++;
    this.#state.extraLoad.callStarted(this.#call.now);
    this.#send();
  }

  /** Sends one more try, and sets the time for the next. */
  #send(): void {
    const { now } = this.#call;
    const racer = new Racer(this, this.#racers.length, now);
    this.#racers.push(racer);
    if (this.#racers.length <= this.#state.settings.maxHedges) {
      this.expiresAt = now + this.#state.delayMs(now);
      this.#state.queue.add(this, now);
    }
    const running = this.#inner.start(this.#call, this.#attempt + racer.index, racer);
    // The race may have been decided while this try was starting; one that has settled ignores it.
    if (this.#done) running.cancel(this.#endReason);
    else if (!racer.ended) racer.running = running;
  }

  #hedge(now: number): boolean {
    if (this.#racers.length > this.#state.settings.maxHedges || !this.#state.grant(now)) return false;
    this.#send();
    return true;
  }

  override expire(now: number): void {
    if (this.#done) return;
    this.#call.now = now;
    this.#hedge(now);
  }

  won(racer: Racer, value: unknown): void {
    this.#retryEnded(racer);
    if (this.#done) return;
    if (racer.index > 0) this.#state.wins++;
    this.#measure(racer);
    this.#end(undefined);
    this.#sink.succeed(value);
  }

  lost(racer: Racer, error: unknown): void {
    this.#retryEnded(racer);
    if (this.#done) return;
    const othersRun = this.#racers.some((other) => !other.ended);
    const { now } = this.#call;
    const attempt = this.#attempt + racer.index;
    const outcome: Outcome = { ok: false, error, attempt, durationMs: now - racer.startedAt };
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
      // A try that failed early need not be waited out: the next goes at once (gRPC A6), unless that would be too early.
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
    for (const racer of this.#racers) {
      if (racer.ended) continue;
      racer.ended = true;
      // How long the loser had taken is the least it would have taken: leaving it out would teach too short a delay.
      this.#measure(racer);
      this.#retryEnded(racer);
      racer.running.cancel(reason);
    }
  }

  #measure(racer: Racer): void {
    const { now } = this.#call;
    this.#state.measure(now - racer.startedAt, now);
  }

  #retryEnded(racer: Racer): void {
    if (racer.index > 0) this.#state.settings.budget.retryEnded();
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
        const race = new Race(state, inner, call, attempt, sink);
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

standingCall(hedge({ clock: timerlessClock }));
