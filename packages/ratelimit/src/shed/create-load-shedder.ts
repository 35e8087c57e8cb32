import {
  assertFunction,
  assertOneOf,
  assertSignal,
  ClosedError,
  currentWork,
  priorities,
  type Priority,
  type Work,
} from '@macadam/core';
import { WindowedLimit } from '@macadam/resilience';
import { annotateShed } from '../annotate.ts';
import { assertCallOptions, assertTenant } from '../call-options.ts';
import { OverloadedError, type OverloadReason } from '../errors.ts';
import { observe } from '../instruments.ts';
import { TurnQueue, type Turn } from '../queue/turn-queue.ts';
import { AdmissionLevel, levelOf, randomLevel } from './admission-level.ts';
import type { LoadShedder, LoadShedderStats } from './load-shedder.ts';
import {
  loadShedderSettings,
  type LoadShedderOptions,
  type LoadShedderSettings,
  type ShedRunOptions,
} from './options.ts';
import { OverloadDetector } from './overload-detector.ts';
import { isImportant, QueueDelays } from './queue-delay.ts';
import { TenantUse } from './tenant-use.ts';

/** Default length of the queue, as a multiple of the limit: what can still be served in time (failsafe-go). */
const QUEUE_FACTOR = 3;
const RUN_OPTIONS = ['priority', 'tenant', 'signal', 'exempt'] as const;

/** Added to the use of a tenant for each run, in milliseconds, so that runs that take no time count, too. */
const MIN_USE_MS = 0.1;

/** A run that cannot start at once. */
interface QueuedRun {
  readonly priority: Priority;
  readonly tenant: string;
  readonly signal: AbortSignal | undefined;
  readonly remainingMs: number;
  readonly now: number;
  readonly work: Work | undefined;
}

/**
 * Three mechanisms reject work. Admission by priority, lowered while there is any sign of overload (`AdmissionLevel`,
 * `OverloadDetector`); an adaptive limit of concurrent runs with a bounded queue; and a limit of the wait in that queue
 * (`QueueDelays`).
 */
class AdaptiveLoadShedder implements LoadShedder {
  readonly name: string;
  readonly #settings: LoadShedderSettings;
  readonly #limit: WindowedLimit;
  readonly #admission = new AdmissionLevel();
  readonly #detector: OverloadDetector;
  readonly #queue: TurnQueue;
  readonly #delays: QueueDelays;
  readonly #use = new TenantUse();
  readonly #shed: Record<OverloadReason, number> = { deadline: 0, full: 0, priority: 0, tooLong: 0 };
  #inFlight = 0;
  #served = 0;
  #closed = false;

  constructor(options: LoadShedderOptions) {
    const settings = loadShedderSettings(options);
    this.#settings = settings;
    this.name = settings.name;
    this.#detector = new OverloadDetector(settings);
    this.#delays = new QueueDelays(settings);
    this.#limit = new WindowedLimit({ ...settings, algorithm: 'gradient2' });
    this.#queue = new TurnQueue(settings.clock, (turn, now) => this.#rejectLate(turn, now - turn.queuedAt));
  }

