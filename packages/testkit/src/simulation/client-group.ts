import { Expiring, runWork, type ExpiryQueue, type Priority } from '@macadam/core';
import type { Asker } from './exchange.ts';
import type { Ledger } from './ledger.ts';
import type { ServerGroup, World } from './server-group.ts';
import type { SimulatedAttempt, SimulatedPolicy } from './simulated-policy.ts';
import type { SimulatedClient } from './simulation-options.ts';

/** One thing that a user wants. */
class UserRequest extends Expiring implements Asker {
  readonly #group: ClientGroup;
  readonly #arrivedAt: number;
  readonly #label: string;
  #sent = 0;
  waits = true;

  constructor(group: ClientGroup, id: number, now: number) {
    super();
    this.#group = group;
    this.#arrivedAt = now;
    this.#label = String(id);
    this.expiresAt = now + group.patienceMs;
  }

  start(policy: SimulatedPolicy): void {
    const { world, name, priority } = this.#group;
    world.trace.add(this.#arrivedAt, 'arrive', this.#label, name);
    const call = (): Promise<'ok'> => policy.execute(this.#send, { idempotent: true });
    (priority === undefined ? call() : runWork({ priority }, call)).then(
      () => this.#settle('ok'),
      () => this.#settle('failed'),
    );
  }

  readonly #send = (attempt: SimulatedAttempt): Promise<'ok'> => {
    this.#group.ledger.sent(this.#group.world.clock.monotonic());
    return this.#group.service.send(`${this.#label}.${++this.#sent}`, this, attempt);
  };

  override expire(): void {
    this.#settle('left');
  }

  #settle(outcome: 'failed' | 'left' | 'ok'): void {
    if (!this.waits) return;
    this.waits = false;
    const { ledger, patience, world, index } = this.#group;
    patience.remove(this);
    const now = world.clock.monotonic();
    world.trace.add(now, 'settle', this.#label, outcome);
    ledger.settled(index, this.#arrivedAt, now - this.#arrivedAt, outcome === 'ok');
  }
}

/** A client: its stream of requests and the policies of its processes. */
export class ClientGroup {
  readonly name: string;
  readonly index: number;
  readonly priority: Priority | undefined;
  readonly patienceMs: number;
  readonly service: ServerGroup;
  readonly world: World;
  readonly ledger: Ledger;
  readonly patience: ExpiryQueue;
  readonly #client: SimulatedClient;
  readonly #policies: readonly SimulatedPolicy[];
  #turn = 0;

  constructor(
    client: SimulatedClient,
    index: number,
    parts: {
      service: ServerGroup;
      world: World;
      ledger: Ledger;
      patience: ExpiryQueue;
      policies: readonly SimulatedPolicy[];
    },
  ) {
    this.name = client.name;
    this.index = index;
    this.priority = client.priority;
    this.patienceMs = client.patienceMs ?? 30_000;
    this.service = parts.service;
    this.world = parts.world;
    this.ledger = parts.ledger;
    this.patience = parts.patience;
    this.#client = client;
    this.#policies = parts.policies;
  }

  /** Sends requests until `untilMs`. */
  start(untilMs: number): void {
    const { arrivals } = this.#client;
    const { clock } = this.world;
    const random = this.world.random.fork(`arrivals ${this.name}`);
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
    const now = this.world.clock.monotonic();
    const request = new UserRequest(this, this.ledger.arrived(), now);
    this.patience.add(request, now);
    request.start(this.#policies[this.#turn++ % this.#policies.length] as SimulatedPolicy);
  }
}

/** One policy for each process. */
export function makePolicies(client: SimulatedClient, service: string, world: World): SimulatedPolicy[] {
  const make = client.policy ?? world.policy;
  return Array.from({ length: client.processes ?? 1 }, (_, i) => {
    const owner = `${client.name}#${i}`;
    return make({ clock: world.clock, random: world.random.fork(`policy ${owner}`), service, owner });
  });
}
