import { SECONDS_BOUNDARIES, type HistogramMetric, type StatsMetric, type StatsSource } from '@macadam/core';
import type { EndpointStats } from './endpoints/endpoint.ts';
import type { RegionStats } from './endpoints/region.ts';
import type { HttpClientStats } from './http-client.ts';
import { METRIC_ATTRIBUTES } from './telemetry-names.ts';

type ClientMetric = StatsMetric<HttpClientStats>;

function metric(kind: ClientMetric['kind']) {
  return (name: string, unit: string, description: string, reads: ClientMetric['reads']): ClientMetric => {
    return { name: `macadam.http.client.${name}`, kind, unit, description, reads };
  };
}

const counter = metric('counter');
const gauge = metric('gauge');

/** One series for each value of an attribute. */
function by(attribute: string, sources: Readonly<Record<string, StatsSource<HttpClientStats>>>): ClientMetric['reads'] {
  return Object.entries(sources).map(([value, source]) => [source, { [attribute]: value }]);
}

/** A number in the statistics of a policy. */
function policy(stats: HttpClientStats, ...path: string[]): number | undefined {
  let value: unknown = stats.policies;
  for (const name of path) value = (value as Record<string, unknown> | undefined)?.[name];
  return typeof value === 'number' ? value : undefined;
}

/** The number of endpoints in a state; undefined for a client without endpoints. */
function endpointsIn(state: ReturnType<typeof stateOf>): StatsSource<HttpClientStats> {
  return ({ balancing, endpoints }) => balancing && endpoints.filter((one) => stateOf(one) === state).length;
}

function stateOf({ ejected, circuit }: EndpointStats): 'available' | 'circuitOpen' | 'ejected' {
  if (ejected) return 'ejected';
  return circuit === 'open' || circuit === 'isolated' ? 'circuitOpen' : 'available';
}

function regionsIn(state: RegionStats['state']): StatsSource<HttpClientStats> {
  return ({ balancing, regions }) => balancing && regions.filter((one) => one.state === state).length;
}

/** The metrics that are read from `stats()` of a client when a collector asks. */
export const CLIENT_METRICS: readonly ClientMetric[] = [
  counter('calls', '{call}', 'Calls by outcome', by('macadam.outcome', { success: 'succeeded', failure: 'failed' })),
  gauge('in_flight', '{call}', 'Calls in flight', 'inFlight'),
  counter('attempts', '{attempt}', 'Attempts that were begun', 'attempts'),
  counter('retries', '{attempt}', 'Attempts after the first', (stats) => {
    return (policy(stats, 'retry', 'retries') ?? 0) + (policy(stats, 'retryUnsent', 'retries') ?? 0);
  }),
  counter('joined', '{call}', 'Calls answered by an identical one in flight', 'joined'),
  gauge('retry_budget.balance', '{attempt}', 'Retries the budget would allow now', (stats) =>
    policy(stats, 'retry', 'budget', 'balance'),
  ),
  counter('retry_budget.refused', '{attempt}', 'Retries the budget did not allow', (stats) =>
    policy(stats, 'retry', 'budget', 'refused'),
  ),
  gauge(
    'connections',
    '{connection}',
    'Connections',
    by('macadam.http.client.connection.state', {
      connected: ({ connections }) => connections?.connected,
      free: ({ connections }) => connections?.free,
    }),
  ),
  gauge('connection.pending_requests', '{request}', 'Requests that wait for a connection', ({ connections }) => {
    return connections?.pending;
  }),
  gauge(
    'endpoints',
    '{endpoint}',
    'Endpoints by state',
    by('macadam.http.client.endpoint.state', {
      available: endpointsIn('available'),
      circuitOpen: endpointsIn('circuitOpen'),
      ejected: endpointsIn('ejected'),
    }),
  ),
  counter(
    'endpoint.ejections',
    '{ejection}',
    'Ejections of endpoints by reason',
    by('macadam.http.client.ejection.reason', {
      consecutiveFailures: ({ balancing }) => balancing?.ejections.consecutiveFailures,
      failureRate: ({ balancing }) => balancing?.ejections.failureRate,
      successRate: ({ balancing }) => balancing?.ejections.successRate,
    }),
  ),
  gauge(
    'regions',
    '{region}',
    'Regions of endpoints by state',
    by('macadam.http.client.region.state', {
      active: regionsIn('active'),
      standby: regionsIn('standby'),
      down: regionsIn('down'),
    }),
  ),
  counter(
    'region.changes',
    '{change}',
    'Regions that went down or came back',
    by('macadam.http.client.region.change', {
      down: ({ balancing }) => balancing?.regionsWentDown,
      up: ({ balancing }) => balancing?.regionsCameBack,
    }),
  ),
  counter(
    'cache.calls',
    '{call}',
    'Calls by what the cache did',
    by('macadam.http.client.cache.result', {
      hit: ({ cache }) => cache?.hits,
      stale: ({ cache }) => cache?.stale,
      revalidated: ({ cache }) => cache?.revalidated,
      miss: ({ cache }) => cache?.misses,
    }),
  ),
  gauge('cache.entries', '{entry}', 'URLs in the cache', ({ cache }) => cache?.entries),
  gauge('cache.size', 'By', 'Bytes in the cache', ({ cache }) => cache?.bytes),
];

/** The only metric that is recorded for each request (semantic conventions). */
export const REQUEST_DURATION: HistogramMetric = {
  name: 'http.client.request.duration',
  kind: 'histogram',
  unit: 's',
  description: 'Duration of HTTP client requests',
  boundaries: SECONDS_BOUNDARIES,
  attributes: METRIC_ATTRIBUTES,
};
