/**
 * What this package tells a metrics collector. Limiters, outbound limiters, shapers and shedders count with plain integers; the numbers are
 * read when a collector asks, so that counting costs a decision nothing.
 * Length: the names of all that the package tells stand in one file, as the catalogue wants it.
 */
import { PackageMetrics, type StatsMetric, type TelemetryDescription } from '@macadam/core';
import { createNoopMeter, metrics } from '@opentelemetry/api';

type Kind = 'limiter' | 'outbound' | 'shaper' | 'shedder';
type Stats = Readonly<Record<string, number>>;

/** Something that counts. */
export interface Counting {
  stats(): Stats;
}

const SCOPE = '@macadam/ratelimit';
const NAME = 'macadam.policy.name';
const OUTCOME = 'macadam.outcome';

const METRICS: readonly (StatsMetric<Stats> & { readonly of: Kind })[] = [
  {
    of: 'limiter',
    name: 'macadam.ratelimit.decisions',
    kind: 'counter',
    unit: '{decision}',
    description: 'Decisions by outcome',
    reads: [
      ['allowed', { [OUTCOME]: 'allowed' }],
      ['denied', { [OUTCOME]: 'denied' }],
      ['shadowed', { [OUTCOME]: 'shadowed' }],
    ],
  },
  {
    of: 'limiter',
    name: 'macadam.ratelimit.degraded',
    kind: 'counter',
    unit: '{decision}',
    description: 'Decisions without the shared store',
    reads: 'degraded',
  },
  {
    of: 'limiter',
    name: 'macadam.ratelimit.deny_cache.hits',
    kind: 'counter',
    unit: '{decision}',
    description: 'Denials repeated',
    reads: 'denyCacheHits',
  },
  {
    of: 'limiter',
    name: 'macadam.ratelimit.store.away',
    kind: 'gauge',
    unit: '{store}',
    description: '1 while the shared store is not asked',
    reads: 'storeAway',
  },
  {
    of: 'limiter',
    name: 'macadam.ratelimit.store.commands',
    kind: 'counter',
    unit: '{command}',
    description: 'Commands sent to the store',
    reads: 'commands',
  },
  {
    of: 'limiter',
    name: 'macadam.ratelimit.keys',
    kind: 'gauge',
    unit: '{key}',
    description: 'Keys kept in memory',
    reads: 'keys',
  },
  {
    of: 'limiter',
    name: 'macadam.ratelimit.evictions',
    kind: 'counter',
    unit: '{key}',
    description: 'Keys forgotten before their time',
    reads: 'evictions',
  },
  {
    of: 'limiter',
    name: 'macadam.ratelimit.lease.borrowed',
    kind: 'counter',
    unit: '{token}',
    description: 'Tokens borrowed ahead',
    reads: 'tokensBorrowed',
  },
  {
    of: 'limiter',
    name: 'macadam.ratelimit.lease.spent',
    kind: 'counter',
    unit: '{token}',
    description: 'Borrowed tokens that were used',
    reads: 'tokensSpent',
  },
  {
    of: 'outbound',
    name: 'macadam.outbound.turns',
    kind: 'counter',
    unit: '{request}',
    description: 'Requests that wanted a turn, by what came of it',
    reads: [
      ['begun', { [OUTCOME]: 'begun' }],
      ['refused', { [OUTCOME]: 'refused' }],
      ['expired', { [OUTCOME]: 'expired' }],
    ],
  },
  {
    of: 'outbound',
    name: 'macadam.outbound.queued',
    kind: 'gauge',
    unit: '{request}',
    description: 'Requests that wait for a turn',
    reads: 'queued',
  },
  {
    of: 'outbound',
    name: 'macadam.outbound.throttled',
    kind: 'counter',
    unit: '{request}',
    description: 'Requests that a server refused',
    reads: 'throttled',
  },
  {
    of: 'outbound',
    name: 'macadam.outbound.paused',
    kind: 'gauge',
    unit: '{partition}',
    description: 'Partitions that are left alone',
    reads: 'paused',
  },
  {
    of: 'shaper',
    name: 'macadam.shaper.begun',
    kind: 'counter',
    unit: '{run}',
    description: 'Runs that had their turn',
    reads: 'begun',
  },
  {
    of: 'shaper',
    name: 'macadam.shaper.queued',
    kind: 'gauge',
    unit: '{run}',
    description: 'Runs that wait',
    reads: 'queued',
  },
  {
    of: 'shaper',
    name: 'macadam.shaper.refused',
    kind: 'counter',
    unit: '{run}',
    description: 'Runs refused at once',
    reads: 'refused',
  },
  {
    of: 'shaper',
    name: 'macadam.shaper.expired',
    kind: 'counter',
    unit: '{run}',
    description: 'Runs that waited in vain',
    reads: 'expired',
  },
  {
    of: 'shedder',
    name: 'macadam.shedder.limit',
    kind: 'gauge',
    unit: '{run}',
    description: 'The limit found',
    reads: 'limit',
  },
  {
    of: 'shedder',
    name: 'macadam.shedder.in_flight',
    kind: 'gauge',
    unit: '{run}',
    description: 'Runs at work',
    reads: 'inFlight',
  },
  {
    of: 'shedder',
    name: 'macadam.shedder.queued',
    kind: 'gauge',
    unit: '{run}',
    description: 'Runs that wait',
    reads: 'queued',
  },
  {
    of: 'shedder',
    name: 'macadam.shedder.served',
    kind: 'counter',
    unit: '{run}',
    description: 'Runs that had their turn',
    reads: 'served',
  },
  {
    of: 'shedder',
    name: 'macadam.shedder.shed',
    kind: 'counter',
    unit: '{run}',
    description: 'Runs refused, by reason',
    reads: [
      ['shedByPriority', { [OUTCOME]: 'priority' }],
      ['shedByFullQueue', { [OUTCOME]: 'full' }],
      ['shedByWait', { [OUTCOME]: 'wait' }],
    ],
  },
  {
    of: 'shedder',
    name: 'macadam.shedder.admitted_share',
    kind: 'gauge',
    unit: '1',
    description: 'Share of levels that are let in',
    reads: 'admittedShare',
  },
];

