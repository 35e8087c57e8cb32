/**
 * What this package tells a metrics collector. A cache counts with plain integers, which are read when a collector asks.
 *
 * There is no semantic convention for caches inside an application yet: the names may change with one.
 */
import { PackageMetrics, type StatsMetric, type TelemetryDescription } from '@macadam/core';
import { createNoopMeter, metrics } from '@opentelemetry/api';
import type { CacheStats } from './cache.ts';

/** A cache, as far as counting goes. */
export interface Observed {
  readonly name: string;
  stats(): CacheStats;
}

const SCOPE = '@macadam/cache';
const NAME = 'macadam.cache.name';
const OUTCOME = 'macadam.outcome';

const METRICS: readonly StatsMetric<CacheStats>[] = [
  {
    name: 'macadam.cache.reads',
    kind: 'counter',
    unit: '{read}',
    description: 'Reads by how they were answered',
    reads: [
      ['hits', { [OUTCOME]: 'hit' }],
      ['staleHits', { [OUTCOME]: 'stale' }],
      ['misses', { [OUTCOME]: 'miss' }],
    ],
  },
  { name: 'macadam.cache.loads', kind: 'counter', unit: '{load}', description: 'Loads begun', reads: 'loads' },
  {
    name: 'macadam.cache.load.errors',
    kind: 'counter',
    unit: '{load}',
    description: 'Loads without a result',
    reads: [
      ['loadFailures', { [OUTCOME]: 'failed' }],
      ['loadTimeouts', { [OUTCOME]: 'timeout' }],
    ],
  },
  {
    name: 'macadam.cache.fenced',
    kind: 'counter',
    unit: '{load}',
    description: 'Results that an invalidation or a newer value outdated',
    reads: 'fenced',
  },
  {
    name: 'macadam.cache.invalidations',
    kind: 'counter',
    unit: '{key}',
    description: 'Keys and tags invalidated or expired',
    reads: 'invalidations',
  },
  {
    name: 'macadam.cache.evictions',
    kind: 'counter',
    unit: '{entry}',
    description: 'Entries that made room for others',
    reads: 'evictions',
  },
  {
    name: 'macadam.cache.oversized',
    kind: 'counter',
    unit: '{value}',
    description: 'Values too large to keep',
    reads: 'oversized',
  },
  { name: 'macadam.cache.entries', kind: 'gauge', unit: '{entry}', description: 'Entries in memory', reads: 'entries' },
  {
    name: 'macadam.cache.size',
    kind: 'gauge',
    unit: 'By',
    description: 'Estimated size of the entries in memory',
    reads: 'bytes',
  },
  {
    name: 'macadam.cache.loads.in_flight',
    kind: 'gauge',
    unit: '{load}',
    description: 'Loads in flight',
    reads: 'inFlight',
  },
];

const counted = new PackageMetrics<CacheStats>({
  scope: SCOPE,
  provider: () => metrics.getMeterProvider(),
  noop: createNoopMeter(),
  nameAttribute: NAME,
  stats: METRICS,
});

/** For the catalogue of the documentation. */
export const TELEMETRY: TelemetryDescription = {
  scope: SCOPE,
  metrics: counted.descriptions,
  attributes: {
    [NAME]: { type: 'string', description: 'The `name` of the cache' },
    [OUTCOME]: { type: 'string', description: 'How it ended' },
  },
};

/** Has the cache read whenever a collector asks, for as long as it lives. */
export function observe(cache: Observed): void {
  counted.observe(cache);
}
