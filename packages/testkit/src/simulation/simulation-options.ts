import {
  assertBoolean,
  assertDurationMs,
  assertFunction,
  assertInteger,
  assertKnownOptions,
  assertObject,
  assertOneOf,
  assertText,
  OptionsError,
  priorities,
  type Priority,
} from '@macadam/core';
import { assertDistribution, type Distribution } from '../distribution.ts';
import { assertArrivals, type Arrivals } from './arrivals.ts';
import { assertServerFault, type ServerFault } from './server-fault.ts';
import type { MakePolicy } from './simulated-policy.ts';

/** A simulated service of one or more servers, each with a queue and workers. */
export interface SimulatedService {
  /** The name of the service. */
  name: string;
  /** The number of servers, at least 1. Default: 1. */
  instances?: number;
  /** How attempts are distributed among the servers. Default: `roundRobin`. */
  balancing?: 'random' | 'roundRobin';
  /** How long a worker takes for a request. */
  serviceTime: Distribution;
  /** The number of requests a server works on at the same time, at least 1. */
  workers: number;
  /** Maximum number of requests waiting for a worker, at least 0; further ones are refused at once. Default: `Infinity`. */
  maxQueued?: number;
  /** Whether a server skips queued requests that nobody waits for any more. Default: false; few servers do. */
  dropsAbandoned?: boolean;
  /** The faults of its servers. Default: none. */
  faults?: readonly ServerFault[];
  /** Another service, further down the list, that each request calls after its own work while it keeps its worker. Default: none. */
  calls?: {
    /** The name of that service. */
    service: string;
    /** The policy around those calls, made for each server. Default: `policy` of the simulation. */
    policy?: MakePolicy;
  };
}

/** A simulated client of one or more processes. */
export interface SimulatedClient {
  /** The name of the client. */
  name: string;
  /** The name of the service it calls. Default: the first service. */
  service?: string;
  /** When requests arrive, for all its processes together. */
  arrivals: Arrivals;
  /** The number of processes, each with a policy of its own, that take the requests in turn; at least 1. Default: 1. */
  processes?: number;
  /** The priority of its calls, which then run in `runWork()`. Default: none. */
  priority?: Priority;
  /** How long users wait in milliseconds, above 0; then the request counts as failed. Default: 30 000. */
  patienceMs?: number;
  /** The policy around its calls, made for each process. Default: `policy` of the simulation. */
  policy?: MakePolicy;
  /** The name of a client further up the list whose processes send these requests as well. Default: none. */
  sharesPolicyWith?: string;
}

/** Options of {@link simulate}. */
export interface SimulateOptions {
  /** The seed of all randomness; a safe integer. Default: 1. */
  seed?: number;
  /** How long requests arrive, in virtual milliseconds, above 0; the simulation ends when the last of them has ended. Required. */
  durationMs: number;
  /** The clients. Required. */
  clients: readonly SimulatedClient[];
  /** The services and their faults. Required. */
  servers: readonly SimulatedService[];
  /** Makes the policy around calls, unless a client or service has its own. Required. */
  policy: MakePolicy;
  /** The time window of `duringFault`. Default: from the start of the first fault to the end of the last. */
  faultWindow?: { fromMs: number; toMs: number };
  /** Whether to record a trace of all events, about 150 bytes per request. Default: false. */
  trace?: boolean;
}

