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

/** A service: one name, and one or more servers behind it. Each is a queue and some workers. */
export interface SimulatedService {
  name: string;
  /** How many servers stand behind the name. Default: 1. */
  instances?: number;
  /** Which of them gets the next try. Default: `roundRobin`. */
  balancing?: 'random' | 'roundRobin';
  /** How long a worker takes for one request. */
  serviceTime: Distribution;
  /** Requests that one server works on at once, at least 1. */
  workers: number;
  /** Requests that may wait for a worker; what comes on top is refused at once. Default: Infinity. */
  maxQueued?: number;
  /** Whether a server leaves out what nobody waits for any more when its turn comes. Default: false: few do. */
  dropsAbandoned?: boolean;
  /** What goes wrong, and when. Default: nothing. */
  faults?: readonly ServerFault[];
  /** Another service, further down in the list, that the handler calls after its own work while it holds its worker. */
  calls?: {
    service: string;
    /** Each server has one of its own. Default: that of the simulation. */
    policy?: MakePolicy;
  };
}

/** Who sends requests. */
export interface SimulatedClient {
  name: string;
  /** The service it calls. Default: the first. */
  service?: string;
  /** When requests come, for all its processes together. */
  arrivals: Arrivals;
  /** Processes, with a policy each; requests are dealt out to them in turn. Default: 1. */
  processes?: number;
  /** Runs each call in a unit of work of this priority. Default: without one. */
  priority?: Priority;
  /** When the user leaves, in milliseconds: the request has failed then, whatever comes. Default: 30 000. */
  patienceMs?: number;
  /** Default: that of the simulation. */
  policy?: MakePolicy;
  /** A client further up in the list, whose processes send these requests too: several streams through one gateway. */
  sharesPolicyWith?: string;
}

export interface SimulateOptions {
  /** All chance follows from it: a safe integer. Default: 1. */
  seed?: number;
  /** How long requests come, in virtual milliseconds. What is in flight then is still waited for. */
  durationMs: number;
  /** Who calls, how often, and whom. */
  clients: readonly SimulatedClient[];
  /** Who is called: what they can take, and what befalls them when. */
  servers: readonly SimulatedService[];
  /** What a client puts around its calls, unless it has a policy of its own. */
  policy: MakePolicy;
  /** When the trouble is. Default: from the beginning of the first fault to the end of the last. */
  faultWindow?: { fromMs: number; toMs: number };
  /** Whether to write down all that happens: about 150 bytes a request. Default: false. */
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

/** A service may call one that stands further down in the list, so that no circle can be made. */
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
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new OptionsError(path, twice, 'a name that no other entry has');
}
