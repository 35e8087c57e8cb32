import type { Clock } from '@macadam/core';
import type { SeededRandom } from '../seeded-random.ts';
import { Exchange, type Requester } from './exchange.ts';
import { InstanceFaults } from './server-fault.ts';
import { ServerInstance } from './server-instance.ts';
import type { MakePolicy, SimulatedAttempt, SimulatedPolicy } from './simulated-policy.ts';
import type { SimulatedService } from './simulation-options.ts';
import type { Trace } from './trace.ts';

/** What all parts of one simulation share. */
export interface SimulationContext {
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly trace: Trace;
  readonly policy: MakePolicy;
}

/** The servers of a simulated service. */
export class ServerGroup {
  readonly name: string;
  readonly instances: readonly ServerInstance[];
  readonly #pick: () => number;

  constructor(service: SimulatedService, context: SimulationContext, dependency: ServerGroup | undefined) {
    const { name, instances = 1, balancing = 'roundRobin', faults = [] } = service;
    this.name = name;
    this.instances = Array.from({ length: instances }, (_, index) => {
      const random = context.random.fork(`server ${name}#${index}`);
      return new ServerInstance(name, index, {
        clock: context.clock,
        random,
        faults: new InstanceFaults(faults, index),
        serviceTime: service.serviceTime,
        workers: service.workers,
        maxQueued: service.maxQueued ?? Infinity,
        dropsAbandoned: service.dropsAbandoned ?? false,
        dependency: dependency && dependencyCall(dependency, policyOf(service, index, context, dependency.name)),
        trace: context.trace,
      });
    });
    this.#pick =
      balancing === 'random'
        ? pickRandom(context.random.fork(`balancer ${name}`), instances)
        : pickRoundRobin(instances);
  }

  /** Sends one attempt to one of the servers. */
  send(label: string, requester: Requester, attempt: SimulatedAttempt): Promise<'ok'> {
    return new Promise((resolve, reject) => {
      const exchange = new Exchange(label, requester, resolve, reject);
      attempt.onCancel(() => exchange.abandon());
      (this.instances[this.#pick()] as ServerInstance).receive(exchange);
    });
  }
}

function policyOf(
  service: SimulatedService,
  index: number,
  context: SimulationContext,
  dependency: string,
): SimulatedPolicy {
  const make = service.calls?.policy ?? context.policy;
  const owner = `${service.name}#${index}`;
  return make({ clock: context.clock, random: context.random.fork(`policy ${owner}`), service: dependency, owner });
}

/** The call of a request handler to the service that it depends on. */
function dependencyCall(dependency: ServerGroup, policy: SimulatedPolicy): (exchange: Exchange) => Promise<unknown> {
  return (exchange) => {
    const requester: Requester = {
      get isWaiting() {
        return exchange.isAwaited;
      },
    };
    let attempts = 0;
    return policy.execute((attempt) => dependency.send(`${exchange.label}/${++attempts}`, requester, attempt), {
      idempotent: true,
    });
  };
}

function pickRoundRobin(count: number): () => number {
  let next = 0;
  return () => next++ % count;
}

function pickRandom(random: () => number, count: number): () => number {
  return () => Math.floor(random() * count);
}
