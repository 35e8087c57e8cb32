import {
  assertClock,
  assertDurationMs,
  assertKnownOptions,
  assertObject,
  Expiring,
  ExpiryQueue,
  isMacadamError,
  systemClock,
  TimeoutError,
  timerlessClock,
  type AttemptRecord,
  type Clock,
} from '@macadam/core';
import { notRunning, type Call, type Running, type Sink, type Stage } from './call.ts';
import { publishVerdict } from './cut-short.ts';
import { definePolicy } from './define-policy.ts';
import type { Policy } from './policy.ts';
import { startPinnedCall } from './pinned-call.ts';

/** Options of {@link timeout}. */
export interface TimeoutOptions {
  /** Time limit in milliseconds, above 0. An earlier deadline of the call or of the current work wins. Required. */
  timeoutMs: number;
  /** The clock for all waits and durations. Default: `systemClock`. */
  clock?: Clock;
}

class TimedRun extends Expiring implements Sink, Running {
  readonly #stage: TimeoutStage;
  readonly #call: Call;
  readonly #sink: Sink;
  readonly #limitMs: number;
  #inner: Running = notRunning;
  #done = false;

  constructor(stage: TimeoutStage, call: Call, sink: Sink, limitMs: number) {
    super();
    this.#stage = stage;
    this.#call = call;
    this.#sink = sink;
    this.#limitMs = limitMs;
    this.expiresAt = call.now + limitMs;
  }

  begin(inner: Stage, attempt: number): void {
    this.#stage.queue.add(this, this.#call.now);
    const running = inner.start(this.#call, attempt, this);
    if (!this.#done) this.#inner = running;
  }

  succeed(value: unknown): void {
    if (this.#done) return;
    this.#end();
    this.#sink.succeed(value);
  }

  fail(error: unknown): void {
    if (this.#done) return;
    this.#end();
    this.#sink.fail(error);
  }

  cancel(reason: unknown): void {
    if (this.#done) return;
    this.#end();
    if (isMacadamError(reason, 'MAC_TIMEOUT')) this.#timeOutFromOutside(reason);
    else this.#inner.cancel(reason);
  }

  /** A timeout further out. Whether it indicates a slow dependency depends on how much of its own limit this layer granted. */
  #timeOutFromOutside(error: object): void {
    this.#stage.judge(error, this.#call.now - this.expiresAt + this.#limitMs, this.#call);
    this.#inner.cancel(error);
    publishVerdict(error, this.#call);
  }

  override expire(now: number): void {
    if (this.#done) return;
    this.#done = true;
    this.#call.now = now;
    const error = this.#stage.timeoutError(this.#limitMs, this.#call);
    this.#inner.cancel(error);
    publishVerdict(error, this.#call);
    this.#sink.fail(error);
  }

  #end(): void {
    this.#done = true;
    this.#stage.queue.remove(this);
  }
}

class TimeoutStage implements Stage {
  readonly queue: ExpiryQueue;
  readonly #counts: TimeoutCounts;
  readonly #inner: Stage;
  readonly #timeoutMs: number;
  readonly #role: 'attempt' | 'call';

  constructor(
    policy: { queue: ExpiryQueue; counts: TimeoutCounts; timeoutMs: number },
    inner: Stage,
    role: 'attempt' | 'call',
  ) {
    this.queue = policy.queue;
    this.#counts = policy.counts;
    this.#timeoutMs = policy.timeoutMs;
    this.#inner = inner;
    this.#role = role;
  }

  start(call: Call, attempt: number, sink: Sink): Running {
    const own = this.#ownLimitMs(call);
    const leftMs = call.deadlineAt - call.now;
    const limitMs = own < leftMs ? own : leftMs;
    if (limitMs <= 0) {
      sink.fail(this.timeoutError(0, call));
      return notRunning;
    }
    const run = new TimedRun(this, call, sink, limitMs);
    run.begin(this.#inner, attempt);
    return run;
  }

  #ownLimitMs({ options }: Call): number {
    return (this.#role === 'call' ? options?.timeoutMs : options?.attemptTimeoutMs) ?? this.#timeoutMs;
  }

  /** Judges that the timeout was cut short if `grantedMs` was less than half of the limit of this layer. */
  judge(error: object, grantedMs: number, call: Call): void {
    call.cutShort = grantedMs < this.#ownLimitMs(call) / 2 ? error : undefined;
    publishVerdict(error, call);
  }

  timeoutError(limitMs: number, call: Call): TimeoutError {
    this.#counts.timedOut++;
    const what = this.#role === 'call' ? 'The call' : 'The attempt';
    const message = limitMs > 0 ? `${what} took longer than ${round(limitMs)} ms` : `${what} had no time left to start`;
    const error = new TimeoutError(message, limitMs);
    this.judge(error, limitMs, call);
    if (call.history !== undefined && this.#role === 'call') {
      (error as { attempts?: readonly AttemptRecord[] }).attempts = call.history;
      error.cause = call.history.at(-1)?.error;
    }
    return error;
  }
}

interface TimeoutCounts {
  timedOut: number;
}

/** Rounds for messages: limits are often what is left of other limits, with many digits. */
function round(ms: number): number {
  return ms < 10 ? Number(ms.toFixed(1)) : Math.round(ms);
}

/**
 * Ends a call that takes too long: `signal` of the attempt aborts, and the call rejects at once with `TimeoutError` (`MAC_TIMEOUT`),
 * whether or not the function reacts to the signal. In a pipeline, a timeout outside the retry limits the whole call, waits included;
 * one inside limits each attempt, the last one to the time that is left.
 *
 * Calls in flight share one timer, so that a call that ends in time sets none.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { timeout } from '@macadam/resilience';
 *
 * const rows = await timeout({ timeoutMs: 500 }).execute(async ({ signal }) => {
 *   if (signal.aborted) throw signal.reason;
 *   return ['a row'];
 * });
 * ```
 */
export function timeout(options: TimeoutOptions): Policy {
  assertObject('timeout', options);
  assertKnownOptions('timeout', options, ['timeoutMs', 'clock']);
  assertDurationMs('timeout.timeoutMs', options.timeoutMs);
  const { timeoutMs, clock = systemClock } = options;
  assertClock('timeout.clock', clock);
  const counts: TimeoutCounts = { timedOut: 0 };
  const queue = new ExpiryQueue(clock);
  return definePolicy(
    'timeout',
    {
      clock,
      defers: false,
      repeats: false,
      limitMs: timeoutMs,
      around: (inner, role) => new TimeoutStage({ queue, counts, timeoutMs }, inner, role),
    },
    {
      describe: () => `timeout: ${timeoutMs} ms`,
      stats: () => ({ inFlight: queue.size, timedOut: counts.timedOut }),
    },
  );
}

// A fraction, as limits often are: V8 represents whole numbers differently, and would have to recompile.
startPinnedCall(timeout({ timeoutMs: 0.5, clock: timerlessClock }));
