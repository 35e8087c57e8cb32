import type { Priority, Timer } from '@macadam/core';
import { OverloadedError, RateLimitedError } from '../errors.ts';
import { parseRateLimitHeaders, type ServerLimits } from '../headers/parse-rate-limit.ts';
import { Turns, type Turn, type Wish } from '../queue/turns.ts';
import { CubicRate } from './cubic-rate.ts';
import type { OutboundResponse, OutboundSettings, OutboundTurn } from './options.ts';
import { ServerPace, type Hold } from './server-pace.ts';

/** What all partitions of a limiter count together. */
export interface OutboundCounts {
  begun: number;
  refused: number;
  expired: number;
  throttled: number;
}

/** Those who were sent away together should not come back together: up to a tenth is added to a pause. */
const PAUSE_JITTER = 0.1;

/** One who may send. */
class SentRequest implements OutboundTurn {
  readonly sentAt: number;
  /** Counted from 1. */
  readonly number: number;
  readonly #partition: Partition;
  #open = true;

  constructor(partition: Partition, sentAt: number, number: number) {
    this.#partition = partition;
    this.sentAt = sentAt;
    this.number = number;
  }

  settle(answer?: OutboundResponse): void {
    if (!this.#open) return;
    this.#open = false;
    if (answer !== undefined) this.#partition.answered(this, answer);
  }
}

/** Those who share a quota: what is known of it, and who waits for it. */
export class Partition {
  readonly #name: string;
  readonly #settings: OutboundSettings;
  readonly #counts: OutboundCounts;
  readonly #turns: Turns;
  /** Which request is whose. */
  readonly #granted = new WeakMap<Turn, number>();
  readonly #server = new ServerPace();
  readonly #rate: CubicRate;
  #sent = 0;
  #pausedUntil = -Infinity;
  #timer: Timer | undefined;
  #timerAt = 0;

  constructor(name: string, settings: OutboundSettings, counts: OutboundCounts) {
    this.#name = name;
    this.#settings = settings;
    this.#counts = counts;
    this.#rate = new CubicRate(settings.clock.monotonic());
    this.#turns = new Turns(settings.clock, (_, now) => {
      this.#counts.expired++;
      return this.#limited(now, this.#nextAt(now) - now);
    });
  }

  get queued(): number {
    return this.#turns.size;
  }

  isPaused(now: number): boolean {
    return this.#pausedUntil > now;
  }

  /** A turn, if nobody waits and nothing holds it back. */
  begin(now: number): OutboundTurn | undefined {
    if (this.#turns.size > 0 || this.#nextAt(now) > now) return undefined;
    return new SentRequest(this, now, this.#count(now));
  }

  /** Refuses at once what would wait in vain, as far as that can be known. */
  async queue(wish: Wish): Promise<OutboundTurn> {
    const { priority, now } = wish;
    const soonest = this.#nextAt(now) + (this.#turns.ahead(priority) / this.#rate.perSecond) * 1_000;
    if (soonest - now > wish.limitMs) {
      this.#counts.refused++;
      throw this.#limited(now, soonest - now);
    }
    const full = (turn: { readonly priority: Priority }): OverloadedError => {
      this.#counts.refused++;
      return this.#overloaded(turn.priority, now, `has ${this.#settings.maxQueued} queued`);
    };
    if (this.#turns.size >= this.#settings.maxQueued && !this.#turns.evictBelow(priority, full))
      throw full({ priority });
    const waiting = this.#turns.wait(wish);
    this.#pump(now);
    const turn = await waiting;
    return new SentRequest(this, this.#settings.clock.monotonic(), this.#granted.get(turn) as number);
  }

  answered({ sentAt, number }: SentRequest, answer: OutboundResponse): void {
    const { clock, adaptive, maxPauseMs, pace } = this.#settings;
    const now = clock.monotonic();
    const said = parseRateLimitHeaders(answer.headers, { maxWaitMs: maxPauseMs, clock });
    if (pace) this.#server.learn(said.limits, number, this.#sent, now);
    if (isThrottled(answer.status, said)) {
      this.#counts.throttled++;
      this.#pause(now, said);
      if (adaptive) this.#rate.throttled(now, sentAt, this.#pausedUntil);
    } else if (adaptive) this.#rate.succeeded(now);
    this.#pump(now);
  }

  close(error: unknown): void {
    this.#timer?.cancel();
    this.#turns.end(() => error);
  }

  /** Which request it is. */
  #count(now: number): number {
    this.#counts.begun++;
    this.#server.sent(now);
    this.#rate.sent(now);
    return ++this.#sent;
  }

  #pause(now: number, { retryAfterMs, limits }: ServerLimits): void {
    const { random, maxPauseMs } = this.#settings;
    const spent = limits.filter(({ remaining }) => remaining === 0).map(({ resetAfterMs = 0 }) => resetAfterMs);
    const pauseMs = Math.min(maxPauseMs, retryAfterMs ?? Math.max(0, ...spent));
    this.#pausedUntil = Math.max(this.#pausedUntil, now + pauseMs * (1 + PAUSE_JITTER * random()));
  }

  #nextAt(now: number): number {
    return Math.max(this.#pausedUntil, this.#rate.nextAt(now), this.#server.hold(now)?.until ?? now);
  }

  /** Gives turns to those who wait, and comes back when there are more. */
  #pump(now: number): void {
    while (this.#turns.size > 0) {
      const at = this.#nextAt(now);
      if (at > now) {
        this.#comeBack(at, now);
        return;
      }
      const turn = this.#turns.next('fifo') as Turn;
      this.#granted.set(turn, this.#count(now));
      turn.grant();
    }
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #comeBack(at: number, now: number): void {
    if (this.#timer !== undefined && this.#timerAt === at) return;
    const { clock } = this.#settings;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = clock.setTimer(
      () => {
        this.#timer = undefined;
        this.#pump(clock.monotonic());
      },
      Math.ceil(at - now),
    );
  }

  #limited(now: number, waitMs: number): RateLimitedError {
    const own: Hold = {
      policy: this.isPaused(now) ? 'pause' : 'rate',
      limit: 0,
      remaining: 0,
      until: this.#pausedUntil,
    };
    const hold = this.#server.hold(now);
    const { policy, limit, remaining } = hold !== undefined && hold.until > own.until ? hold : own;
    const retryAfterMs = Math.max(0, Math.ceil(waitMs));
    return new RateLimitedError(`${this.#settings.name} ${this.#name}`, { policy, limit, remaining, retryAfterMs });
  }

  #overloaded(priority: Priority, now: number, why: string): OverloadedError {
    const retryAfterMs = Math.max(0, Math.ceil(this.#nextAt(now) - now));
    const message = `Outbound limiter "${this.#settings.name}" for "${this.#name}" ${why}`;
    return new OverloadedError(message, { reason: 'full', priority, retryAfterMs });
  }
}

/** 429 is about a quota; 503 is, when it says when to come back. */
function isThrottled(status: number, { retryAfterMs }: ServerLimits): boolean {
  return status === 429 || (status === 503 && retryAfterMs !== undefined);
}
