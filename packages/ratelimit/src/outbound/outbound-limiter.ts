import {
  assertNumber,
  assertOneOf,
  assertSignal,
  assertText,
  ClosedError,
  currentWork,
  priorities,
  RecencyMap,
} from '@macadam/core';
import { annotateWait } from '../annotate.ts';
import { assertCallOptions, assertTenant } from '../call-options.ts';
import { observe } from '../instruments.ts';
import {
  outboundSettings,
  type OutboundLimiterOptions,
  type OutboundSettings,
  type OutboundTurn,
  type AcquireOptions,
} from './options.ts';
import { Partition, type OutboundCounts } from './partition.ts';

/** What an outbound limiter has counted, and its current state. The metrics report the same numbers. */
export interface OutboundLimiterStats extends Readonly<Record<string, number>> {
  /** Turns that were given. */
  readonly begun: number;
  /** Calls that were rejected at once. */
  readonly refused: number;
  /** Calls that waited for a turn and did not get one in time. */
  readonly expired: number;
  /** Responses by which a server refused a request because of its limits. */
  readonly throttled: number;
  /** Calls that wait now. */
  readonly queued: number;
  /** Partitions that are paused now. */
  readonly paused: number;
  /** Partitions that are remembered now. */
  readonly partitions: number;
}

/** Follows the rate limits of the servers that are called. Created by `createOutboundLimiter`. */
export interface OutboundLimiter extends AsyncDisposable {
  /** The name from the options. */
  readonly name: string;
  /**
   * Returns a turn at once, or a promise of one, in order of priority. Settle each turn, with the response if there was
   * one: the limits are learned from it.
   * @param partition - what shares a quota, such as a host, or a host and an API key
   * @throws RateLimitedError (`MAC_RATE_LIMITED`) when the wait is longer than the call has time for, OverloadedError
   * (`MAC_OVERLOADED`) when too many wait, ClosedError (`MAC_CLOSED`) after `close()`, and the reason of the signal.
   */
  acquire(partition: string, options?: AcquireOptions): OutboundTurn | Promise<OutboundTurn>;
  /** Returns the effective options in words. */
  describe(): string;
  /** Returns the counts since it was created, and its current state. */
  stats(): OutboundLimiterStats;
  /** Rejects what waits and every later call with `MAC_CLOSED`. */
  close(): Promise<void>;
}

/** `paced` of resilience passes its attempt as the options, which has the number of the attempt as well. */
const ACQUIRE_OPTIONS = ['signal', 'remainingMs', 'priority', 'tenant', 'attempt'] as const;

class PartitionedOutboundLimiter implements OutboundLimiter {
  readonly name: string;
  readonly #settings: OutboundSettings;
  readonly #partitions = new RecencyMap<string, Partition>();
  /** Partitions that were evicted while calls waited in them. These calls still get their turns. */
  readonly #evicted = new Set<Partition>();
  readonly #counts: OutboundCounts = { begun: 0, refused: 0, expired: 0, throttled: 0 };
  #closed = false;

  constructor(options: OutboundLimiterOptions) {
    this.#settings = outboundSettings(options);
    this.name = this.#settings.name;
  }

  acquire(name: string, options: AcquireOptions = {}): OutboundTurn | Promise<OutboundTurn> {
    assertText('acquire.partition', name);
    assertCallOptions('acquire', options, ACQUIRE_OPTIONS);
    const work = currentWork();
    const { priority = work?.priority ?? 'normal', tenant = work?.tenant ?? '' } = options;
    const { remainingMs = work?.deadline?.remainingMs() ?? Infinity } = options;
    assertOneOf('acquire.priority', priority, priorities);
    assertTenant('acquire.tenant', tenant);
    assertNumber('acquire.remainingMs', remainingMs, { infinite: true });
    if (this.#closed) return Promise.reject(this.#closedError());
    const { clock, maxWaitMs } = this.#settings;
    const now = clock.monotonic();
    const partition = this.#partition(name);
    const turn = partition.tryAcquire(now);
    if (turn !== undefined) return turn;
    // Reading `cancellation` creates a signal, so it is read only if the call has to wait.
    const signal = options.signal ?? work?.cancellation;
    assertSignal('acquire.signal', signal);
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    const waiting = partition.enqueue({ priority, tenant, now, maxWaitMs: Math.min(remainingMs, maxWaitMs), signal });
    if (work === undefined) return waiting;
    return waiting.finally(() => annotateWait(work, clock.monotonic() - now));
  }

  describe(): string {
    const { pace, adaptive, maxQueued, maxWaitMs, maxPauseMs } = this.#settings;
    const pacing = pace ? 'spreads what the server has left' : 'sends until the server refuses';
    const adapting = adaptive ? ', finds a rate after a refusal' : '';
    return `outbound limiter "${this.name}": ${pacing}${adapting}; ${maxQueued} queued for up to ${maxWaitMs} ms, pauses of up to ${maxPauseMs} ms`;
  }

  stats(): OutboundLimiterStats {
    const now = this.#settings.clock.monotonic();
    let queued = 0;
    let paused = 0;
    for (const partition of this.#partitions.values()) {
      queued += partition.queued;
      if (partition.isPaused(now)) paused++;
    }
    for (const partition of this.#evicted) queued += partition.queued;
    return { ...this.#counts, queued, paused, partitions: this.#partitions.size };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const partition of [...this.#partitions.values(), ...this.#evicted]) partition.close(this.#closedError());
    this.#partitions.clear();
    this.#evicted.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #closedError(): ClosedError {
    return new ClosedError(`Outbound limiter "${this.name}"`);
  }

  #partition(name: string): Partition {
    let partition = this.#partitions.get(name);
    if (partition !== undefined) return partition;
    if (this.#partitions.size >= this.#settings.maxPartitions) this.#evictOldest();
    partition = new Partition(name, this.#settings, this.#counts);
    this.#partitions.set(name, partition);
    return partition;
  }

  #evictOldest(): void {
    const [, partition] = this.#partitions.deleteOldest() as readonly [string, Partition];
    if (partition.queued > 0) this.#evicted.add(partition);
    // Waits end in about the order in which they began: looking at the oldest until one still waits keeps the set small.
    for (const evicted of this.#evicted) {
      if (evicted.queued > 0) return;
      this.#evicted.delete(evicted);
    }
  }
}

/**
 * Creates a limiter of outgoing requests, which follows what servers say about their limits, in whatever dialect. It
 * spreads what is left of a quota; stops all callers of a partition when the server refuses one of them (429, or 503
 * with `Retry-After`), for as long as it asks; and finds a rate for servers that say nothing. Pass it to
 * `createHttpClient` of `@macadam/http` as `pacing`.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { createOutboundLimiter } from '@macadam/ratelimit';
 *
 * const pacing = createOutboundLimiter({ name: 'partners' });
 * const turn = await pacing.acquire('api.example.com');
 * turn.settle({ status: 429, headers: { 'retry-after': '2' } });
 * // Whoever calls that host now waits for 2 s. Others do not.
 * await pacing.acquire('other.example.com');
 * ```
 */
export function createOutboundLimiter(options: OutboundLimiterOptions = {}): OutboundLimiter {
  const limiter = new PartitionedOutboundLimiter(options);
  observe('outbound', limiter.name, limiter);
  return limiter;
}
