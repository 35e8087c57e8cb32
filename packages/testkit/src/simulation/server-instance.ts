import type { Clock, Random } from '@macadam/core';
import type { Distribution } from '../distribution.ts';
import { SimulatedFailure, type Exchange, type FailureReason } from './exchange.ts';
import type { InstanceFaults } from './server-fault.ts';
import type { Trace } from './trace.ts';

export interface InstanceOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly faults: InstanceFaults;
  readonly serviceTime: Distribution;
  readonly workers: number;
  readonly maxQueued: number;
  readonly dropsAbandoned: boolean;
  /** What the handler calls after its own work, while it keeps its worker. */
  readonly dependency: ((exchange: Exchange) => Promise<unknown>) | undefined;
  readonly trace: Trace;
}

/** One simulated server process: a queue, and workers that take requests from it. */
export class ServerInstance {
  readonly service: string;
  readonly name: string;
  readonly #options: InstanceOptions;
  readonly #working: Set<Exchange> = new Set();
  #queue: Exchange[] = [];
  /** Index of the first queued request. Taken ones are cut off in batches: a shift per request would be slow. */
  #head = 0;
  /** Number of restarts. Work that began before the last restart is lost. */
  #restarts = 0;
  requests = 0;
  busyMs = 0;
  wastedMs = 0;

  constructor(service: string, index: number, options: InstanceOptions) {
    this.service = service;
    this.name = `${service}#${index}`;
    this.#options = options;
    for (const { fromMs } of options.faults.restarts) options.clock.setTimer(() => this.#restart(), fromMs);
  }

  receive(exchange: Exchange): void {
    const { clock, faults, trace, workers, maxQueued } = this.#options;
    const now = clock.monotonic();
    this.requests++;
    trace.add(now, 'send', exchange.label, this.name);
    if (faults.isDown(now)) this.#fail(exchange, 'refused');
    else if (faults.losesResponses(now)) trace.add(now, 'lost', exchange.label, '');
    else if (this.#working.size < workers) this.#begin(exchange);
    else if (this.#queue.length - this.#head < maxQueued) this.#queue.push(exchange);
    else this.#fail(exchange, 'overloaded');
  }

  #begin(exchange: Exchange): void {
    const { clock, dependency, faults, random, serviceTime } = this.#options;
    const restarts = this.#restarts;
    exchange.startedAt = clock.monotonic();
    this.#working.add(exchange);
    const workMs = serviceTime.sample(random) * faults.slowdown(exchange.startedAt);
    clock.setTimer(() => {
      if (restarts !== this.#restarts) return;
      if (dependency === undefined) this.#finish(exchange, undefined);
      else {
        dependency(exchange).then(
          () => restarts === this.#restarts && this.#finish(exchange, undefined),
          () => restarts === this.#restarts && this.#finish(exchange, 'dependency'),
        );
      }
    }, workMs);
  }

  #finish(exchange: Exchange, failure: FailureReason | undefined): void {
    const { clock, faults, random, trace } = this.#options;
    const now = clock.monotonic();
    this.#recordWork(exchange, now, !exchange.isAwaited || faults.losesResponses(now));
    const errorRatio = faults.errorRatio(now);
    const reason = errorRatio > 0 && random() < errorRatio ? 'error' : failure;
    if (faults.losesResponses(now)) trace.add(now, 'lost', exchange.label, '');
    else if (reason !== undefined) this.#fail(exchange, reason);
    else {
      trace.add(now, 'answer', exchange.label, 'ok');
      exchange.succeed();
    }
    this.#working.delete(exchange);
    this.#takeNext();
  }

  #takeNext(): void {
    while (this.#head < this.#queue.length && this.#working.size < this.#options.workers) {
      const next = this.#queue[this.#head++] as Exchange;
      if (!this.#options.dropsAbandoned || next.isAwaited) this.#begin(next);
    }
    if (this.#head > 1_024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
  }

  #restart(): void {
    const now = this.#options.clock.monotonic();
    this.#options.trace.add(now, 'restart', this.name, '');
    const lost = [...this.#working, ...this.#queue.slice(this.#head)];
    for (const exchange of this.#working) this.#recordWork(exchange, now, true);
    this.#restarts++;
    this.#working.clear();
    this.#queue = [];
    this.#head = 0;
    for (const exchange of lost) this.#fail(exchange, 'reset');
  }

  #recordWork(exchange: Exchange, now: number, isWasted: boolean): void {
    this.busyMs += now - exchange.startedAt;
    if (isWasted) this.wastedMs += now - exchange.startedAt;
  }

  #fail(exchange: Exchange, reason: FailureReason): void {
    this.#options.trace.add(this.#options.clock.monotonic(), 'answer', exchange.label, reason);
    exchange.fail(new SimulatedFailure(reason, this.service));
  }
}
