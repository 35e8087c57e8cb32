/** The metrics, spans, log lines and attributes that this package emits on its own, with unit and meaning. */
import type { MetricDescription, TelemetryDescription } from '@macadam/core';
import type { Meter, Observable } from '@opentelemetry/api';
import { lineTotals } from './line-totals.ts';

type DelayStatistic = 'min' | 'max' | 'mean' | 'stddev' | 'p50' | 'p90' | 'p99';

/** The statistics of event-loop delay that are measured. */
export const DELAY_STATISTICS: readonly DelayStatistic[] = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'];

/** Kinds of garbage collections. */
export const GC_TYPES = ['major', 'minor', 'incremental', 'weakcb', 'other'] as const;

function metric(
  kind: MetricDescription['kind'],
  name: string,
  unit: string,
  description: string,
  attributes: MetricDescription['attributes'] = {},
): MetricDescription {
  return { name, kind, unit, description, attributes };
}

const heapSpaces = { 'v8js.heap.space.name': 'the spaces of V8, about a dozen' };

type MetricKey = 'linesDropped' | 'valuesCut' | 'utilization' | 'heapUsed' | 'heapLimit' | 'collections';

/** Metrics by their key in the code. Those of the process are named by OpenTelemetry's semantic conventions. */
export const METRICS: Readonly<Record<MetricKey, MetricDescription>> = {
  linesDropped: metric('counter', 'macadam.log.lines.dropped', '{line}', 'Log lines that no destination took'),
  valuesCut: metric('counter', 'macadam.log.values.cut', '{value}', 'Values that were cut to the limits of a log line'),
  utilization: metric('gauge', 'nodejs.eventloop.utilization', '1', 'Share of the time the event loop was busy'),
  heapUsed: metric('upDownCounter', 'v8js.memory.heap.used', 'By', 'Heap in use, by space', heapSpaces),
  heapLimit: metric('upDownCounter', 'v8js.memory.heap.limit', 'By', 'Heap reserved, by space', heapSpaces),
  collections: metric('histogram', 'v8js.gc.duration', 's', 'Duration of garbage collections, by kind', {
    'v8js.gc.type': GC_TYPES,
  }),
};

/** Metrics of event-loop delay, one for each of {@link DELAY_STATISTICS}. */
export const DELAY_METRICS: readonly MetricDescription[] = DELAY_STATISTICS.map((statistic) =>
  metric(
    'gauge',
    `nodejs.eventloop.delay.${statistic}`,
    's',
    `Event loop delay since the last collection, ${statistic}`,
  ),
);

/** For the catalogue of the documentation. */
export const TELEMETRY: TelemetryDescription = {
  scope: '@macadam/telemetry',
  metrics: [...Object.values(METRICS), ...DELAY_METRICS],
  spans: [
    {
      name: '{name}',
      kind: 'INTERNAL',
      description: 'What `withSpan` runs; an error is its event `exception`, a refused caller its `error.type` alone',
      attributes: ['error.type', 'exception.type', 'exception.message', 'exception.stacktrace'],
    },
  ],
  events: [
    {
      name: '{name}',
      level: 'info',
      description:
        'The canonical line of `withCanonicalLine`: `warn` when it was refused or aborted, `error` when it failed',
      attributes: ['event', 'outcome', 'durationMs', 'priority', 'tenant', 'slow', 'sampleRate', 'err', 'fieldsError'],
    },
    {
      name: 'log lines were dropped',
      level: 'warn',
      description: 'The destination takes lines again after some were dropped',
      attributes: ['dropped'],
    },
  ],
  attributes: {
    'v8js.heap.space.name': { type: 'string', description: 'A space of the heap' },
    'v8js.gc.type': { type: 'string', description: 'The kind of the garbage collection' },
    'error.type': { type: 'string', description: 'The code of the error, else its class' },
    'exception.type': { type: 'string', description: 'The code of the error, else its class' },
    'exception.message': { type: 'string', description: 'Its message without credentials' },
    'exception.stacktrace': { type: 'string', description: 'Its stack without credentials' },
    event: { type: 'string', description: 'The name of the work' },
    outcome: { type: 'string', description: '`ok`, `error`, `refused`, `aborted` or `timeout`' },
    durationMs: { type: 'double', description: 'How long the work took, in milliseconds' },
    priority: { type: 'string', description: 'The priority of the work' },
    tenant: { type: 'string', description: 'The tenant of the work, when it has one' },
    slow: { type: 'boolean', description: 'Whether it took at least `slowerThanMs`' },
    sampleRate: { type: 'double', description: 'The share of such lines that are kept, when some are not' },
    err: { type: 'string', description: 'The error, as an object, when the outcome is not `ok`' },
    fieldsError: { type: 'string', description: 'What the hook `fields` threw, as an object' },
    dropped: { type: 'int', description: 'How many lines' },
  },
};

/** Creates an instrument that is read at each collection. */
export function createObservable(meter: Meter, { name, kind, unit, description }: MetricDescription): Observable {
  if (kind === 'gauge') return meter.createObservableGauge(name, { unit, description });
  if (kind === 'counter') return meter.createObservableCounter(name, { unit, description });
  return meter.createObservableUpDownCounter(name, { unit, description });
}

/** Registers the metrics of all loggers of the process. Returns a function that unregisters them. */
export function observeLogs(meter: Meter): () => void {
  const dropped = createObservable(meter, METRICS.linesDropped);
  const cut = createObservable(meter, METRICS.valuesCut);
  const both = [dropped, cut];
  const read = (result: { observe(metric: Observable, value: number): void }): void => {
    result.observe(dropped, lineTotals.dropped);
    result.observe(cut, lineTotals.cut);
  };
  meter.addBatchObservableCallback(read, both);
  return () => meter.removeBatchObservableCallback(read, both);
}
