import { Expiring, runWork, type ExpiryQueue, type Priority } from '@macadam/core';
import type { Requester } from './exchange.ts';
import type { Measurements } from './measurements.ts';
import type { ServerGroup, SimulationContext } from './server-group.ts';
import type { SimulatedAttempt, SimulatedPolicy } from './simulated-policy.ts';
import type { SimulatedClient } from './simulation-options.ts';

/** One request of a user, which takes one or more attempts. */
class UserRequest extends Expiring implements Requester {
  readonly #group: ClientGroup;
  readonly #arrivedAt: number;
  readonly #label: string;
  #attempts = 0;
  isWaiting = true;

  constructor(group: ClientGroup, id: number, now: number) {
    super();
    this.#group = group;
    this.#arrivedAt = now;
    this.#label = String(id);
    this.expiresAt = now + group.patienceMs;
  }

  start(policy: SimulatedPolicy): void {
    const { context, name, priority } = this.#group;
    context.trace.add(this.#arrivedAt, 'arrive', this.#label, name);
    const call = (): Promise<'ok'> => policy.execute(this.#send, { idempotent: true });
    (priority === undefined ? call() : runWork({ priority }, call)).then(
      () => this.#settle('ok'),
      () => this.#settle('failed'),
    );
  }

  readonly #send = (attempt: SimulatedAttempt): Promise<'ok'> => {
    this.#group.measurements.recordAttempt(this.#group.context.clock.monotonic());
    return this.#group.service.send(`${this.#label}.${++this.#attempts}`, this, attempt);
  };

  override expire(): void {
    this.#settle('left');
  }

  #settle(outcome: 'failed' | 'left' | 'ok'): void {
    if (!this.isWaiting) return;
    this.isWaiting = false;
    const { measurements, patience, context, index } = this.#group;
    patience.remove(this);
    const now = context.clock.monotonic();
    context.trace.add(now, 'settle', this.#label, outcome);
    measurements.recordOutcome(index, this.#arrivedAt, now - this.#arrivedAt, outcome === 'ok');
  }
}

/** A simulated client: its requests and the policies of its processes. */
export class ClientGroup {
  readonly name: string;
  readonly index: number;
  readonly priority: Priority | undefined;
  readonly patienceMs: number;
  readonly service: ServerGroup;
  readonly context: SimulationContext;
  readonly measurements: Measurements;
  readonly patience: ExpiryQueue;
  readonly #client: SimulatedClient;
  readonly #policies: readonly SimulatedPolicy[];
  #requests = 0;

  constructor(
    client: SimulatedClient,
    index: number,
    parts: {
      service: ServerGroup;
      context: SimulationContext;
      measurements: Measurements;
      patience: ExpiryQueue;
      policies: readonly SimulatedPolicy[];
    },
  ) {
    this.name = client.name;
    this.index = index;
    this.priority = client.priority;
    this.patienceMs = client.patienceMs ?? 30_000;
    this.service = parts.service;
    this.context = parts.context;
    this.measurements = parts.measurements;
    this.patience = parts.patience;
    this.#client = client;
    this.#policies = parts.policies;
  }

  /** Starts requests until `untilMs`. */
  start(untilMs: number): void {
    const { arrivals } = this.#client;
    const { clock } = this.context;
    const random = this.context.random.fork(`arrivals ${this.name}`);
    const next = (): void => {
      const now = clock.monotonic();
      const delayMs = arrivals.next(now, random);
      if (now + delayMs < untilMs) clock.setTimer(arrive, delayMs);
    };
    const arrive = (): void => {
      next();
      for (let i = 0; i < arrivals.size; i++) this.#arrive();
    };
    next();
  }

  #arrive(): void {
    const now = this.context.clock.monotonic();
    const request = new UserRequest(this, this.measurements.recordArrival(), now);
    this.patience.add(request, now);
    request.start(this.#policies[this.#requests++ % this.#policies.length] as SimulatedPolicy);
  }
}

/** Makes one policy for each process. */
export function makePolicies(client: SimulatedClient, service: string, context: SimulationContext): SimulatedPolicy[] {
  const make = client.policy ?? context.policy;
  return Array.from({ length: client.processes ?? 1 }, (_, i) => {
    const owner = `${client.name}#${i}`;
    return make({ clock: context.clock, random: context.random.fork(`policy ${owner}`), service, owner });
  });
}
