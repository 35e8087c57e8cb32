/**
 * What this package tells a metrics collector. Limiters, outbound limiters, shapers and shedders count with plain integers; the numbers are
 * read when a collector asks, so that counting costs a decision nothing.
 */
import { PackageMetrics, type TelemetryDescription } from '@macadam/core';
import { createNoopMeter, metrics } from '@opentelemetry/api';
import { METRICS, NAME, OUTCOME, type Kind, type Stats } from './stats-metrics.ts';

/** Something that counts. */
export interface Counting {
  stats(): Stats;
}

const SCOPE = '@macadam/ratelimit';

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
