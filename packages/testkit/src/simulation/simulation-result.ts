import type { Measurements } from './measurements.ts';
import type { ServerGroup } from './server-group.ts';
import type { SimulateOptions } from './simulation-options.ts';
import { jainIndex, percentile, RECOVERY_SLICE_MS, TimeSlices, timeToRecover } from './statistics.ts';

/** Requests, and how many of them succeeded. */
export interface SuccessCount {
  /** The number of requests. */
  readonly requests: number;
  /** The number of successful requests. */
  readonly succeeded: number;
  /** `succeeded / requests`; 1 if there were no requests. */
  readonly successRatio: number;
}

/** The requests that arrived within one second of the simulation. */
export interface SimulationWindow extends SuccessCount {
  /** The start of that second, in milliseconds. */
  readonly fromMs: number;
}

/** The latencies of successful requests in milliseconds, from arrival to response. */
export interface LatencySummary {
  /** The median. */
  readonly p50: number;
  /** The 95th percentile. */
  readonly p95: number;
  /** The 99th percentile. */
  readonly p99: number;
  /** The 99.9th percentile. */
  readonly p999: number;
  /** The maximum. */
  readonly max: number;
}

/** What a simulation measured for one service. */
export interface ServiceResult {
  /** Attempts that reached its servers, refused ones included. */
  readonly requests: number;
  /** Those attempts per request of a user. */
  readonly amplification: number;
  /** The time its workers were busy, in milliseconds. */
  readonly busyMs: number;
  /** The part of that time spent on responses that nobody waited for or received, in milliseconds. */
  readonly wastedMs: number;
}

/** What a simulation measured. Requests are those of users; attempts are counted separately. */
export interface SimulationResult extends SuccessCount {
  /** The latencies of successful requests. */
  readonly latency: LatencySummary;
  /** The longest wait of any user for a response or an error, or until giving up, in milliseconds. */
  readonly maxWaitMs: number;
  /** Attempts sent by clients per request of a user. */
  readonly amplification: number;
  /** The share of the servers' busy time spent on responses that nobody waited for. */
  readonly wastedRatio: number;
  /** Jain's fairness index of the success ratios of the clients: 1 if all are equal. */
  readonly fairness: number;
  /** During the fault window; absent without faults. */
  readonly duringFault?: SuccessCount & { readonly amplification: number };
  /** From the end of the fault window to the end of the simulation; absent without faults. */
  readonly afterFault?: SuccessCount & { readonly amplification: number };
  /**
   * Time from the end of the fault window until each second has at least 95 % success, in milliseconds, in steps of 100; `Infinity` if
   * that is never reached. Absent without faults.
   */
  readonly recoveryMs?: number;
  /** The results of each client, by name. */
  readonly clients: Readonly<Record<string, SuccessCount & { readonly latency: LatencySummary }>>;
  /** The results of each priority. */
  readonly priorities: Readonly<Record<string, SuccessCount>>;
  /** The results of each service, by name. */
  readonly services: Readonly<Record<string, ServiceResult>>;
  /** The requests of each second. */
  readonly windows: readonly SimulationWindow[];
  /** The trace of all events; empty unless `trace` was set. */
  readonly trace: string;
}

type TimeSpan = { fromMs: number; toMs: number };

/** Computes the result from the measurements. */
export function summarize(
  options: SimulateOptions,
  measurements: Measurements,
  services: readonly ServerGroup[],
  trace: string,
): SimulationResult {
  const { clients, durationMs } = options;
  const all = (): boolean => true;
  const results = services.map((group) => [group.name, serviceResult(group, measurements.requests)] as const);
  const busyMs = results.reduce((sum, [, result]) => sum + result.busyMs, 0);
  const wastedMs = results.reduce((sum, [, result]) => sum + result.wastedMs, 0);
  const perClient = clients.map((_, index) => countIf(measurements, (i) => measurements.clientOf[i] === index));
  const usedPriorities = new Set(clients.map(({ priority }) => priority ?? 'normal'));
  const hasPriority = (priority: string) => (i: number) =>
    (clients[measurements.clientOf[i] as number]?.priority ?? 'normal') === priority;
  return {
    ...countIf(measurements, all),
    latency: latencyIf(measurements, all),
    maxWaitMs: measurements.waitedMs.reduce((max, ms) => Math.max(max, ms), 0),
    amplification: measurements.sentAt.length / Math.max(1, measurements.requests),
    wastedRatio: busyMs === 0 ? 0 : wastedMs / busyMs,
    fairness: jainIndex(perClient.filter(({ requests }) => requests > 0).map(({ successRatio }) => successRatio)),
    ...faultResults(faultWindowOf(options), durationMs, measurements),
    clients: Object.fromEntries(
      clients.map(({ name }, index) => {
        const latency = latencyIf(measurements, (i) => measurements.clientOf[i] === index);
        return [name, { ...(perClient[index] as SuccessCount), latency }];
      }),
    ),
    priorities: Object.fromEntries(
      [...usedPriorities].map((priority) => [priority, countIf(measurements, hasPriority(priority))]),
    ),
    services: Object.fromEntries(results),
    windows: windowsOf(measurements, durationMs),
    trace,
  };
}

