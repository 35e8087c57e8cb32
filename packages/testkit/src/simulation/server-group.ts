import type { Clock } from '@macadam/core';
import type { SeededRandom } from '../seeded-random.ts';
import { Exchange, type Asker } from './exchange.ts';
import { InstanceFaults } from './server-fault.ts';
import { ServerInstance } from './server-instance.ts';
import type { MakePolicy, SimulatedAttempt, SimulatedPolicy } from './simulated-policy.ts';
import type { SimulatedService } from './simulation-options.ts';
import type { Trace } from './trace.ts';

/** What everything in one simulation shares. */
export interface World {
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly policy: MakePolicy;
}

/** The servers behind one name. */
export class ServerGroup {
  readonly name: string;
  readonly instances: readonly ServerInstance[];
  readonly #pick: () => number;

  constructor(service: SimulatedService, world: World, dependency: ServerGroup | undefined) {
    const { name, instances = 1, balancing = 'roundRobin', faults = [] } = service;
    this.name = name;
    this.instances = Array.from({ length: instances }, (_, index) => {
      const random = world.random.fork(`server ${name}#${index}`);
      return new ServerInstance(name, index, {
        clock: world.clock,
        random,
        faults: new InstanceFaults(faults, index),
        serviceTime: service.serviceTime,
        workers: service.workers,
        maxQueued: service.maxQueued ?? Infinity,
        dropsAbandoned: service.dropsAbandoned ?? false,
        dependency: dependency && callerOf(dependency, policyOf(service, index, world, dependency.name)),
        trace: world.trace,
      });
    });
    this.#pick =
      balancing === 'random' ? atRandom(world.random.fork(`balancer ${name}`), instances) : inTurn(instances);
  }

  /** One try: picks a server and asks it. */
  send(label: string, asker: Asker, attempt: SimulatedAttempt): Promise<'ok'> {
    return new Promise((resolve, reject) => {
      const exchange = new Exchange(label, asker, resolve, reject);
      attempt.onCancel(() => exchange.abandon());
      (this.instances[this.#pick()] as ServerInstance).receive(exchange);
    });
  }
}

function policyOf(service: SimulatedService, index: number, world: World, dependency: string): SimulatedPolicy {
  const make = service.calls?.policy ?? world.policy;
  const owner = `${service.name}#${index}`;
  return make({ clock: world.clock, random: world.random.fork(`policy ${owner}`), service: dependency, owner });
}

/** Makes what a handler does to get an answer from the service it depends on. */
function callerOf(dependency: ServerGroup, policy: SimulatedPolicy): (exchange: Exchange) => Promise<unknown> {
  return (exchange) => {
    const asker: Asker = {
      get waits() {
        return exchange.isAwaited;
      },
    };
    let sent = 0;
    return policy.execute((attempt) => dependency.send(`${exchange.label}/${++sent}`, asker, attempt), {
      idempotent: true,
    });
  };
}

function inTurn(count: number): () => number {
  let next = 0;
  return () => next++ % count;
}

function atRandom(random: () => number, count: number): () => number {
  return () => Math.floor(random() * count);
}
