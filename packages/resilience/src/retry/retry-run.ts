import type { AttemptRecord, Timer } from '@macadam/core';
import { notRunning, type Call, type Running, type Sink, type Stage } from '../call.ts';
import { AttemptsExhaustedError } from '../errors.ts';
import type { Outcome } from '../policy.ts';
import { decide, type Decision } from './decision.ts';
import type { RetryCounts, RetrySettings } from './options.ts';
import { runAttempts } from './run-attempts.ts';

/** What becomes of the call after an outcome. */
type Verdict = Decision | { readonly next: 'accept' } | { readonly next: 'fail'; readonly error: unknown };

/** One call under a retry. The first try costs nothing beyond this object; the loop starts with the first failure. */
class RetryRun implements Sink, Running {
  readonly #stage: RetryStage;
  readonly #call: Call;
  readonly #sink: Sink;
  #attempt = 1;
  #attemptStartedAt: number;
  #waitedMs = 0;
  /** Until when what the call has moved on from asked to be left alone. */
  #askedUntil = 0;
  #throttled = false;
  /** The one repetition that is free has been used. */
  #transparent = false;
  #inner: Running = notRunning;
  /** How many tries have ended: tells one that ended while it was being started. */
  #endings = 0;
  #timer: Timer | undefined;
  /** Ends the wait, or the try, that the loop is in. */
  #wake: ((outcome: Outcome | undefined) => void) | undefined;
  /** The budget has granted a retry that has not ended. */
  #granted = false;
  #done = false;
  #cancelReason: unknown;

  constructor(stage: RetryStage, call: Call, sink: Sink) {
    this.#stage = stage;
    this.#call = call;
    this.#sink = sink;
    this.#attemptStartedAt = call.now;
  }

