/**
 * The telemetry of this package. Limiters, outbound limiters, shapers and shedders count with plain integers, which are
 * read when a metrics collector asks, so that metrics add nothing to the time of a decision.
 */
import { PackageMetrics, type TelemetryDescription } from '@macadam/core';
import { createNoopMeter, metrics } from '@opentelemetry/api';
import { METRICS, NAME, OUTCOME, type Kind, type Stats } from './stats-metrics.ts';

/** An object with counts. */
export interface StatsSource {
  stats(): Stats;
}

const SCOPE = '@macadam/ratelimit';

const packageMetrics = new PackageMetrics<Stats>({
  scope: SCOPE,
  provider: () => metrics.getMeterProvider(),
  noop: createNoopMeter(),
  nameAttribute: NAME,
  stats: METRICS,
});

/** For the catalogue of the documentation. */
export const TELEMETRY: TelemetryDescription = {
  scope: SCOPE,
  metrics: packageMetrics.descriptions,
  annotations: [
    ...(['rateLimiter', 'rateLimitPolicy', 'rateLimitRemaining', 'rateLimitOutcome', 'rateLimitDegraded'] as const),
    ...(['shedOutcome', 'shedQueueMs', 'outboundWaitMs'] as const),
  ],
  attributes: {
    [NAME]: { type: 'string', description: 'The `name` of the limiter, outbound limiter, shaper or shedder' },
    [OUTCOME]: { type: 'string', description: 'The outcome' },
    rateLimiter: { type: 'string', description: 'The limiter that denied, else the one that decided last' },
    rateLimitPolicy: { type: 'string', description: 'The limit that the decision names' },
    rateLimitRemaining: { type: 'double', description: 'What that limit had left' },
    rateLimitOutcome: { type: 'string', description: '`allowed`, `denied` or `shadowed`' },
    rateLimitDegraded: { type: 'boolean', description: 'Whether a decision was made without the shared store' },
    shedOutcome: { type: 'string', description: '`served`, or why the work was rejected' },
    shedQueueMs: { type: 'double', description: 'How long the work waited for a place, in milliseconds' },
    outboundWaitMs: { type: 'double', description: 'Total wait for turns of outbound limiters, in milliseconds' },
  },
};

/** Reports the stats of `source` to metrics collectors for as long as it lives; it is held weakly. */
export function observe(kind: Kind, name: string, source: StatsSource): void {
  packageMetrics.observeAll(source, () => [{ kind, name, stats: () => source.stats() }]);
}
