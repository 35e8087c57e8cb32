import {
  currentWork,
  Expiring,
  ExpiryQueue,
  priorities,
  WaitingLine,
  type Clock,
  type Priority,
  type Waiting,
} from '@macadam/core';
import { notRunning, type Call, type Running, type Sink, type Stage } from './call.ts';
import { BulkheadFullError } from './errors.ts';

/** The options of a bulkhead with every default filled in. */
export interface GateSettings {
  readonly maxConcurrent: number;
  readonly maxQueued: number;
  readonly queueTimeoutMs: number;
  readonly order: 'adaptive' | 'fifo' | 'lifo';
  readonly clock: Clock;
}

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

  // A function that cancels its own call while it is being started settles after the place was given back.
  succeed(value: unknown): void {
    if (this.#done) return;
    this.#done = true;
    this.#sink.succeed(value);
    this.#gate.leave();
  }

  fail(error: unknown): void {
    if (this.#done) return;
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
    call.keepContext();
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
export class Gate {
  readonly #settings: GateSettings;
  readonly #timers: ExpiryQueue;
  readonly #lines = new Map<Priority, WaitingLine<QueuedRun>>(priorities.map((one) => [one, new WaitingLine()]));
  #admitting = false;
  inFlight = 0;
  queued = 0;
  rejected = 0;
  timedOut = 0;

  constructor(settings: GateSettings) {
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
      const now = this.#settings.clock.monotonic();
      const next = this.#next(now) as QueuedRun;
      this.forget(next);
      this.inFlight++;
      next.call.now = now;
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

  #next(now: number): QueuedRun | undefined {
    const { order, queueTimeoutMs } = this.#settings;
    for (const { size, oldest, newest } of this.#lines.values()) {
      if (size === 0) continue;
      const late = order === 'adaptive' && now - (oldest as QueuedRun).queuedAt > queueTimeoutMs / 2;
      return order === 'lifo' || late ? newest : oldest;
    }
    return undefined;
  }
}

function begin(run: QueuedRun): void {
  run.begin();
}