  begin(): void {
    this.#stage.settings.budget.callStarted(this.#call.now);
    const running = this.#stage.inner.start(this.#call, 1, this);
    if (this.#endings === 0 && !this.#done) this.#inner = running;
  }

  // A function that cancels its own call while it is being started settles after that.
  succeed(value: unknown): void {
    if (this.#done) return;
    if (this.#attempt === 1 && !this.#stage.judgesValues) {
      this.#settle();
      this.#stage.settings.budget.callSucceeded(0, false);
      this.#sink.succeed(value);
    } else this.#ended({ ok: true, value, attempt: this.#attempt, durationMs: this.#durationMs });
  }

  fail(error: unknown): void {
    if (this.#done) return;
    this.#ended({ ok: false, error, attempt: this.#attempt, durationMs: this.#durationMs });
  }

  cancel(reason: unknown): void {
    if (this.#done) return;
    this.#settle();
    this.#cancelReason = reason;
    this.#timer?.cancel();
    this.#inner.cancel(reason);
    this.#wake?.(undefined);
  }

  get #durationMs(): number {
    return this.#call.now - this.#attemptStartedAt;
  }

  #ended(outcome: Outcome): void {
    this.#inner = notRunning;
    this.#endings++;
    if (this.#repeatsForFree(outcome)) return;
    this.#giveBack();
    if (this.#attempt > 1) this.#wake?.(outcome);
    else this.#first(outcome);
  }

  /** Starts the same try once more when the dependency never saw it. */
  #repeatsForFree(outcome: Outcome): boolean {
    const { settings, counts, inner } = this.#stage;
    const call = this.#call;
    if (this.#transparent || outcome.ok || this.#done || call.now >= call.deadlineAt) return false;
    try {
      if (!settings.transparentIf(outcome)) return false;
    } catch (error) {
      this.#finish(outcome, { next: 'fail', error });
      this.#wake?.(undefined);
      return true;
    }
    this.#transparent = true;
    counts.transparent++;
    const endings = this.#endings;
    const running = call.within((attempt: number) => inner.start(call, attempt, this), this.#attempt);
    // Cancelled by the very function that was being started; one that has settled ignores it.
    if (this.#done) running.cancel(this.#cancelReason);
    else if (endings === this.#endings) this.#inner = running;
    return true;
  }

  /** The first try has ended: settle, or enter the loop. */
  #first(outcome: Outcome): void {
    const decision = this.#judge(outcome);
    if (decision.next !== 'wait') this.#finish(outcome, decision);
    else {
      const loop = (delayMs: number): Promise<void> =>
        this.#loop(delayMs).catch((error: unknown) => this.#crash(error));
      void this.#call.within(loop, decision.delayMs);
    }
  }

  /** Nothing in the loop throws but a clock that is handed in; the call must end even then. */
  #crash(error: unknown): void {
    if (this.#done) return;
    this.#settle();
    this.#sink.fail(error);
  }

  async #loop(firstDelayMs: number): Promise<void> {
    let delayMs = firstDelayMs;
    await runAttempts(async () => {
      // Cancelled between the decision and here: a wait would leave its timer behind.
      if (!this.#done) await this.#wait(delayMs);
      const outcome = this.#done ? undefined : await this.#tryAgain();
      // Cancelled, in the wait, in the try, or in the moment between its end and here.
      if (outcome === undefined || this.#done) return false;
      const decision = this.#judge(outcome);
      if (decision.next === 'wait') {
        delayMs = decision.delayMs;
        return true;
      }
      this.#finish(outcome, decision);
      return false;
    }, this.#stage.settings.maxAttempts - 1);
  }

  #wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waitedMs = delayMs;
      this.#wake = () => resolve();
      this.#timer = this.#stage.settings.clock.setTimer(resolve, delayMs);
    });
  }

  #tryAgain(): Promise<Outcome | undefined> {
    return new Promise((resolve) => {
      const call = this.#call;
      this.#timer = undefined;
      this.#attempt++;
      this.#stage.counts.retries++;
      this.#attemptStartedAt = call.now = call.clock.monotonic();
      const endings = this.#endings;
      let ended = false;
      this.#wake = (outcome) => {
        ended = true;
        resolve(outcome);
      };
      const running = this.#stage.inner.start(call, this.#attempt, this);
      if (endings === this.#endings && !ended) this.#inner = running;
      // Cancelled by the very function that was being started.
      else if (this.#done) running.cancel(this.#cancelReason);
    });
  }

  /** Asks the user's callbacks; what they throw is the failure of the call. */
  #judge(outcome: Outcome): Verdict {
    const { settings } = this.#stage;
    const { now, deadlineAt } = this.#call;
    try {
      if (!settings.retryIf(outcome)) return { next: 'accept' };
      settings.budget.attemptFailed();
      this.#call.remember(outcome, this.#attemptStartedAt, this.#waitedMs);
      if (this.#call.retriesOwnedUpstream) return { next: 'accept' };
      const askedMs = Math.max(0, this.#askedUntil - now);
      const movesOn = this.#call.options?.route?.movesOn?.(outcome) === true;
      const standing = { attempt: this.#attempt, waitedMs: this.#waitedMs, leftMs: deadlineAt - now, askedMs, movesOn };
      const decision = decide(settings, outcome, standing);
      if (movesOn) this.#askedUntil = now + (decision.retryAfterMs ?? 0);
      if (decision.next === 'giveUp') return decision;
      this.#throttled = decision.throttled;
      this.#granted = settings.budget.tryRetry(decision.throttled, now);
      return this.#granted ? decision : { ...decision, next: 'giveUp', reason: 'budget' };
    } catch (error) {
      return { next: 'fail', error };
    }
  }

  #finish(outcome: Outcome, decision: Exclude<Verdict, { next: 'wait' }>): void {
    if (this.#done) return;
    const { counts, settings } = this.#stage;
    this.#settle();
    if (decision.next === 'fail') this.#sink.fail(decision.error);
    else if (outcome.ok) {
      if (decision.next === 'accept') settings.budget.callSucceeded(this.#attempt - 1, this.#throttled);
      else counts.gaveUp[decision.reason]++;
      this.#sink.succeed(outcome.value);
    } else if (decision.next === 'accept') this.#sink.fail(outcome.error);
    else {
      counts.gaveUp[decision.reason]++;
      const { reason, retryAfterMs } = decision;
      const history = this.#call.history as AttemptRecord[];
      // With a single attempt allowed nothing was given up: the failure is the caller's own.
      const alone = settings.maxAttempts === 1;
      this.#sink.fail(alone ? outcome.error : new AttemptsExhaustedError(reason, history, outcome.error, retryAfterMs));
    }
  }

  #giveBack(): void {
    if (!this.#granted) return;
    this.#granted = false;
    this.#stage.settings.budget.retryEnded();
  }

  #settle(): void {
    this.#done = true;
    this.#giveBack();
    this.#stage.settings.budget.callEnded();
  }
}

export class RetryStage implements Stage {
  readonly settings: RetrySettings;
  readonly counts: RetryCounts;
  readonly inner: Stage;
  /** Whether a value may be a failure; by default none is, and successes take the short way. */
  readonly judgesValues: boolean;

  constructor(settings: RetrySettings, counts: RetryCounts, inner: Stage, judgesValues: boolean) {
    this.settings = settings;
    this.counts = counts;
    this.inner = inner;
    this.judgesValues = judgesValues;
  }

  start(call: Call, _attempt: number, sink: Sink): Running {
    this.counts.calls++;
    const run = new RetryRun(this, call, sink);
    run.begin();
    return run;
  }
}
