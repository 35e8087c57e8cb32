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
import { Turns, type Turn } from '../queue/turns.ts';
import { AdmissionLevel, anyLevel, levelOf } from './admission-level.ts';
import type { LoadShedder, LoadShedderStats } from './load-shedder.ts';
import {
  loadShedderSettings,
  type LoadShedderOptions,
  type LoadShedderSettings,
  type ShedRunOptions,
} from './options.ts';
import { exceeded, ProcessSensors, type Sensors } from './signals.ts';
import { isImportant, Sojourns } from './sojourn.ts';
import { TenantUse } from './tenant-use.ts';

/** Queues a few times as long as the limit hold what can still be served in time (failsafe-go). */
const QUEUE_FACTOR = 3;
const RUN_OPTIONS = ['priority', 'tenant', 'signal', 'exempt'] as const;

/** Answers that take no time at all are some use, too, in milliseconds. */
const LEAST_USE_MS = 0.1;

/** One who has to wait. */
interface Arrival {
  readonly priority: Priority;
  readonly tenant: string;
  readonly signal: AbortSignal | undefined;
  readonly leftMs: number;
  readonly now: number;
  readonly work: Work | undefined;
}

class QueueingShedder implements LoadShedder {
  readonly name: string;
  readonly #settings: LoadShedderSettings;
  readonly #limit: WindowedLimit;
  readonly #level = new AdmissionLevel();
  readonly #turns: Turns;
  readonly #sojourns: Sojourns;
  readonly #use = new TenantUse();
  readonly #sensors: Sensors | undefined;
  readonly #shed: Record<OverloadReason, number> = { deadline: 0, full: 0, priority: 0, tooLong: 0 };
  #inFlight = 0;
  #served = 0;
  #closed = false;
  /** Waits since the level was last judged. */
  #waits = 0;
  #waitedMs = 0;

  constructor(options: LoadShedderOptions) {
    const settings = loadShedderSettings(options);
    this.#settings = settings;
    this.name = settings.name;
    this.#sensors = settings.signals && new ProcessSensors(settings.signals);
    this.#sojourns = new Sojourns(settings);
    this.#limit = new WindowedLimit({ ...settings, algorithm: 'gradient2' });
    this.#turns = new Turns(settings.clock, (turn, now) => {
      this.#waited(now - turn.queuedAt);
      return this.#refusal('tooLong', turn.priority);
    });
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
    this.#level.turn(now, (rested) => this.#isOverloaded(rested));
    if (!this.#level.admit(this.#levelOf(priority, tenant, now))) throw this.#refusal('priority', priority, work);
    if (this.#turns.ahead(priority) === 0 && this.#inFlight < this.#room(priority)) {
      this.#waited(0);
      this.#sojourns.of(priority).ends(now, 0);
      this.#inFlight++;
    } else {
      const leftMs = work?.deadline?.remainingMs() ?? Infinity;
      await this.#queue({ priority, tenant, signal, leftMs, now, work });
    }
    if (work !== undefined) annotateShed(work, 'served', clock.monotonic() - now);
    return await this.#measured(fn, tenant);
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
      queued: this.#turns.size,
      served: this.#served,
      shedByPriority: this.#shed.priority,
      shedByFullQueue: this.#shed.full,
      shedByWait: this.#shed.tooLong,
      admittedShare: this.#level.share,
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#sensors?.close();
    this.#turns.end(() => this.#closedError());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #levelOf(priority: Priority, tenant: string, now: number): number {
    const { clock, random } = this.#settings;
    if (tenant === '') return anyLevel(priority, random());
    return levelOf(priority, tenant, clock.now(), this.#use.excess(tenant, now));
  }

  async #queue({ priority, tenant, signal, leftMs, now, work }: Arrival): Promise<void> {
    const { maxQueued = this.#limit.value * QUEUE_FACTOR } = this.#settings;
    const full = (turn: Pick<Turn, 'priority'>): OverloadedError => this.#refusal('full', turn.priority);
    if (this.#turns.size >= maxQueued && !this.#turns.evictBelow(priority, full)) {
      throw this.#refusal('full', priority, work);
    }
    const important = this.#turns.ahead('high');
    const first = (isImportant(priority) ? important : this.#turns.size - important) === 0;
    const limitMs = this.#sojourns.of(priority).limitMs(now, first);
    const waiting = this.#turns.wait({ priority, tenant, now, limitMs: Math.min(limitMs, leftMs), signal });
    if (work === undefined) await waiting;
    else {
      await waiting.catch((error: unknown) => {
        const outcome = error instanceof OverloadedError ? error.reason : 'left';
        annotateShed(work, outcome, this.#settings.clock.monotonic() - now);
        throw error;
      });
    }
  }

  async #measured<T>(fn: () => PromiseLike<T> | T, tenant: string): Promise<T> {
    const { clock } = this.#settings;
    const startedAt = clock.monotonic();
    try {
      return await fn();
    } finally {
      const now = clock.monotonic();
      this.#limit.measure(now - startedAt, this.#inFlight, false, now);
      if (tenant !== '') this.#use.add(tenant, now - startedAt + LEAST_USE_MS, now);
      this.#inFlight--;
      this.#served++;
      this.#pump(now);
    }
  }

  /** Hands the places that are free to those who wait. */
  #pump(now: number): void {
    while (this.#turns.size > 0) {
      const important = this.#turns.ahead('high') > 0;
      if (this.#inFlight >= this.#room(important ? 'high' : 'normal')) return;
      const sojourn = this.#sojourns.of(important ? 'high' : 'normal');
      const turn = this.#turns.next(sojourn.order) as Turn;
      const waitedMs = now - turn.queuedAt;
      this.#waited(waitedMs);
      if (sojourn.ends(now, waitedMs)) turn.refuse(this.#refusal('tooLong', turn.priority));
      else {
        this.#inFlight++;
        turn.grant();
      }
    }
  }

  #room(priority: Priority): number {
    const limit = this.#limit.value;
    if (isImportant(priority)) return limit;
    return Math.max(1, Math.floor(limit * (1 - this.#settings.reserve)));
  }

  #waited(ms: number): void {
    this.#waits++;
    this.#waitedMs += ms;
  }

  /** The waits of before a rest speak of no overload now; the signals do, for an event loop that stood still looks like one. */
  #isOverloaded(rested: boolean): boolean {
    const meanMs = rested || this.#waits === 0 ? 0 : this.#waitedMs / this.#waits;
    this.#waits = this.#waitedMs = 0;
    const { overloadedAboveMs, isOverloaded, signals } = this.#settings;
    const sign = signals && exceeded(signals, (this.#sensors as Sensors).read());
    return meanMs > overloadedAboveMs || sign !== undefined || isOverloaded();
  }

  #closedError(): ClosedError {
    return new ClosedError(`Load shedder "${this.name}"`);
  }

  #refusal(reason: OverloadReason, priority: Priority, work?: Work): OverloadedError {
    this.#shed[reason]++;
    if (work !== undefined) annotateShed(work, reason, 0);
    const { name, random } = this.#settings;
    const why = `"${name}" has no room for ${priority} work (${reason})`;
    const retryAfterMs = Math.round(this.#settings.retryAfterMs * (0.5 + random()));
    return new OverloadedError(why, { reason, priority, retryAfterMs, refusalStatus: 503 });
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
 * const answer = await shedder.run(async () => 'an answer', { priority: 'critical', tenant: 'acme' });
 * ```
 */
export function createLoadShedder(options: LoadShedderOptions = {}): LoadShedder {
  const shedder = new QueueingShedder(options);
  observe('shedder', shedder.name, shedder);
  return shedder;
}
