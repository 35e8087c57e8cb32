import type { Ledger } from './ledger.ts';
import type { ServerGroup } from './server-group.ts';
import type { SimulateOptions } from './simulation-options.ts';
import { jainIndex, percentile, RECOVERY_SLICE_MS, Slices, timeToRecover } from './statistics.ts';

/** Requests and what became of them. */
export interface SuccessCount {
  readonly requests: number;
  readonly succeeded: number;
  /** 1 when there were none. */
  readonly successRatio: number;
}

/** A second of the simulation, by when the requests came. */
export interface SimulationWindow extends SuccessCount {
  readonly fromMs: number;
}

/** How long successful requests took, in milliseconds from the user's wish to the answer. */
export interface LatencySummary {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface ServiceResult {
  /** Tries that reached its servers, refused ones included. */
  readonly requests: number;
  /** Those, for each request of a user. */
  readonly amplification: number;
  /** Time that workers were held, in milliseconds. */
  readonly busyMs: number;
  /** The part of it that went into answers nobody waited for, or nobody got. */
  readonly wastedMs: number;
}

/** What a simulation measured. Numbers of requests are those of users; tries are counted apart. */
export interface SimulationResult extends SuccessCount {
  readonly latency: LatencySummary;
  /** The longest that any user waited, for an answer, an error, or in vain. In milliseconds. */
  readonly maxWaitMs: number;
  /** Tries that clients sent, for each request of a user. */
  readonly amplification: number;
  /** The share of the servers' time that went into answers nobody waited for. */
  readonly wastedRatio: number;
  /** Jain's index over the success ratios of the clients: 1 when all fared alike. */
  readonly fairness: number;
  /** While things went wrong; absent without faults. */
  readonly duringFault?: SuccessCount & { readonly amplification: number };
  /** From the end of the trouble to the end of the simulation; absent without faults. */
  readonly afterFault?: SuccessCount & { readonly amplification: number };
  /**
   * From the end of the trouble to the first moment from which each second has at least 95 % success; Infinity when it
   * never came to that. Absent without faults. In milliseconds, in steps of 100.
   */
  readonly recoveryMs?: number;
  readonly clients: Readonly<Record<string, SuccessCount & { readonly latency: LatencySummary }>>;
  readonly priorities: Readonly<Record<string, SuccessCount>>;
  readonly services: Readonly<Record<string, ServiceResult>>;
  /** One for each second. */
  readonly windows: readonly SimulationWindow[];
  /** All that happened; empty unless it was asked for. */
  readonly trace: string;
}

type Span = { fromMs: number; toMs: number };

/** Sums the ledger up. */
export function summarize(
  options: SimulateOptions,
  ledger: Ledger,
  services: readonly ServerGroup[],
  trace: string,
): SimulationResult {
  const { clients, durationMs } = options;
  const all = (): boolean => true;
  const results = services.map((group) => [group.name, serviceResult(group, ledger.requests)] as const);
  const busyMs = results.reduce((sum, [, result]) => sum + result.busyMs, 0);
  const wastedMs = results.reduce((sum, [, result]) => sum + result.wastedMs, 0);
  const perClient = clients.map((_, index) => countIf(ledger, (i) => ledger.clientOf[i] === index));
  const named = new Set(clients.map(({ priority }) => priority ?? 'normal'));
  const isOf = (priority: string) => (i: number) =>
    (clients[ledger.clientOf[i] as number]?.priority ?? 'normal') === priority;
  return {
    ...countIf(ledger, all),
    latency: latencyIf(ledger, all),
    maxWaitMs: ledger.waitedMs.reduce((max, ms) => Math.max(max, ms), 0),
    amplification: ledger.sentAt.length / Math.max(1, ledger.requests),
    wastedRatio: busyMs === 0 ? 0 : wastedMs / busyMs,
    fairness: jainIndex(perClient.filter(({ requests }) => requests > 0).map(({ successRatio }) => successRatio)),
    ...aroundFault(faultWindowOf(options), durationMs, ledger),
    clients: Object.fromEntries(
      clients.map(({ name }, index) => {
        const latency = latencyIf(ledger, (i) => ledger.clientOf[i] === index);
        return [name, { ...(perClient[index] as SuccessCount), latency }];
      }),
    ),
    priorities: Object.fromEntries([...named].map((priority) => [priority, countIf(ledger, isOf(priority))])),
    services: Object.fromEntries(results),
    windows: windowsOf(ledger, durationMs),
    trace,
  };
}

/** From the beginning of the first fault to the end of the last one, within the simulation. */
function faultWindowOf({ faultWindow, servers, durationMs }: SimulateOptions): Span | undefined {
  if (faultWindow !== undefined) return faultWindow;
  const faults = servers.flatMap((server) => server.faults ?? []);
  if (faults.length === 0) return undefined;
  const fromMs = Math.min(...faults.map((fault) => fault.fromMs));
  return { fromMs, toMs: Math.min(durationMs, Math.max(...faults.map((fault) => fault.toMs))) };
}

function aroundFault(
  fault: Span | undefined,
  durationMs: number,
  ledger: Ledger,
): Pick<SimulationResult, 'afterFault' | 'duringFault' | 'recoveryMs'> {
  if (fault === undefined) return {};
  const slices = new Slices(durationMs, RECOVERY_SLICE_MS);
  for (let i = 0; i < ledger.arrivedAt.length; i++) {
    slices.add(ledger.arrivedAt[i] as number, ledger.succeeded[i] as boolean);
  }
  return {
    duringFault: within(ledger, fault),
    afterFault: within(ledger, { fromMs: fault.toMs, toMs: Infinity }),
    recoveryMs: timeToRecover(slices, fault.toMs),
  };
}

function within(ledger: Ledger, { fromMs, toMs }: Span): SuccessCount & { amplification: number } {
  const isIn = (atMs: number): boolean => atMs >= fromMs && atMs < toMs;
  const counted = countIf(ledger, (i) => isIn(ledger.arrivedAt[i] as number));
  return { ...counted, amplification: ledger.sentAt.filter(isIn).length / Math.max(1, counted.requests) };
}

function countIf(ledger: Ledger, matches: (i: number) => boolean): SuccessCount {
  let requests = 0;
  let succeeded = 0;
  for (let i = 0; i < ledger.succeeded.length; i++) {
    if (!matches(i)) continue;
    requests++;
    if (ledger.succeeded[i] === true) succeeded++;
  }
  return counted(requests, succeeded);
}

function counted(requests: number, succeeded: number): SuccessCount {
  return { requests, succeeded, successRatio: requests === 0 ? 1 : succeeded / requests };
}

function latencyIf(ledger: Ledger, matches: (i: number) => boolean): LatencySummary {
  const sorted = Float64Array.from(ledger.waitedMs.filter((_, i) => ledger.succeeded[i] === true && matches(i))).sort();
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

function windowsOf(ledger: Ledger, durationMs: number): SimulationWindow[] {
  const slices = new Slices(durationMs, 1_000);
  for (let i = 0; i < ledger.arrivedAt.length; i++) {
    slices.add(ledger.arrivedAt[i] as number, ledger.succeeded[i] as boolean);
  }
  return Array.from(slices.requests, (requests, i) => ({
    fromMs: i * 1_000,
    ...counted(requests, slices.succeeded[i] as number),
  }));
}
