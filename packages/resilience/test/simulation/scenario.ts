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
  /** Description of the fault. */
  readonly fault: string;
  /** Explanation of the figures. */
  readonly explanation: string;
  readonly simulation: Omit<SimulateOptions, 'policy'>;
}

/** The start of most faults, in milliseconds. */
export const FAULT_START_MS = 20_000;

/** Four processes that send 200 requests per second together. Users give up after 10 s. */
export function web(more: Partial<SimulatedClient> = {}): SimulatedClient {
  return { name: 'web', processes: 4, patienceMs: 10_000, arrivals: poissonArrivals({ ratePerSecond: 200 }), ...more };
}

/** Five servers with several times the required capacity; each attempt goes to a random one. */
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
