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

/** A call in flight. Its end frees the place for the next. */
class AdmittedRun implements Sink, Running {
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

  // A function that cancels its own call while it starts settles after the place was freed: hence the check of #done.
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

/** A call in the queue, and after that its run. */
class QueuedRun extends Expiring implements Running, Waiting {
  readonly call: Call;
  readonly queuedAt: number;
  readonly line: WaitingLine<QueuedRun>;
  ahead: Waiting | undefined = undefined;
  behind: Waiting | undefined = undefined;
  waits = false;
  readonly #gate: Gate;
  readonly #inner: Stage;
  readonly #attempt: number;
  readonly #sink: Sink;
  #admitted: AdmittedRun | undefined;
  #cancelled: { readonly reason: unknown } | undefined;

  constructor(gate: Gate, line: WaitingLine<QueuedRun>, inner: Stage, call: Call, attempt: number, sink: Sink) {
    super();
    this.#gate = gate;
    this.line = line;
    this.#inner = inner;
    this.call = call;
    this.#attempt = attempt;
    this.#sink = sink;
    this.queuedAt = call.now;
    call.captureContext();
  }

  /** Must be called in the context of the queued call, not of the one that freed the place. */
  begin(): void {
    this.#admitted = new AdmittedRun(this.#gate, this.#sink);
    const running = this.#admitted.begin(this.#inner, this.call, this.#attempt);
    // The function cancelled its own call while it was starting.
    if (this.#cancelled !== undefined) running.cancel(this.#cancelled.reason);
  }

  cancel(reason: unknown): void {
    if (this.waits) this.#gate.dequeue(this);
    else {
      this.#cancelled = { reason };
      this.#admitted?.cancel(reason);
    }
  }

  override expire(now: number): void {
    if (!this.waits) return;
    this.call.now = now;
    this.#gate.dequeue(this);
    this.#sink.fail(this.#gate.timeOut(now - this.queuedAt));
  }
}

/** Counts the calls in flight of a bulkhead, and queues those beyond its limit, by priority. */
export class Gate {
  readonly #settings: GateSettings;
  readonly #timers: ExpiryQueue;
  /** Highest priority first. */
  readonly #lines = new Map<Priority, WaitingLine<QueuedRun>>(
    priorities.map((priority) => [priority, new WaitingLine()]),
  );
  #admitting = false;
  inFlight = 0;
  queued = 0;
  rejected = 0;
  timedOut = 0;

  constructor(settings: GateSettings) {
    this.#settings = settings;
    this.#timers = new ExpiryQueue(settings.clock);
  }

  enter(inner: Stage, call: Call, attempt: number, sink: Sink): Running {
    const { maxConcurrent, maxQueued, queueTimeoutMs } = this.#settings;
    if (this.inFlight >= maxConcurrent && this.queued >= maxQueued) {
      this.rejected++;
      sink.fail(this.#full(`${maxConcurrent} calls are in flight and ${maxQueued} queued`, 0));
      return notRunning;
    }
    if (this.inFlight < maxConcurrent) {
      this.inFlight++;
      const admitted = new AdmittedRun(this, sink);
      admitted.begin(inner, call, attempt);
      return admitted;
    }
    const line = this.#lines.get(currentWork()?.priority ?? 'normal') as WaitingLine<QueuedRun>;
    const queued = new QueuedRun(this, line, inner, call, attempt, sink);
    line.join(queued);
    this.queued++;
    queued.expiresAt = Math.min(call.now + queueTimeoutMs, call.deadlineAt);
    this.#timers.add(queued, call.now);
    return queued;
  }

  /** Frees the place of a call and starts queued ones. A loop, not a recursion, however many end synchronously. */
  leave(): void {
    this.inFlight--;
    if (this.#admitting) return;
    this.#admitting = true;
    try {
      while (this.queued > 0 && this.inFlight < this.#settings.maxConcurrent) this.#admitNext();
    } finally {
      this.#admitting = false;
    }
  }

  #admitNext(): void {
    const now = this.#settings.clock.monotonic();
    const next = this.#next(now) as QueuedRun;
    this.dequeue(next);
    this.inFlight++;
    next.call.now = now;
    next.call.runInContext(begin, next);
  }

  dequeue(run: QueuedRun): void {
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
      const isCongested = order === 'adaptive' && now - (oldest as QueuedRun).queuedAt > queueTimeoutMs / 2;
      return order === 'lifo' || isCongested ? newest : oldest;
    }
    return undefined;
  }
}

function begin(run: QueuedRun): void {
  run.begin();
}