export function assertSimulateOptions(options: SimulateOptions): void {
  assertObject('simulate', options);
  const known = ['seed', 'durationMs', 'clients', 'servers', 'policy', 'faultWindow', 'trace'];
  assertKnownOptions('simulate', options, known);
  assertDurationMs('simulate.durationMs', options.durationMs);
  assertFunction('simulate.policy', options.policy);
  if (options.trace !== undefined) assertBoolean('simulate.trace', options.trace);
  if (options.faultWindow !== undefined) {
    assertObject('simulate.faultWindow', options.faultWindow);
    assertKnownOptions('simulate.faultWindow', options.faultWindow, ['fromMs', 'toMs']);
    assertDurationMs('simulate.faultWindow.fromMs', options.faultWindow.fromMs, { min: 0 });
    assertDurationMs('simulate.faultWindow.toMs', options.faultWindow.toMs, { min: options.faultWindow.fromMs });
  }
  assertList('simulate.servers', options.servers);
  for (const [i, server] of options.servers.entries()) assertObject(`simulate.servers[${i}]`, server);
  const names = options.servers.map(({ name }) => name);
  for (const [i, server] of options.servers.entries())
    assertService(`simulate.servers[${i}]`, server, names.slice(i + 1));
  assertDistinct('simulate.servers', names);
  assertList('simulate.clients', options.clients);
  for (const [i, client] of options.clients.entries()) assertClient(`simulate.clients[${i}]`, client, names);
  assertDistinct(
    'simulate.clients',
    options.clients.map(({ name }) => name),
  );
}

/** A service may call only services further down in the list, which excludes cycles. */
function assertService(path: string, service: SimulatedService, below: readonly string[]): void {
  const known = [
    'name',
    'instances',
    'balancing',
    'serviceTime',
    'workers',
    'maxQueued',
    'dropsAbandoned',
    'faults',
    'calls',
  ];
  assertKnownOptions(path, service, known);
  const { instances = 1, balancing = 'roundRobin', maxQueued = Infinity, dropsAbandoned = false } = service;
  assertText(`${path}.name`, service.name);
  assertInteger(`${path}.instances`, instances, { min: 1 });
  assertOneOf(`${path}.balancing`, balancing, ['random', 'roundRobin']);
  assertDistribution(`${path}.serviceTime`, service.serviceTime);
  assertInteger(`${path}.workers`, service.workers, { min: 1, infinite: true });
  assertInteger(`${path}.maxQueued`, maxQueued, { min: 0, infinite: true });
  assertBoolean(`${path}.dropsAbandoned`, dropsAbandoned);
  if (service.faults !== undefined && !Array.isArray(service.faults)) {
    throw new OptionsError(`${path}.faults`, service.faults, 'a list of faults');
  }
  for (const [i, fault] of (service.faults ?? []).entries())
    assertServerFault(`${path}.faults[${i}]`, fault, instances);
  if (service.calls !== undefined) assertCalls(`${path}.calls`, service.calls, below);
}

function assertCalls(path: string, calls: NonNullable<SimulatedService['calls']>, below: readonly string[]): void {
  assertObject(path, calls);
  assertKnownOptions(path, calls, ['service', 'policy']);
  if (!below.includes(calls.service)) {
    throw new OptionsError(`${path}.service`, calls.service, 'the name of a service further down in the list');
  }
  if (calls.policy !== undefined) assertFunction(`${path}.policy`, calls.policy);
}

function assertClient(path: string, client: SimulatedClient, services: readonly string[]): void {
  assertObject(path, client);
  const known = ['name', 'service', 'arrivals', 'processes', 'priority', 'patienceMs', 'policy', 'sharesPolicyWith'];
  assertKnownOptions(path, client, known);
  assertText(`${path}.name`, client.name);
  assertArrivals(`${path}.arrivals`, client.arrivals);
  assertInteger(`${path}.processes`, client.processes ?? 1, { min: 1 });
  assertDurationMs(`${path}.patienceMs`, client.patienceMs ?? 1);
  if (client.service !== undefined) assertOneOf(`${path}.service`, client.service, services);
  if (client.priority !== undefined) assertOneOf(`${path}.priority`, client.priority, priorities);
  if (client.policy !== undefined) assertFunction(`${path}.policy`, client.policy);
}

function assertList(path: string, value: unknown): void {
  if (Array.isArray(value) && value.length > 0) return;
  throw new OptionsError(path, value, 'a list with at least one entry');
}

function assertDistinct(path: string, names: readonly string[]): void {
  const duplicate = names.find((name, i) => names.indexOf(name) !== i);
  if (duplicate !== undefined) throw new OptionsError(path, duplicate, 'a name that no other entry has');
}
