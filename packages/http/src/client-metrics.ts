import type { HttpClientStats } from './http-client.ts';

/** One number of a client for a metrics collector. */
export interface ClientMetric {
  readonly name: string;
  readonly kind: 'counter' | 'gauge';
  readonly unit: string;
  readonly description: string;
  /** What sets this number apart from others of the same name. */
  readonly attribute?: readonly [name: string, value: string];
  /** Undefined when the client has no such thing. */
  read(stats: HttpClientStats): number | undefined;
}

function counter(name: string, unit: string, description: string, read: ClientMetric['read']): ClientMetric {
  return { name: `macadam.http.client.${name}`, kind: 'counter', unit, description, read };
}

function gauge(name: string, unit: string, description: string, read: ClientMetric['read']): ClientMetric {
  return { name: `macadam.http.client.${name}`, kind: 'gauge', unit, description, read };
}

function split(attribute: string, value: string, metric: ClientMetric): ClientMetric {
  return { ...metric, attribute: [attribute, value] };
}

const outcome = 'macadam.outcome';
const state = 'macadam.http.client.connection.state';
const result = 'macadam.http.client.cache.result';

/** A number of a policy, or of what belongs to one. */
function policy(stats: HttpClientStats, ...path: string[]): number | undefined {
  let value: unknown = stats.policies;
  for (const name of path) value = (value as Record<string, unknown> | undefined)?.[name];
  return typeof value === 'number' ? value : undefined;
}

/** Every number of a client that is counted anyway, read when a collector asks. */
export const CLIENT_METRICS: readonly ClientMetric[] = [
  split(
    outcome,
    'success',
    counter('calls', '{call}', 'Calls by outcome', (stats) => stats.succeeded),
  ),
  split(
    outcome,
    'failure',
    counter('calls', '{call}', 'Calls by outcome', (stats) => stats.failed),
  ),
  gauge('in_flight', '{call}', 'Calls in flight', (stats) => stats.inFlight),
  counter('attempts', '{attempt}', 'Attempts that were begun', (stats) => stats.attempts),
  counter('retries', '{attempt}', 'Attempts after the first', (stats) => {
    return (policy(stats, 'retry', 'retries') ?? 0) + (policy(stats, 'retryUnsent', 'retries') ?? 0);
  }),
  counter('joined', '{call}', 'Calls answered by an identical one in flight', (stats) => stats.joined),
  gauge('retry_budget.balance', '{attempt}', 'Retries the budget would allow now', (stats) =>
    policy(stats, 'retry', 'budget', 'balance'),
  ),
  counter('retry_budget.refused', '{attempt}', 'Retries the budget did not allow', (stats) =>
    policy(stats, 'retry', 'budget', 'refused'),
  ),
  split(
    state,
    'connected',
    gauge('connections', '{connection}', 'Connections', (stats) => stats.connections?.connected),
  ),
  split(
    state,
    'free',
    gauge('connections', '{connection}', 'Connections', (stats) => stats.connections?.free),
  ),
  gauge(
    'connection.pending_requests',
    '{request}',
    'Requests that wait for a connection',
    (stats) => stats.connections?.pending,
  ),
  split(
    result,
    'hit',
    counter('cache.calls', '{call}', 'Calls by what the cache did', (stats) => stats.cache?.hits),
  ),
  split(
    result,
    'stale',
    counter('cache.calls', '{call}', 'Calls by what the cache did', (stats) => stats.cache?.stale),
  ),
  split(
    result,
    'revalidated',
    counter('cache.calls', '{call}', 'Calls by what the cache did', (stats) => stats.cache?.revalidated),
  ),
  split(
    result,
    'miss',
    counter('cache.calls', '{call}', 'Calls by what the cache did', (stats) => stats.cache?.misses),
  ),
  gauge('cache.entries', '{entry}', 'URLs in the cache', (stats) => stats.cache?.entries),
  gauge('cache.size', 'By', 'Bytes in the cache', (stats) => stats.cache?.bytes),
];

/** A client, as far as counting goes. */
export interface ObservedClient {
  readonly name: string;
  stats(): HttpClientStats;
}

/** A number at a moment. */
export interface Reading {
  readonly name: string;
  readonly value: number;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Clients of more names are counted together as `_other`: names may come from hosts, and a collector pays for each. */
const MOST_NAMES = 1_000;

/** All numbers of all clients. Those of clients with the same name are added up. */
export function readingsOf(clients: readonly ObservedClient[]): Reading[] {
  const byName = new Map<string, HttpClientStats[]>();
  for (const client of clients) {
    const name = byName.has(client.name) || byName.size < MOST_NAMES ? client.name : '_other';
    const others = byName.get(name);
    if (others === undefined) byName.set(name, [client.stats()]);
    else others.push(client.stats());
  }
  const readings: Reading[] = [];
  for (const [client, all] of byName) {
    for (const { name, attribute, read } of CLIENT_METRICS) {
      const values = all.map(read).filter((value) => value !== undefined);
      if (values.length === 0) continue;
      const attributes = {
        'macadam.http.client.name': client,
        ...(attribute !== undefined && { [attribute[0]]: attribute[1] }),
      };
      readings.push({ name, value: values.reduce((sum, value) => sum + value, 0), attributes });
    }
  }
  return readings;
}