const counted = new PackageMetrics<Stats>({
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
  annotations: [
    ...(['rateLimiter', 'rateLimitPolicy', 'rateLimitRemaining', 'rateLimitOutcome', 'rateLimitDegraded'] as const),
    ...(['shedOutcome', 'shedQueueMs', 'outboundWaitMs'] as const),
  ],
  attributes: {
    [NAME]: { type: 'string', description: 'The `name` of the limiter, outbound limiter, shaper or shedder' },
    [OUTCOME]: { type: 'string', description: 'How it ended' },
    rateLimiter: { type: 'string', description: 'The limiter that denied, else the one that decided last' },
    rateLimitPolicy: { type: 'string', description: 'The limit of it that the decision names' },
    rateLimitRemaining: { type: 'double', description: 'What that limit had left' },
    rateLimitOutcome: { type: 'string', description: '`allowed`, `denied` or `shadowed`' },
    rateLimitDegraded: { type: 'boolean', description: 'Whether a decision was made without the shared store' },
    shedOutcome: { type: 'string', description: '`served`, or why the work was refused' },
    shedQueueMs: { type: 'double', description: 'How long the work waited for a place, in milliseconds' },
    outboundWaitMs: { type: 'double', description: 'Waits for turns to call others, in milliseconds, summed up' },
  },
};

/** Has `counting` read whenever a collector asks, for as long as it lives. */
export function observe(kind: Kind, name: string, counting: Counting): void {
  counted.observeAll(counting, () => [{ kind, name, stats: () => counting.stats() }]);
}
