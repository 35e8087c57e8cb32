import {
  assertDurationMs,
  assertInteger,
  assertKnownOptions,
  assertObject,
  assertOneOf,
  currentWork,
  Expiring,
  ExpiryQueue,
  priorities,
  systemClock,
  type Clock,
  type Priority,
} from '@macadam/core';
import { notRunning, type Call, type Running, type Sink, type Stage } from './call.ts';
import { definePolicy } from './define-policy.ts';
import { BulkheadFullError } from './errors.ts';
import type { Policy } from './policy.ts';
import { WaitingLine, type Waiting } from './waiting-line.ts';

export interface BulkheadOptions {
  /** Calls in flight at once, at least 1. Default: 1 000 (.NET's standard handler). */
  maxConcurrent?: number;
  /** Calls that may wait for a place, at least 0. Default: 0: refuse at once. */
  maxQueued?: number;
  /** The longest wait in the queue, in milliseconds, above 0. The call's deadline limits it too. Default: 1 000. */
  queueTimeoutMs?: number;
  /**
   * Who goes first among calls of the same priority: `fifo`, the oldest; `lifo`, the newest, which is kinder under
   * lasting overload, when the oldest will be too late anyway. Default: `fifo`.
   */
  order?: 'fifo' | 'lifo';
  /** Default: the system clock. */
  clock?: Clock;
}

type Settings = Required<BulkheadOptions>;

/** A call that has a place. */
class PlacedRun implements Sink, Running {
  readonly #gate: Gate;
  readonly #sink: Sink;
  #inner: Running = notRunning;
  #done = false;

  constructor(gate: Gate, sink: Sink) {
    this.#gate = gate;
    this.#sink = sink;
  }

