/**
 * What this package tells a metrics collector. A cache counts with plain integers, which are read when a collector asks.
 *
 * There is no semantic convention for caches inside an application yet: the names may change with one.
 */
import {
  PackageMetrics,
  SECONDS_BOUNDARIES,
  type Clock,
  type HistogramMetric,
  type StatsMetric,
  type TelemetryDescription,
} from '@macadam/core';
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

const TIER_METRICS: readonly StatsMetric<CacheStats>[] = [
  {
    name: 'macadam.cache.l2.reads',
    kind: 'counter',
    unit: '{read}',
    description: 'Reads of the shared tier by what they found',
    reads: [
      ['l2Hits', { [OUTCOME]: 'hit' }],
      ['l2StaleHits', { [OUTCOME]: 'stale' }],
      ['l2Misses', { [OUTCOME]: 'miss' }],
    ],
  },
  {
    name: 'macadam.cache.l2.errors',
    kind: 'counter',
    unit: '{operation}',
    description: 'Operations of the shared tier without a result; refused: not sent, as the circuit breaker was open',
    reads: [
      ['l2Errors', { [OUTCOME]: 'failed' }],
      ['l2Timeouts', { [OUTCOME]: 'timeout' }],
      ['l2Refused', { [OUTCOME]: 'refused' }],
    ],
  },
  {
    name: 'macadam.cache.l2.unreadable',
    kind: 'counter',
    unit: '{entry}',
    description: 'Entries of the shared tier that could not be read',
    reads: 'l2Unreadable',
  },
  {
    name: 'macadam.cache.l2.fills',
    kind: 'counter',
    unit: '{entry}',
    description: 'Loaded values stored in the shared tier',
    reads: 'l2Fills',
  },
  {
    name: 'macadam.cache.loads.waived',
    kind: 'counter',
    unit: '{load}',
    description: 'Loads that another instance did',
    reads: 'waived',
  },
  {
    name: 'macadam.cache.unsettled',
    kind: 'gauge',
    unit: '{key}',
    description: 'Keys and tags whose ending the shared tier has not acknowledged',
    reads: 'unsettled',
  },
  {
    name: 'macadam.cache.coherence.gaps',
    kind: 'counter',
    unit: '{gap}',
    description: 'Times at which changes of other instances were missed and the memory was emptied',
    reads: 'gaps',
  },
  {
    name: 'macadam.cache.coherence.disconnected',
    kind: 'gauge',
    unit: '{cache}',
    description: 'Caches that should hear of the changes of other instances and do not',
    reads: 'disconnected',
  },
  {
    name: 'macadam.cache.coherence.lag',
    kind: 'gauge',
    unit: 'ms',
    description: 'How long a change takes until it is heard of, as measured the last time',
    reads: 'coherenceLagMs',
  },
];

/** How long operations of the shared tier take, as they end. */
const L2_DURATION = 'macadam.cache.l2.duration';
const LOAD_DURATION = 'macadam.cache.load.duration';

const counted = new PackageMetrics<CacheStats>({
  scope: SCOPE,
  provider: () => metrics.getMeterProvider(),
  noop: createNoopMeter(),
  nameAttribute: NAME,
  stats: [...METRICS, ...TIER_METRICS],
  histograms: [
    histogram(L2_DURATION, 'How long operations of the shared tier take'),
    histogram(LOAD_DURATION, 'How long loads take'),
  ],
});

/** For the catalogue of the documentation. */
export const TELEMETRY: TelemetryDescription = {
  scope: SCOPE,
  metrics: counted.descriptions,
  annotations: ['cacheWaits', 'cacheMs', 'cacheL2Hits', 'cacheLoads'],
  attributes: {
    [NAME]: { type: 'string', description: 'The `name` of the cache' },
    [OUTCOME]: { type: 'string', description: 'How it ended' },
    cacheWaits: { type: 'int', description: 'Reads of caches that waited for a shared tier or a load' },
    cacheL2Hits: { type: 'int', description: 'Those of them that the shared tier had the answer to' },
    cacheLoads: { type: 'int', description: 'Those of them that a load was begun for' },
    cacheMs: { type: 'double', description: 'For how long those waited, in milliseconds, summed up' },
  },
};

/** Has the cache read whenever a collector asks, for as long as it lives. */
export function observe(cache: Observed): void {
  counted.observe(cache);
}

/** How an operation or a load ended. */
export type Ended = 'failed' | 'ok' | 'refused' | 'timeout';

/** An operation of the shared tier has ended. */
export function recordCall(cache: string, clock: Clock, begunAt: number, outcome: Ended): void {
  record(L2_DURATION, cache, clock, begunAt, outcome);
}

/** A load has ended. */
export function recordLoad(cache: string, clock: Clock, begunAt: number, outcome: Ended): void {
  record(LOAD_DURATION, cache, clock, begunAt, outcome);
}

function record(name: string, cache: string, clock: Clock, begunAt: number, outcome: Ended): void {
  const durations = counted.histogram(name);
  // Without an SDK there is none, and the time need not be asked for.
  if (durations === undefined) return;
  const durationMs = clock.monotonic() - begunAt;
  durations.record(durationMs / 1_000, { [NAME]: counted.boundedName(cache), [OUTCOME]: outcome });
}

function histogram(name: string, description: string): HistogramMetric {
  const attributes = { [NAME]: 'the first 1,000 names', [OUTCOME]: ['ok', 'failed', 'timeout', 'refused'] };
  return { name, kind: 'histogram', unit: 's', description, boundaries: SECONDS_BOUNDARIES, attributes };
}
