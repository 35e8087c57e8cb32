import type { Priority } from '@macadam/core';
import { OverloadedError, RateLimitedError } from '../errors.ts';
import { parseRateLimitHeaders, type ServerLimits } from '../headers/parse-rate-limit.ts';
import { TurnQueue, type Turn, type TurnRequest } from '../queue/turn-queue.ts';
import { CubicRate } from './cubic-rate.ts';
import type { OutboundResponse, OutboundSettings, OutboundTurn } from './options.ts';
import { ServerQuota, type Hold } from './server-quota.ts';

/** Counts shared by all partitions of a limiter. */
export interface OutboundCounts {
  begun: number;
  refused: number;
  expired: number;
  throttled: number;
}

/** Up to a tenth is added to a pause, so that processes that were throttled together do not resume together. */
const PAUSE_JITTER = 0.1;

class GrantedTurn implements OutboundTurn {
  readonly sentAt: number;
  /** Which request of the partition it is, counted from 1. */
  readonly number: number;
  readonly #partition: Partition;
  #open = true;

  constructor(partition: Partition, sentAt: number, number: number) {
    this.#partition = partition;
    this.sentAt = sentAt;
    this.number = number;
  }

  settle(response?: OutboundResponse): void {
    if (!this.#open) return;
    this.#open = false;
    if (response !== undefined) this.#partition.recordResponse(this, response);
  }
}

/**
 * The requests that share one quota of a server: what is known about the quota, and the queue for it. The next request
 * is sent when three things permit it: the pause that the server asked for (`Retry-After`), the quota that it announced
 * (`ServerQuota`), and the rate found from its throttling (`CubicRate`).
 */
export class Partition {
  readonly #name: string;
  readonly #settings: OutboundSettings;
  readonly #counts: OutboundCounts;
  readonly #queue: TurnQueue;
  /** The request number of each turn that was granted after a wait. */
  readonly #numbers = new WeakMap<Turn, number>();
  readonly #quota = new ServerQuota();
  readonly #rate: CubicRate;
  #sent = 0;
  #pausedUntil = -Infinity;

  constructor(name: string, settings: OutboundSettings, counts: OutboundCounts) {
    this.#name = name;
    this.#settings = settings;
    this.#counts = counts;
    this.#rate = new CubicRate(settings.clock.monotonic());
    this.#queue = new TurnQueue(
      settings.clock,
      (_, now) => this.#expiredError(now),
      (now) => this.#grantTurns(now),
    );
  }

  get queued(): number {
    return this.#queue.size;
  }

  isPaused(now: number): boolean {
    return this.#pausedUntil > now;
  }

  /** Grants a turn at once if nothing is queued and nothing delays the next request. */
  tryAcquire(now: number): OutboundTurn | undefined {
    if (this.#queue.size > 0 || this.#nextAt(now) > now) return undefined;
    return new GrantedTurn(this, now, this.#recordSent(now));
  }

  /** Waits for a turn. Rejects at once if the wait is expected to exceed the limit of the request. */
  async enqueue(request: TurnRequest): Promise<OutboundTurn> {
    const { priority, now } = request;
    const expectedAt = this.#nextAt(now) + (this.#queue.countAhead(priority) / this.#rate.perSecond) * 1_000;
    if (expectedAt - now > request.maxWaitMs) {
      this.#counts.refused++;
      throw this.#rateLimitedError(now, expectedAt - now);
    }
    const rejectFull = (turn: { readonly priority: Priority }): OverloadedError => {
      this.#counts.refused++;
      return this.#queueFullError(turn.priority, now);
    };
    if (this.#queue.size >= this.#settings.maxQueued && !this.#queue.evictLowerPriority(priority, rejectFull))
      throw rejectFull({ priority });
    const waiting = this.#queue.wait(request);
    this.#grantTurns(now);
    const turn = await waiting;
    return new GrantedTurn(this, this.#settings.clock.monotonic(), this.#numbers.get(turn) as number);
  }

  recordResponse({ sentAt, number }: GrantedTurn, response: OutboundResponse): void {
    const { clock, adaptive, maxPauseMs, pace } = this.#settings;
    const now = clock.monotonic();
    const announced = parseRateLimitHeaders(response.headers, { maxWaitMs: maxPauseMs, clock });
    if (pace) this.#quota.update(announced.limits, number, this.#sent, now);
    if (isThrottled(response.status, announced)) {
      this.#counts.throttled++;
      this.#pause(now, announced);
      if (adaptive) this.#rate.recordThrottled(now, sentAt, this.#pausedUntil);
    } else if (adaptive) this.#rate.recordSuccess(now);
    this.#grantTurns(now);
  }

  close(error: unknown): void {
    this.#queue.rejectAll(() => error);
  }

  /** Counts a request that is about to be sent, and returns its number. */
  #recordSent(now: number): number {
    this.#counts.begun++;
    this.#quota.recordSent(now);
    this.#rate.recordSent(now);
    return ++this.#sent;
  }

  #pause(now: number, { retryAfterMs, limits }: ServerLimits): void {
    const { random, maxPauseMs } = this.#settings;
    const exhausted = limits.filter(({ remaining }) => remaining === 0).map(({ resetAfterMs = 0 }) => resetAfterMs);
    const pauseMs = Math.min(maxPauseMs, retryAfterMs ?? Math.max(0, ...exhausted));
    this.#pausedUntil = Math.max(this.#pausedUntil, now + pauseMs * (1 + PAUSE_JITTER * random()));
  }

  /** When the next request may be sent. */
  #nextAt(now: number): number {
    return Math.max(this.#pausedUntil, this.#rate.nextAt(now), this.#quota.hold(now)?.until ?? now);
  }

  /** Grants turns to queued requests while they may be sent, and sets a timer for the next one. */
  #grantTurns(now: number): void {
    while (this.#queue.size > 0) {
      const at = this.#nextAt(now);
      if (at > now) {
        this.#queue.wakeAt(at, now);
        return;
      }
      const turn = this.#queue.next('fifo') as Turn;
      this.#numbers.set(turn, this.#recordSent(now));
      turn.grant();
    }
  }

  #expiredError(now: number): RateLimitedError {
    this.#counts.expired++;
    return this.#rateLimitedError(now, this.#nextAt(now) - now);
  }

  /** Names what delays requests the longest: a limit of the server, the pause it asked for, or the rate that was found. */
  #rateLimitedError(now: number, waitMs: number): RateLimitedError {
    const own: Hold = {
      policy: this.isPaused(now) ? 'pause' : 'rate',
      limit: 0,
      remaining: 0,
      until: this.#pausedUntil,
    };
    const hold = this.#quota.hold(now);
    const { policy, limit, remaining } = hold !== undefined && hold.until > own.until ? hold : own;
    const retryAfterMs = Math.max(0, Math.ceil(waitMs));
    return new RateLimitedError(`${this.#settings.name} ${this.#name}`, { policy, limit, remaining, retryAfterMs });
  }

  #queueFullError(priority: Priority, now: number): OverloadedError {
    const { name, maxQueued } = this.#settings;
    const retryAfterMs = Math.max(0, Math.ceil(this.#nextAt(now) - now));
    const message = `Outbound limiter "${name}" for "${this.#name}" has ${maxQueued} queued`;
    return new OverloadedError(message, { reason: 'full', priority, retryAfterMs });
  }
}

/** 429 always means throttling; 503 does if it says when to retry. */
function isThrottled(status: number, { retryAfterMs }: ServerLimits): boolean {
  return status === 429 || (status === 503 && retryAfterMs !== undefined);
}