  begin(inside: Stage, call: Call, attempt: number): Running {
    const running = inside.start(call, attempt, this);
    if (!this.#done) this.#inner = running;
    return running;
  }

  succeed(value: unknown): void {
    this.#done = true;
    this.#sink.succeed(value);
    this.#gate.leave();
  }

  fail(error: unknown): void {
    this.#done = true;
    this.#sink.fail(error);
    this.#gate.leave();
  }

  cancel(reason: unknown): void {
    if (this.#done) return;
    this.#done = true;
    this.#inner.cancel(reason);
    this.#gate.leave();
  }
}

/** A call that waits for a place, and what it does once it has one. */
class QueuedRun extends Expiring implements Running, Waiting {
  readonly call: Call;
  readonly queuedAt: number;
  readonly line: WaitingLine<QueuedRun>;
  ahead: Waiting | undefined = undefined;
  behind: Waiting | undefined = undefined;
  waits = false;
  readonly #gate: Gate;
  readonly #inside: Stage;
  readonly #attempt: number;
  readonly #sink: Sink;
  #placed: PlacedRun | undefined;
  #cancelled: { readonly reason: unknown } | undefined;

  constructor(gate: Gate, line: WaitingLine<QueuedRun>, inside: Stage, call: Call, attempt: number, sink: Sink) {
    super();
    this.#gate = gate;
    this.line = line;
    this.#inside = inside;
    this.call = call;
    this.#attempt = attempt;
    this.#sink = sink;
    this.queuedAt = call.now;
  }

  /** Runs in the context of the call that waited, not of the one that made room. */
  begin(): void {
    this.#placed = new PlacedRun(this.#gate, this.#sink);
    const running = this.#placed.begin(this.#inside, this.call, this.#attempt);
    // By the very function that was being started.
    if (this.#cancelled !== undefined) running.cancel(this.#cancelled.reason);
  }

  cancel(reason: unknown): void {
    if (this.waits) this.#gate.forget(this);
    else {
      this.#cancelled = { reason };
      this.#placed?.cancel(reason);
    }
  }

  override expire(now: number): void {
    if (!this.waits) return;
    this.call.now = now;
    this.#gate.forget(this);
    this.#sink.fail(this.#gate.timeOut(now - this.queuedAt));
  }
}

/** The places and the queue. */
class Gate {
  readonly #settings: Settings;
  readonly #timers: ExpiryQueue;
  readonly #lines = new Map<Priority, WaitingLine<QueuedRun>>(priorities.map((one) => [one, new WaitingLine()]));
  #admitting = false;
  inFlight = 0;
  queued = 0;
  rejected = 0;
  timedOut = 0;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#timers = new ExpiryQueue(settings.clock);
  }

  enter(inside: Stage, call: Call, attempt: number, sink: Sink): Running {
    const { maxConcurrent, maxQueued, queueTimeoutMs } = this.#settings;
    if (this.inFlight >= maxConcurrent && this.queued >= maxQueued) {
      this.rejected++;
      sink.fail(this.#full(`${maxConcurrent} calls are in flight and ${maxQueued} queued`, 0));
      return notRunning;
    }
    if (this.inFlight < maxConcurrent) {
      this.inFlight++;
      const placed = new PlacedRun(this, sink);
      placed.begin(inside, call, attempt);
      return placed;
    }
    const line = this.#lines.get(currentWork()?.priority ?? 'normal') as WaitingLine<QueuedRun>;
    const queued = new QueuedRun(this, line, inside, call, attempt, sink);
    line.join(queued);
    this.queued++;
    queued.expiresAt = Math.min(call.now + queueTimeoutMs, call.deadlineAt);
    this.#timers.add(queued, call.now);
    return queued;
  }

  /** A place came free: whoever is next takes it. Not recursive, however many end without waiting for anything. */
  leave(): void {
    this.inFlight--;
    if (this.#admitting) return;
    this.#admitting = true;
    while (this.queued > 0 && this.inFlight < this.#settings.maxConcurrent) {
      const next = this.#next() as QueuedRun;
      this.forget(next);
      this.inFlight++;
      next.call.now = this.#settings.clock.monotonic();
      next.call.within(begin, next);
    }
    this.#admitting = false;
  }

  /** Takes a call out of the queue. */
  forget(run: QueuedRun): void {
    run.line.leave(run);
    this.queued--;
    this.#timers.remove(run);
  }

  timeOut(queuedMs: number): BulkheadFullError {
    this.timedOut++;
    return this.#full(`no place came free within ${Math.round(queuedMs)} ms`, queuedMs);
  }

  #full(why: string, queuedMs: number): BulkheadFullError {
    const { maxConcurrent, maxQueued } = this.#settings;
    return new BulkheadFullError(`Bulkhead is full: ${why}`, { maxConcurrent, maxQueued, queuedMs });
  }

  #next(): QueuedRun | undefined {
    for (const line of this.#lines.values()) {
      if (line.size > 0) return this.#settings.order === 'lifo' ? line.newest : line.oldest;
    }
    return undefined;
  }
}

function begin(run: QueuedRun): void {
  run.begin();
}

/**
 * Limits how many calls are in flight, so that one slow dependency cannot take every socket and all memory. What finds
 * no place is refused with {@link BulkheadFullError}, or waits in a bounded queue, the most important first. An abort
 * gives the place back at once.
 *
 * One bulkhead guards one pool of places wherever it is used: share it between pipelines to share the places.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { bulkhead } from '@macadam/resilience';
 *
 * const reports = bulkhead({ maxConcurrent: 2, maxQueued: 10 });
 * await Promise.all([1, 2, 3].map((id) => reports.execute(async () => `report ${id}`)));
 * ```
 */
export function bulkhead(options: BulkheadOptions = {}): Policy {
  const settings = bulkheadSettings(options);
  const gate = new Gate(settings);
  const { maxConcurrent, maxQueued, queueTimeoutMs, order, clock } = settings;
  const queue = maxQueued === 0 ? 'none queued' : `${maxQueued} queued (${order}) for up to ${queueTimeoutMs} ms`;
  return definePolicy(
    'bulkhead',
    {
      clock,
      defers: maxQueued > 0,
      repeats: false,
      around: (inner) => ({ start: (call, attempt, sink) => gate.enter(inner, call, attempt, sink) }),
    },
    {
      describe: () => `bulkhead: ${maxConcurrent} in flight, ${queue}`,
      stats: () => {
        const { inFlight, queued, rejected, timedOut } = gate;
        return { inFlight, queued, rejected, timedOut };
      },
    },
  );
}

function bulkheadSettings(options: BulkheadOptions): Settings {
  assertObject('bulkhead', options);
  assertKnownOptions('bulkhead', options, ['maxConcurrent', 'maxQueued', 'queueTimeoutMs', 'order', 'clock']);
  const { maxConcurrent = 1_000, maxQueued = 0, queueTimeoutMs = 1_000, order = 'fifo', clock = systemClock } = options;
  assertInteger('bulkhead.maxConcurrent', maxConcurrent, { min: 1 });
  assertInteger('bulkhead.maxQueued', maxQueued, { min: 0 });
  assertDurationMs('bulkhead.queueTimeoutMs', queueTimeoutMs, { above: 0, infinite: true });
  assertOneOf('bulkhead.order', order, ['fifo', 'lifo']);
  return { maxConcurrent, maxQueued, queueTimeoutMs, order, clock };
}