/** From the start of the first fault to the end of the last one, within the simulation. */
function faultWindowOf({ faultWindow, servers, durationMs }: SimulateOptions): TimeSpan | undefined {
  if (faultWindow !== undefined) return faultWindow;
  const faults = servers.flatMap((server) => server.faults ?? []);
  if (faults.length === 0) return undefined;
  const fromMs = Math.min(...faults.map((fault) => fault.fromMs));
  return { fromMs, toMs: Math.min(durationMs, Math.max(...faults.map((fault) => fault.toMs))) };
}

function faultResults(
  fault: TimeSpan | undefined,
  durationMs: number,
  measurements: Measurements,
): Pick<SimulationResult, 'afterFault' | 'duringFault' | 'recoveryMs'> {
  if (fault === undefined) return {};
  const slices = new TimeSlices(durationMs, RECOVERY_SLICE_MS);
  for (let i = 0; i < measurements.arrivedAt.length; i++) {
    slices.add(measurements.arrivedAt[i] as number, measurements.succeeded[i] as boolean);
  }
  return {
    duringFault: within(measurements, fault),
    afterFault: within(measurements, { fromMs: fault.toMs, toMs: Infinity }),
    recoveryMs: timeToRecover(slices, fault.toMs),
  };
}

function within(measurements: Measurements, { fromMs, toMs }: TimeSpan): SuccessCount & { amplification: number } {
  const isIn = (atMs: number): boolean => atMs >= fromMs && atMs < toMs;
  const counted = countIf(measurements, (i) => isIn(measurements.arrivedAt[i] as number));
  return { ...counted, amplification: measurements.sentAt.filter(isIn).length / Math.max(1, counted.requests) };
}

function countIf(measurements: Measurements, matches: (i: number) => boolean): SuccessCount {
  let requests = 0;
  let succeeded = 0;
  for (let i = 0; i < measurements.succeeded.length; i++) {
    if (!matches(i)) continue;
    requests++;
    if (measurements.succeeded[i] === true) succeeded++;
  }
  return successCount(requests, succeeded);
}

function successCount(requests: number, succeeded: number): SuccessCount {
  return { requests, succeeded, successRatio: requests === 0 ? 1 : succeeded / requests };
}

function latencyIf(measurements: Measurements, matches: (i: number) => boolean): LatencySummary {
  const sorted = Float64Array.from(
    measurements.waitedMs.filter((_, i) => measurements.succeeded[i] === true && matches(i)),
  ).sort();
  const at = (share: number): number => percentile(sorted, share);
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), p999: at(0.999), max: at(1) };
}

function serviceResult(group: ServerGroup, userRequests: number): ServiceResult {
  const sum = (of: (instance: ServerGroup['instances'][number]) => number): number =>
    group.instances.reduce((total, instance) => total + of(instance), 0);
  const requests = sum((instance) => instance.requests);
  return {
    requests,
    amplification: requests / Math.max(1, userRequests),
    busyMs: sum((instance) => instance.busyMs),
    wastedMs: sum((instance) => instance.wastedMs),
  };
}

function windowsOf(measurements: Measurements, durationMs: number): SimulationWindow[] {
  const slices = new TimeSlices(durationMs, 1_000);
  for (let i = 0; i < measurements.arrivedAt.length; i++) {
    slices.add(measurements.arrivedAt[i] as number, measurements.succeeded[i] as boolean);
  }
  return Array.from(slices.requests, (requests, i) => ({
    fromMs: i * 1_000,
    ...successCount(requests, slices.succeeded[i] as number),
  }));
}