  async run<T>(fn: () => PromiseLike<T> | T, options: ShedRunOptions = {}): Promise<T> {
    assertFunction('run.fn', fn);
    assertCallOptions('run', options, RUN_OPTIONS);
    if (options.exempt === true) return await fn();
    const work = currentWork();
    const { priority = work?.priority ?? 'normal', tenant = work?.tenant ?? '' } = options;
    assertOneOf('run.priority', priority, priorities);
    const { signal = work?.cancellation } = options;
    assertTenant('run.tenant', tenant);
    assertSignal('run.signal', signal);
    signal?.throwIfAborted();
    const { clock } = this.#settings;
    const now = clock.monotonic();
    if (this.#closed) throw this.#closedError();
    this.#admission.endWindow(now, (wasIdle) => this.#detector.isOverloaded(wasIdle));
    if (!this.#admission.admit(this.#levelOf(priority, tenant, now))) throw this.#rejectByPriority(priority, work);
    if (this.#queue.countAhead(priority) === 0 && this.#inFlight < this.#limitFor(priority)) {
      this.#detector.recordWait(0);
      this.#delays.of(priority).recordWait(now, 0);
      this.#inFlight++;
    } else {
      const remainingMs = work?.deadline?.remainingMs() ?? Infinity;
      await this.#enqueue({ priority, tenant, signal, remainingMs, now, work });
    }
    if (work !== undefined) annotateShed(work, 'served', clock.monotonic() - now);
    return await this.#execute(fn, tenant);
  }

  describe(): string {
    const { name, min, max, reserve, targetMs, intervalMs } = this.#settings;
    const share = `${Math.round(reserve * 100)} % of it for critical and high`;
    return `"${name}": ${min} to ${max} at once, ${share}; waits of ${targetMs} ms, ${intervalMs / 2} ms in a burst`;
  }

  stats(): LoadShedderStats {
    return {
      limit: this.#limit.value,
      inFlight: this.#inFlight,
      queued: this.#queue.size,
      served: this.#served,
      shedByPriority: this.#shed.priority,
      shedByFullQueue: this.#shed.full,
      shedByWait: this.#shed.tooLong,
      admittedShare: this.#admission.share,
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#detector.close();
    this.#queue.rejectAll(() => this.#closedError());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #levelOf(priority: Priority, tenant: string, now: number): number {
    const { clock, random } = this.#settings;
    if (tenant === '') return randomLevel(priority, random());
    return levelOf(priority, tenant, clock.now(), this.#use.excess(tenant, now));
  }

  /** Resolves when the run may start; it is then counted as in flight. */
  async #enqueue({ priority, tenant, signal, remainingMs, now, work }: QueuedRun): Promise<void> {
    const { maxQueued = this.#limit.value * QUEUE_FACTOR } = this.#settings;
    const rejectFull = (turn: Pick<Turn, 'priority'>): OverloadedError => this.#rejectFull(turn.priority);
    if (this.#queue.size >= maxQueued && !this.#queue.evictLowerPriority(priority, rejectFull)) {
      throw this.#rejectFull(priority, work);
    }
    const importantQueued = this.#queue.countAhead('high');
    const isFirst = (isImportant(priority) ? importantQueued : this.#queue.size - importantQueued) === 0;
    const maxWaitMs = Math.min(this.#delays.of(priority).maxWaitMs(now, isFirst), remainingMs);
    const waiting = this.#queue.wait({ priority, tenant, now, maxWaitMs, signal });
    if (work === undefined) await waiting;
    else {
      await waiting.catch((error: unknown) => {
        const outcome = error instanceof OverloadedError ? error.reason : 'left';
        annotateShed(work, outcome, this.#settings.clock.monotonic() - now);
        throw error;
      });
    }
  }

  /** Runs `fn`, measures it for the limit and the use of the tenant, and starts queued runs in its place. */
  async #execute<T>(fn: () => PromiseLike<T> | T, tenant: string): Promise<T> {
    const { clock } = this.#settings;
    const startedAt = clock.monotonic();
    try {
      return await fn();
    } finally {
      const now = clock.monotonic();
      this.#limit.measure(now - startedAt, this.#inFlight, false, now);
      if (tenant !== '') this.#use.add(tenant, now - startedAt + MIN_USE_MS, now);
      this.#inFlight--;
      this.#served++;
      this.#startQueued(now);
    }
  }

  #startQueued(now: number): void {
    while (this.#queue.size > 0) {
      const priority = this.#queue.countAhead('high') > 0 ? 'high' : 'normal';
      if (this.#inFlight >= this.#limitFor(priority)) return;
      const delay = this.#delays.of(priority);
      const turn = this.#queue.next(delay.order) as Turn;
      const waitedMs = now - turn.queuedAt;
      if (delay.recordWait(now, waitedMs)) turn.reject(this.#rejectLate(turn, waitedMs));
      else {
        this.#detector.recordWait(waitedMs);
        this.#inFlight++;
        turn.grant();
      }
    }
  }

  /** The limit of concurrent runs, without the reserve for work that may not use it. */
  #limitFor(priority: Priority): number {
    const limit = this.#limit.value;
    if (isImportant(priority)) return limit;
    return Math.max(1, Math.floor(limit * (1 - this.#settings.reserve)));
  }

  #closedError(): ClosedError {
    return new ClosedError(`Load shedder "${this.name}"`);
  }

  #rejectByPriority(priority: Priority, work: Work | undefined): OverloadedError {
    return this.#reject('priority', priority, this.#detector.describe(), work);
  }

  #rejectFull(priority: Priority, work?: Work): OverloadedError {
    const why = `${this.#inFlight} of ${this.#limit.value} in flight, ${this.#queue.size} queued`;
    return this.#reject('full', priority, why, work);
  }

  #rejectLate({ priority }: Turn, waitedMs: number): OverloadedError {
    this.#detector.recordWait(waitedMs);
    return this.#reject('tooLong', priority, `waited ${Math.round(waitedMs)} ms`);
  }

  /** Counts and annotates a rejection, and makes its error. */
  #reject(reason: OverloadReason, priority: Priority, why: string, work?: Work): OverloadedError {
    this.#shed[reason]++;
    if (work !== undefined) annotateShed(work, reason, 0);
    const { name, random } = this.#settings;
    const message = `"${name}" has no room for ${priority} work (${reason}): ${why}`;
    const signal = reason === 'priority' ? this.#detector.signal : undefined;
    const retryAfterMs = Math.round(this.#settings.retryAfterMs * (0.5 + random()));
    return new OverloadedError(message, { reason, signal, priority, retryAfterMs, refusalStatus: 503 });
  }
}

/**
 * Creates a load shedder, which keeps a server responsive when more work arrives than it can do: it runs what it can do
 * in time, the important first, and rejects the rest at once, which costs next to nothing. Put it in front of the
 * handlers and respond to `MAC_OVERLOADED` with 503 (`refusalResponse`).
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { createLoadShedder } from '@macadam/ratelimit';
 *
 * const shedder = createLoadShedder({ concurrency: { max: 100 } });
 * const result = await shedder.run(async () => 'done', { priority: 'critical', tenant: 'acme' });
 * ```
 */
export function createLoadShedder(options: LoadShedderOptions = {}): LoadShedder {
  const shedder = new AdaptiveLoadShedder(options);
  observe('shedder', shedder.name, shedder);
  return shedder;
}
