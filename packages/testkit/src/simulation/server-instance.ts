import type { Clock, Random } from '@macadam/core';
import type { Distribution } from '../distribution.ts';
import { SimulatedFailure, type Exchange, type FailureReason } from './exchange.ts';
import type { InstanceFaults } from './server-fault.ts';
import type { Trace } from './trace.ts';

/** What one instance is made of. */
export interface InstanceParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly faults: InstanceFaults;
  readonly serviceTime: Distribution;
  readonly workers: number;
  readonly maxQueued: number;
  readonly dropsAbandoned: boolean;
  /** What the handler calls after its own work, with the worker held meanwhile. */
  readonly dependency: ((exchange: Exchange) => Promise<unknown>) | undefined;
  readonly trace: Trace;
}

/** One server process: a queue, and workers that take from it. */
export class ServerInstance {
  readonly service: string;
  readonly name: string;
  readonly #parts: InstanceParts;
  readonly #working: Set<Exchange> = new Set();
  #queue: Exchange[] = [];
  /** Where the queue begins: what was taken is cut off from time to time, not each time. */
  #head = 0;
  /** Grows with each restart: work that was begun before is lost. */
  #life = 0;
  requests = 0;
  busyMs = 0;
  wastedMs = 0;

  constructor(service: string, index: number, parts: InstanceParts) {
    this.service = service;
    this.name = `${service}#${index}`;
    this.#parts = parts;
    for (const { fromMs } of parts.faults.restarts) parts.clock.setTimer(() => this.#restart(), fromMs);
  }

  receive(exchange: Exchange): void {
    const { clock, faults, trace, workers, maxQueued } = this.#parts;
    const now = clock.monotonic();
    this.requests++;
    trace.add(now, 'send', exchange.label, this.name);
    if (faults.refuses(now)) this.#fail(exchange, 'refused');
    else if (faults.swallows(now)) trace.add(now, 'lost', exchange.label, '');
    else if (this.#working.size < workers) this.#begin(exchange);
    else if (this.#queue.length - this.#head < maxQueued) this.#queue.push(exchange);
    else this.#fail(exchange, 'overloaded');
  }

  #begin(exchange: Exchange): void {
    const { clock, dependency, faults, random, serviceTime } = this.#parts;
    const life = this.#life;
    exchange.startedAt = clock.monotonic();
    this.#working.add(exchange);
    const workMs = serviceTime.sample(random) * faults.slowness(exchange.startedAt);
    clock.setTimer(() => {
      if (life !== this.#life) return;
      if (dependency === undefined) this.#finish(exchange, undefined);
      else
        dependency(exchange).then(
          () => life === this.#life && this.#finish(exchange, undefined),
          () => life === this.#life && this.#finish(exchange, 'dependency'),
        );
    }, workMs);
  }

  #finish(exchange: Exchange, failure: FailureReason | undefined): void {
    const { clock, faults, random, trace } = this.#parts;
    const now = clock.monotonic();
    this.#account(exchange, now, !exchange.isAwaited || faults.swallows(now));
    const errorRatio = faults.errorRatio(now);
    const reason = errorRatio > 0 && random() < errorRatio ? 'error' : failure;
    if (faults.swallows(now)) trace.add(now, 'lost', exchange.label, '');
    else if (reason !== undefined) this.#fail(exchange, reason);
    else {
      trace.add(now, 'answer', exchange.label, 'ok');
      exchange.succeed();
    }
    this.#working.delete(exchange);
    this.#takeNext();
  }

  #takeNext(): void {
    while (this.#head < this.#queue.length && this.#working.size < this.#parts.workers) {
      const next = this.#queue[this.#head++] as Exchange;
      if (!this.#parts.dropsAbandoned || next.isAwaited) this.#begin(next);
    }
    if (this.#head > 1_024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
  }

  #restart(): void {
    const now = this.#parts.clock.monotonic();
    this.#parts.trace.add(now, 'restart', this.name, '');
    const lost = [...this.#working, ...this.#queue.slice(this.#head)];
    for (const exchange of this.#working) this.#account(exchange, now, true);
    this.#life++;
    this.#working.clear();
    this.#queue = [];
    this.#head = 0;
    for (const exchange of lost) this.#fail(exchange, 'reset');
  }

  #account(exchange: Exchange, now: number, wasted: boolean): void {
    this.busyMs += now - exchange.startedAt;
    if (wasted) this.wastedMs += now - exchange.startedAt;
  }

  #fail(exchange: Exchange, reason: FailureReason): void {
    this.#parts.trace.add(this.#parts.clock.monotonic(), 'answer', exchange.label, reason);
    exchange.fail(new SimulatedFailure(reason, this.service));
  }
}
