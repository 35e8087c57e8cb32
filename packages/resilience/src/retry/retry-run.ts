import type { AttemptRecord } from '@macadam/core';
import { notRunning, type Call, type Running, type Sink } from '../call.ts';
import { AttemptsExhaustedError } from '../errors.ts';
import type { Outcome } from '../policy.ts';
import { decide, type Decision } from './decision.ts';
import { Retries } from './retries.ts';
import type { RetryStage } from './retry-stage.ts';
import { runAttempts } from './run-attempts.ts';

/**
 * What to do after an outcome: wait and retry, give up, accept the outcome, leave a failure to a retry further out (or to nobody, if a
 * callback has cancelled the call), or fail with the error of a callback.
 */
type NextStep = Decision | { readonly next: 'accept' | 'leave' } | { readonly next: 'fail'; readonly error: unknown };

/** One call under a retry. The first attempt costs only this object; the asynchronous loop starts with the first failure. */
export class RetryRun implements Sink, Running {
  readonly #stage: RetryStage;
  readonly #call: Call;
  readonly #sink: Sink;
  #attempt = 1;
  #attemptStartedAt: number;
  #retries: Retries | undefined = undefined;
  /** Whether the one transparent retry was used. */
  #transparent = false;
  #inner: Running = notRunning;
  /** Number of attempts that have ended, to detect one that ends while it is being started. */
  #endings = 0;
  /** Whether the budget has granted a retry that is still in flight. */
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
    const { budget } = this.#stage.settings;
    this.#call.countedIn = budget.budget;
    budget.callStarted(this.#call.now);
    const running = this.#stage.inner.start(this.#call, 1, this);
    if (this.#endings === 0 && !this.#done) this.#inner = running;
  }

  // A function that cancels its own call while it starts settles after that: hence the check of #done.
  succeed(value: unknown): void {
    if (this.#done) return;
    if (this.#attempt === 1 && !this.#stage.classifiesValues) {
      this.#settle();
      this.#stage.settings.budget.callSucceeded(0, false);
      this.#sink.succeed(value);
    } else this.#handleOutcome({ ok: true, value, attempt: this.#attempt, durationMs: this.#durationMs });
  }

  fail(error: unknown): void {
    if (this.#done) return;
    this.#handleOutcome({ ok: false, error, attempt: this.#attempt, durationMs: this.#durationMs });
  }

  cancel(reason: unknown): void {
    if (this.#done) return;
    this.#settle();
    this.#cancelReason = reason;
    this.#retries?.timer?.cancel();
    this.#inner.cancel(reason);
    this.#retries?.wake?.(undefined);
  }

  get #durationMs(): number {
    return this.#call.now - this.#attemptStartedAt;
  }

  #handleOutcome(outcome: Outcome): void {
    this.#inner = notRunning;
    this.#endings++;
    if (this.#retryTransparently(outcome)) return;
    this.#releaseGrant();
    if (this.#attempt > 1) this.#retries?.wake?.(outcome);
    else this.#handleFirst(outcome);
  }

  /** Starts the same attempt once more, without budget or wait, if the dependency has not received it. */
  #retryTransparently(outcome: Outcome): boolean {
    const { settings, counts, inner } = this.#stage;
    const call = this.#call;
    if (this.#transparent || outcome.ok || this.#done || call.now >= call.deadlineAt) return false;
    let transparent: boolean;
    try {
      transparent = settings.transparentIf(outcome);
    } catch (error) {
      this.#finish(outcome, { next: 'fail', error });
      this.#retries?.wake?.(undefined);
      return true;
    }
    // The callback may have cancelled the call: then there is nothing left to do.
    if (this.#done) return true;
    if (!transparent) return false;
    this.#transparent = true;
    counts.transparent++;
    const endings = this.#endings;
    const running = call.runInContext((attempt: number) => inner.start(call, attempt, this), this.#attempt);
    // The function cancelled its own call while it was starting. If it has settled, cancel does nothing.
    if (this.#done) running.cancel(this.#cancelReason);
    else if (endings === this.#endings) this.#inner = running;
    return true;
  }

  #handleFirst(outcome: Outcome): void {
    const decision = this.#decideNext(outcome);
    if (decision.next !== 'wait') this.#finish(outcome, decision);
    else {
      const loop = (delayMs: number): Promise<void> =>
        this.#loop(delayMs).catch((error: unknown) => this.#failUnexpectedly(error));
      void this.#call.runInContext(loop, decision.delayMs);
    }
  }

  /** Ends the call if the loop throws, which only a custom clock can cause. */
  #failUnexpectedly(error: unknown): void {
    if (this.#done) return;
    this.#settle();
    this.#sink.fail(error);
  }

  async #loop(firstDelayMs: number): Promise<void> {
    let delayMs = firstDelayMs;
    await runAttempts(async () => {
      // Without a wait if cancelled since the decision: its timer would be left behind.
      if (!this.#done) await this.#wait(delayMs);
      const outcome = this.#done ? undefined : await this.#runNextAttempt();
      // Cancelled during the wait or the attempt, or since its end.
      if (outcome === undefined || this.#done) return false;
      const decision = this.#decideNext(outcome);
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
      const retries = this.#retries as Retries;
      retries.waitedMs = delayMs;
      retries.wake = () => resolve();
      retries.timer = this.#stage.settings.clock.setTimer(resolve, delayMs);
    });
  }

  #runNextAttempt(): Promise<Outcome | undefined> {
    return new Promise((resolve) => {
      const call = this.#call;
      const retries = this.#retries as Retries;
      retries.timer = undefined;
      this.#attempt++;
      this.#stage.counts.retries++;
      this.#attemptStartedAt = call.now = call.clock.monotonic();
      const endings = this.#endings;
      let ended = false;
      retries.wake = (outcome) => {
        ended = true;
        resolve(outcome);
      };
      const running = this.#stage.inner.start(call, this.#attempt, this);
      if (endings === this.#endings && !ended) this.#inner = running;
      // The function cancelled its own call while it was starting.
      else if (this.#done) running.cancel(this.#cancelReason);
    });
  }

  /** Decides with the callbacks of the user. If one throws, the call fails with that error. */
  #decideNext(outcome: Outcome): NextStep {
    const { settings } = this.#stage;
    const { now, deadlineAt } = this.#call;
    try {
      if (!settings.retryIf(outcome)) return { next: 'accept' };
      if (this.#done) return { next: 'leave' };
      const retries = (this.#retries ??= new Retries());
      settings.budget.attemptFailed();
      this.#call.recordFailure(outcome, this.#attemptStartedAt, retries.waitedMs);
      // It does not own the retries, because a retry around this call repeats it.
      if (settings.maxAttempts > 1 && this.#call.retryScope === undefined) return { next: 'leave' };
      const movesOn = this.#call.options?.route?.movesOn?.(outcome) === true;
      const decision = decide(settings, outcome, {
        attempt: this.#attempt,
        waitedMs: retries.waitedMs,
        leftMs: deadlineAt - now,
        pendingRetryAfterMs: Math.max(0, retries.retryAfterUntil - now),
        movesOn,
      });
      // Before asking the budget, since nobody would end the retry that it grants.
      if (this.#done) return { next: 'leave' };
      if (movesOn) retries.retryAfterUntil = now + (decision.retryAfterMs ?? 0);
      if (decision.next === 'giveUp') return decision;
      retries.throttled = decision.throttled;
      this.#granted = settings.budget.tryRetry(decision.throttled, now);
      return this.#granted ? decision : { ...decision, next: 'giveUp', reason: 'budget' };
    } catch (error) {
      return { next: 'fail', error };
    }
  }

  #finish(outcome: Outcome, decision: Exclude<NextStep, { next: 'wait' }>): void {
    if (this.#done) return;
    const { counts, settings } = this.#stage;
    this.#settle();
    if (decision.next === 'giveUp') counts.gaveUp[decision.reason]++;
    if (decision.next === 'fail') this.#sink.fail(decision.error);
    else if (outcome.ok) {
      const throttled = this.#retries?.throttled ?? false;
      if (decision.next === 'accept') settings.budget.callSucceeded(this.#attempt - 1, throttled);
      this.#sink.succeed(outcome.value);
    } else if (decision.next !== 'giveUp') this.#sink.fail(outcome.error);
    else {
      const { reason, retryAfterMs } = decision;
      const history = this.#call.history as AttemptRecord[];
      // If only one attempt is allowed, nothing was given up: the failure is passed on unchanged.
      if (settings.maxAttempts === 1) this.#sink.fail(outcome.error);
      else this.#sink.fail(new AttemptsExhaustedError(reason, history, outcome.error, retryAfterMs));
    }
  }

  #releaseGrant(): void {
    if (!this.#granted) return;
    this.#granted = false;
    this.#stage.settings.budget.retryEnded();
  }

  #settle(): void {
    this.#done = true;
    this.#releaseGrant();
    this.#stage.settings.budget.callEnded();
  }
}
