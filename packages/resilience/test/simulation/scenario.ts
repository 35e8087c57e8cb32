import {
  logNormal,
  poissonArrivals,
  type SimulatedClient,
  type SimulatedService,
  type SimulateOptions,
} from '@macadam/testkit';

/** One kind of fault, and what its figures show. */
export interface Scenario {
  /** Name of its chart's file. */
  readonly id: string;
  readonly title: string;
  /** What goes wrong, in a sentence or two. */
  readonly story: string;
  /** What to look for in the figures, and why they come out as they do. */
  readonly lesson: string;
  readonly simulation: Omit<SimulateOptions, 'policy'>;
}

/** When most faults start, in milliseconds. */
export const TROUBLE_MS = 20_000;

/** Four processes that send 200 requests a second together. Users leave after 10 s. */
export function web(more: Partial<SimulatedClient> = {}): SimulatedClient {
  return { name: 'web', processes: 4, patienceMs: 10_000, arrivals: poissonArrivals({ ratePerSecond: 200 }), ...more };
}

/** Five servers with five times the capacity that is needed; each attempt goes to a random one. */
export function api(more: Partial<SimulatedService> = {}): SimulatedService {
  return {
    name: 'api',
    instances: 5,
    balancing: 'random',
    serviceTime: logNormal({ medianMs: 10, p99Ms: 80 }),
    workers: 4,
    ...more,
  };
}
