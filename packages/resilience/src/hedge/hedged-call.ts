import { Expiring } from '@macadam/core';
import { notRunning, type Call, type Running, type Sink, type Stage } from '../call.ts';
import type { Outcome } from '../policy.ts';
import { retryAfterOf } from '../retry/options.ts';
import type { HedgeState } from './hedge-state.ts';

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
export class HedgedCall extends Expiring implements Running {
  readonly #state: HedgeState;
  readonly #inner: Stage;
  readonly #call: Call;
  readonly #firstAttempt: number;
  readonly #sink: Sink;
  readonly #attempts: HedgeAttempt[] = [];
  /** Whether this layer counts the call in the budget, because no retry around it does. */
  #counts = false;
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
    const { extraLoad, settings } = this.#state;
    const { countedIn, now } = this.#call;
    extraLoad.callStarted(now);
    this.#counts = countedIn !== settings.budget.budget;
    if (this.#counts) settings.budget.callStarted(now);
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
    // A timer or the end of another attempt starts it, but the layers inside belong to the caller.
    this.#call.runInContext(() => this.#send(), undefined);
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
    if (this.#counts) this.#state.settings.budget.callSucceeded(this.#attempts.length - 1, false);
    this.#sink.succeed(value);
  }

  attemptFailed(attempt: HedgeAttempt, error: unknown): void {
    this.#retryEnded(attempt);
    if (this.#done) return;
    const othersRun = this.#attempts.some((other) => !other.ended);
    const { now } = this.#call;
    const number = this.#firstAttempt + attempt.index;
    const outcome: Outcome = { ok: false, error, attempt: number, durationMs: now - attempt.startedAt };
    const { isFatal, isUnsent, budget } = this.#state.settings;
    let fatal: boolean;
    try {
      fatal = isFatal(outcome);
      if (fatal && othersRun && isUnsent(outcome)) return;
    } catch (thrown) {
      this.#fail(thrown);
      return;
    }
    // A callback may have cancelled the call.
    if (this.#done) return;
    if (!fatal) {
      if (this.#counts) budget.attemptFailed();
      // After a failure the next hedge is sent at once (gRPC A6), unless the failure has a `Retry-After`.
      this.#state.queue.remove(this);
      if ((retryAfterOf(outcome) === undefined && this.#hedge(now)) || othersRun) return;
    }
    this.#fail(error);
  }

  #fail(error: unknown): void {
    if (this.#done) return;
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
    if (this.#counts) this.#state.settings.budget.callEnded();
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
