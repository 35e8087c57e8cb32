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
  acquire(partition: string, wish?: AcquireOptions): OutboundTurn | Promise<OutboundTurn>;
  /** Returns the effective options in words. */
  describe(): string;
  /** Returns the counts since it was created, and its current state. */
  stats(): OutboundLimiterStats;
  /** Rejects what waits and every later call with `MAC_CLOSED`. */
  close(): Promise<void>;
}

/** A try of `paced` is a wish too, and says which try it is. */
const WISHES = ['signal', 'remainingMs', 'priority', 'tenant', 'attempt'] as const;

class HeedfulLimiter implements OutboundLimiter {
  readonly name: string;
  readonly #settings: OutboundSettings;
  readonly #partitions = new RecencyMap<string, Partition>();
  /** Those that were forgotten while somebody waited: they still have their turn, unless the limiter is closed. */
  readonly #forgotten = new Set<Partition>();
  readonly #counts: OutboundCounts = { begun: 0, refused: 0, expired: 0, throttled: 0 };
  #closed = false;

  constructor(options: OutboundLimiterOptions) {
    this.#settings = outboundSettings(options);
    this.name = this.#settings.name;
  }

  acquire(partition: string, wish: AcquireOptions = {}): OutboundTurn | Promise<OutboundTurn> {
    assertText('acquire.partition', partition);
    assertCallOptions('acquire', wish, WISHES);
    const work = currentWork();
    const { priority = work?.priority ?? 'normal', tenant = work?.tenant ?? '' } = wish;
    const { remainingMs = work?.deadline?.remainingMs() ?? Infinity } = wish;
    assertOneOf('acquire.priority', priority, priorities);
    assertTenant('acquire.tenant', tenant);
    assertNumber('acquire.remainingMs', remainingMs, { infinite: true });
    if (this.#closed) return Promise.reject(this.#closedError());
    const { clock, maxWaitMs } = this.#settings;
    const now = clock.monotonic();
    const shared = this.#partition(partition);
    const turn = shared.begin(now);
    if (turn !== undefined) return turn;
    // A signal is read, and so made, only by who has to wait.
    const signal = wish.signal ?? work?.cancellation;
    assertSignal('acquire.signal', signal);
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    const waiting = shared.queue({ priority, tenant, now, limitMs: Math.min(remainingMs, maxWaitMs), signal });
    if (work === undefined) return waiting;
    return waiting.finally(() => annotateWait(work, clock.monotonic() - now));
  }

  describe(): string {
    const { pace, adaptive, maxQueued, maxWaitMs, maxPauseMs } = this.#settings;
    const spreads = pace ? 'spreads what the server has left' : 'goes on until the server refuses';
    const finds = adaptive ? ', finds a rate after a refusal' : '';
    return `outbound limiter "${this.name}": ${spreads}${finds}; ${maxQueued} queued for up to ${maxWaitMs} ms, pauses of up to ${maxPauseMs} ms`;
  }

  stats(): OutboundLimiterStats {
    const now = this.#settings.clock.monotonic();
    let queued = 0;
    let paused = 0;
    for (const partition of this.#partitions.values()) {
      queued += partition.queued;
      if (partition.isPaused(now)) paused++;
    }
    for (const partition of this.#forgotten) queued += partition.queued;
    return { ...this.#counts, queued, paused, partitions: this.#partitions.size };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const partition of [...this.#partitions.values(), ...this.#forgotten]) partition.close(this.#closedError());
    this.#partitions.clear();
    this.#forgotten.clear();
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
    if (this.#partitions.size >= this.#settings.maxPartitions) this.#forgetOldest();
    partition = new Partition(name, this.#settings, this.#counts);
    this.#partitions.set(name, partition);
    return partition;
  }

  #forgetOldest(): void {
    const [, partition] = this.#partitions.deleteOldest() as readonly [string, Partition];
    if (partition.queued > 0) this.#forgotten.add(partition);
    // Waits end in about the order in which they began: as many are let go of as there were added.
    for (const one of this.#forgotten) {
      if (one.queued > 0) return;
      this.#forgotten.delete(one);
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
  const limiter = new HeedfulLimiter(options);
  observe('outbound', limiter.name, limiter);
  return limiter;
}
