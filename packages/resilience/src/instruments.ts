/**
 * The telemetry of this package. Policies count with plain integers, which are read when a metrics collector asks, so that
 * metrics add nothing to the time of a call.
 */
import { PackageMetrics, type StatsMetric, type TelemetryDescription } from '@macadam/core';
import { createNoopMeter, metrics } from '@opentelemetry/api';
import type { PolicyKind, PolicyStats } from './policy.ts';

/** The part of a policy that metrics read. */
export interface Observed {
  readonly kind: PolicyKind;
  stats(): PolicyStats;
}

/** Returns the policies to read, with their names. */
export type Observe = () => Iterable<readonly [name: string, policy: Observed]>;

const SCOPE = '@macadam/resilience';
const NAME = 'macadam.policy.name';
const OUTCOME = 'macadam.outcome';
const STATES: readonly string[] = ['closed', 'halfOpen', 'open', 'isolated'];

const METRICS: readonly (StatsMetric<PolicyStats> & { readonly of: PolicyKind })[] = [
  {
    of: 'circuitBreaker',
    name: 'macadam.circuit_breaker.state',
    kind: 'gauge',
    unit: '{state}',
    description: '0 closed, 1 half open, 2 open, 3 isolated',
    reads: (stats) => STATES.indexOf(String(stats['state'])),
    merge: 'max',
  },
  {
    of: 'circuitBreaker',
    name: 'macadam.circuit_breaker.calls',
    kind: 'counter',
    unit: '{call}',
    description: 'Calls by outcome',
    reads: [
      ['successes', { [OUTCOME]: 'success' }],
      ['failures', { [OUTCOME]: 'failure' }],
      ['neutral', { [OUTCOME]: 'neutral' }],
      ['rejected', { [OUTCOME]: 'rejected' }],
    ],
  },
  {
    of: 'circuitBreaker',
    name: 'macadam.circuit_breaker.opens',
    kind: 'counter',
    unit: '{open}',
    description: 'How often it opened',
    reads: 'opens',
  },
  {
    of: 'retry',
    name: 'macadam.retry.calls',
    kind: 'counter',
    unit: '{call}',
    description: 'Calls under a retry',
    reads: 'calls',
  },
  {
    of: 'retry',
    name: 'macadam.retry.retries',
    kind: 'counter',
    unit: '{attempt}',
    description: 'Attempts after the first',
    reads: 'retries',
  },
  {
    of: 'timeout',
    name: 'macadam.timeout.timeouts',
    kind: 'counter',
    unit: '{call}',
    description: 'Calls and attempts that timed out',
    reads: 'timedOut',
  },
  {
    of: 'hedge',
    name: 'macadam.hedge.hedges',
    kind: 'counter',
    unit: '{attempt}',
    description: 'Extra attempts sent',
    reads: 'hedges',
  },
  {
    of: 'hedge',
    name: 'macadam.hedge.wins',
    kind: 'counter',
    unit: '{attempt}',
    description: 'Hedges that succeeded first',
    reads: 'wins',
  },
  {
    of: 'hedge',
    name: 'macadam.hedge.refused',
    kind: 'counter',
    unit: '{attempt}',
    description: 'Hedges that the budget did not allow',
    reads: 'refused',
  },
  {
    of: 'bulkhead',
    name: 'macadam.bulkhead.in_flight',
    kind: 'gauge',
    unit: '{call}',
    description: 'Calls in flight',
    reads: 'inFlight',
  },
  {
    of: 'bulkhead',
    name: 'macadam.bulkhead.queued',
    kind: 'gauge',
    unit: '{call}',
    description: 'Calls in the queue',
    reads: 'queued',
  },
  {
    of: 'bulkhead',
    name: 'macadam.bulkhead.rejected',
    kind: 'counter',
    unit: '{call}',
    description: 'Calls rejected because the queue was full',
    reads: 'rejected',
  },
  {
    of: 'bulkhead',
    name: 'macadam.bulkhead.timeouts',
    kind: 'counter',
    unit: '{call}',
    description: 'Queued calls that were not admitted in time',
    reads: 'timedOut',
  },
  {
    of: 'adaptiveConcurrency',
    name: 'macadam.adaptive_concurrency.limit',
    kind: 'gauge',
    unit: '{call}',
    description: 'The current limit of concurrent calls',
    reads: 'limit',
  },
  {
    of: 'adaptiveConcurrency',
    name: 'macadam.adaptive_concurrency.in_flight',
    kind: 'gauge',
    unit: '{call}',
    description: 'Calls in flight',
    reads: 'inFlight',
  },
  {
    of: 'adaptiveConcurrency',
    name: 'macadam.adaptive_concurrency.rejected',
    kind: 'counter',
    unit: '{call}',
    description: 'Calls rejected above the limit',
    reads: 'rejected',
  },
  {
    of: 'fallback',
    name: 'macadam.fallback.used',
    kind: 'counter',
    unit: '{call}',
    description: 'Outcomes that were replaced',
    reads: 'used',
  },
];

const counted = new PackageMetrics<PolicyStats>({
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
    [NAME]: { type: 'string', description: 'The `name` of the policy, or of the pipeline it is part of' },
    [OUTCOME]: { type: 'string', description: 'How it ended' },
  },
};

/**
 * Reports the stats of the policies that `reader` returns to metrics collectors for as long as `owner` lives. Of several
 * breakers with one name, the worst state is reported.
 */
export function observe(owner: object, reader: Observe): void {
  counted.observeAll(owner, () =>
    Array.from(reader(), ([name, policy]) => ({ kind: policy.kind, name, stats: () => policy.stats() })),
  );
}
