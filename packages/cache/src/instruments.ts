/**
 * The metrics of this package. A cache counts with plain integers, which are read when a collector asks.
 *
 * OpenTelemetry has no semantic convention for in-process caches yet; the names may change when there is one.
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

/** What a cache provides for its metrics. */
export interface ObservedCache {
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
    description: 'Reads by their outcome',
    reads: [
      ['hits', { [OUTCOME]: 'hit' }],
      ['staleHits', { [OUTCOME]: 'stale' }],
      ['misses', { [OUTCOME]: 'miss' }],
    ],
  },
  { name: 'macadam.cache.loads', kind: 'counter', unit: '{load}', description: 'Loads started', reads: 'loads' },
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
    description: 'Loaded values that were not stored, because of an invalidation or a newer value',
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
    description: 'Entries removed from memory to make room for others',
    reads: 'evictions',
  },
  {
    name: 'macadam.cache.oversized',
    kind: 'counter',
    unit: '{value}',
    description: 'Values too large to store',
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
    description: 'Reads of the shared tier by their outcome',
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
    description: 'Failed operations of the shared tier; refused: not sent, because the circuit breaker was open',
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
    description: 'Loads left to another instance while a stale value was served',
    reads: 'waived',
  },
  {
    name: 'macadam.cache.unsettled',
    kind: 'gauge',
    unit: '{key}',
    description: 'Keys and tags whose invalidation the shared tier has not acknowledged',
    reads: 'unsettled',
  },
  {
    name: 'macadam.cache.coherence.gaps',
    kind: 'counter',
    unit: '{gap}',
    description: 'Times that changes of other instances were missed and the memory was cleared',
    reads: 'gaps',
  },
  {
    name: 'macadam.cache.coherence.disconnected',
    kind: 'gauge',
    unit: '{cache}',
    description: 'Caches that do not receive the changes of other instances although they should',
    reads: 'disconnected',
  },
  {
    name: 'macadam.cache.coherence.lag',
    kind: 'gauge',
    unit: 'ms',
    description: 'How long the latest change took to arrive',
    reads: 'coherenceLagMs',
  },
];

/** Histograms, recorded when an operation ends. */
const L2_DURATION = 'macadam.cache.l2.duration';
const LOAD_DURATION = 'macadam.cache.load.duration';

const packageMetrics = new PackageMetrics<CacheStats>({
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

/** Describes the telemetry for the catalogue in the documentation. */
export const TELEMETRY: TelemetryDescription = {
  scope: SCOPE,
  metrics: packageMetrics.descriptions,
  annotations: ['cacheWaits', 'cacheMs', 'cacheL2Hits', 'cacheLoads'],
  attributes: {
    [NAME]: { type: 'string', description: 'The `name` of the cache' },
    [OUTCOME]: { type: 'string', description: 'How it ended' },
    cacheWaits: { type: 'int', description: 'Reads of caches that waited for a shared tier or a load' },
    cacheL2Hits: { type: 'int', description: 'Those of them that the shared tier answered' },
    cacheLoads: { type: 'int', description: 'Those of them that waited for a load' },
    cacheMs: { type: 'double', description: 'Total time that they waited, in milliseconds' },
  },
};

/** Registers the cache with the collector for as long as the cache lives. */
export function observe(cache: ObservedCache): void {
  packageMetrics.observe(cache);
}

/** How an operation or a load ended. */
export type CallOutcome = 'failed' | 'ok' | 'refused' | 'timeout';

/** Records the duration of an operation of the shared tier. */
export function recordCall(cache: string, clock: Clock, startedAt: number, outcome: CallOutcome): void {
  recordDuration(L2_DURATION, cache, clock, startedAt, outcome);
}

/** Records the duration of a load. */
export function recordLoad(cache: string, clock: Clock, startedAt: number, outcome: CallOutcome): void {
  recordDuration(LOAD_DURATION, cache, clock, startedAt, outcome);
}

function recordDuration(name: string, cache: string, clock: Clock, startedAt: number, outcome: CallOutcome): void {
  const durations = packageMetrics.histogram(name);
  // Without an SDK there is no histogram, and the clock need not be read.
  if (durations === undefined) return;
  const durationMs = clock.monotonic() - startedAt;
  durations.record(durationMs / 1_000, { [NAME]: packageMetrics.boundedName(cache), [OUTCOME]: outcome });
}

function histogram(name: string, description: string): HistogramMetric {
  const attributes = { [NAME]: 'the first 1,000 names', [OUTCOME]: ['ok', 'failed', 'timeout', 'refused'] };
  return { name, kind: 'histogram', unit: 's', description, boundaries: SECONDS_BOUNDARIES, attributes };
}
