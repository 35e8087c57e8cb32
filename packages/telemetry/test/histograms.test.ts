import type { Attributes, Meter } from '@opentelemetry/api';
import { diag, DiagLogLevel, metrics, ValueType } from '@opentelemetry/api';
import {
  AggregationTemporality,
  AggregationType,
  type HistogramMetricData,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { startTelemetry, type Telemetry } from '../src/node.ts';

const { CUMULATIVE, DELTA } = AggregationTemporality;
let running: Telemetry | undefined;
afterEach(async () => {
  await running?.close();
  running = undefined;
  diag.disable();
});

/** Metrics as `startTelemetry` sets them up. */
function ours(exporter: PushMetricExporter, maxSeries = 2_000) {
  const options = { exporter, intervalMs: 3_600_000, maxSeries };
  const telemetry = startTelemetry({ serviceName: 'orders', env: {}, metrics: options, runtimeMetrics: false });
  running = telemetry;
  return {
    meter: (...args: Parameters<typeof metrics.getMeter>) => metrics.getMeter(...args),
    flush: () => telemetry.flush(),
  };
}

/** The SDK alone. */
function theirs(exporter: PushMetricExporter, maxSeries = 2_000) {
  const limits = { cardinalityLimits: { default: maxSeries } };
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000, ...limits });
  const provider = new MeterProvider({ readers: [reader] });
  return {
    meter: (...args: Parameters<typeof metrics.getMeter>) => provider.getMeter(...args),
    flush: () => provider.forceFlush(),
    close: () => provider.shutdown(),
  };
}

/** The histograms of each export, without the times. */
function exported(exporter: InMemoryMetricExporter) {
  const exports = exporter.getMetrics().map(({ scopeMetrics }) =>
    scopeMetrics
      .flatMap(({ scope, metrics }) => metrics.map((metric) => ({ scope: scope.name, metric })))
      .filter(({ metric }) => metric.dataPoints.length > 0 && /^h\./i.test(metric.descriptor.name))
      .map(({ scope, metric }) => {
        const { descriptor, aggregationTemporality, dataPointType, dataPoints } = metric as HistogramMetricData;
        const { name, unit, description } = descriptor;
        const points = dataPoints.map(({ attributes, value }) => ({ attributes, value }));
        const byAttributes = points.map(
          (point) => [JSON.stringify(Object.entries(point.attributes).sort()), point] as const,
        );
        const sorted = Object.fromEntries(byAttributes);
        return { scope, name, unit, description, aggregationTemporality, dataPointType, points: sorted };
      })
      .sort((a, b) => (`${a.scope} ${a.name}` < `${b.scope} ${b.name}` ? -1 : 1)),
  );
  return exports.filter((histograms) => histograms.length > 0);
}

const recording = fc.record({
  scope: fc.constantFrom('a', 'b'),
  histogram: fc.constantFrom('h.plain', 'h.seconds', 'H.SECONDS', 'h.int', 'h.onebucket', 'h.unsorted'),
  value: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.constantFrom(0, 0.005, 5, 10, 7.5, 12_345, -1, Infinity)),
  attributes: fc.dictionary(
    fc.constantFrom('k', 'l', 'm'),
    fc.constantFrom<Attributes[string]>('x', 'y', '1', 1, 2, -0, 0, true, undefined, ['x'], '["x"]'),
  ),
});
const step = fc.oneof({ weight: 8, arbitrary: recording }, { weight: 1, arbitrary: fc.constant('flush' as const) });

function histogramOf(meter: Meter, name: string) {
  if (name === 'h.plain') return meter.createHistogram(name);
  if (name === 'h.int') return meter.createHistogram(name, { valueType: ValueType.INT });
  const advised = { 'h.onebucket': [], 'h.unsorted': [5, 1] }[name];
  if (advised !== undefined) return meter.createHistogram(name, { advice: { explicitBucketBoundaries: advised } });
  const advice = { explicitBucketBoundaries: [0.005, 5, 10] };
  return meter.createHistogram(name, { unit: 's', description: 'Seconds', advice });
}

describe('histograms', () => {
  it.each([
    ['cumulative', CUMULATIVE],
    ['delta', DELTA],
  ])('are exported like those of the SDK alone, %s', async (_, temporality) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const [exporter, expected] = [new InMemoryMetricExporter(temporality), new InMemoryMetricExporter(temporality)];
        const sdk = theirs(expected, 5);
        const own = ours(exporter, 5);
        try {
          for (const one of [...steps, 'flush' as const]) {
            if (one === 'flush') await Promise.all([own.flush(), sdk.flush()]);
            else
              for (const { meter } of [own, sdk])
                histogramOf(meter(one.scope), one.histogram).record(one.value, one.attributes);
          }
          expect(exported(exporter)).toEqual(exported(expected));
        } finally {
          await Promise.all([running?.close(), sdk.close()]);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('with the same name and unit are merged, with the longer description; those that differ in either are not', async () => {
    const [exporter, expected] = [new InMemoryMetricExporter(CUMULATIVE), new InMemoryMetricExporter(CUMULATIVE)];
    const sdk = theirs(expected);
    for (const { meter, flush } of [ours(exporter), sdk]) {
      const create = (name: string, unit: string, description: string): void =>
        meter('a').createHistogram(name, { unit, description }).record(1);
      create('h.a', 'b c', 'short');
      create('h.a', 'b c', 'a longer one');
      create('h.a', 'b c', '');
      create('h.a b', 'c', 'another');
      await flush();
    }
    expect(exported(exporter)).toEqual(exported(expected));
    await sdk.close();
  });

  it('have the start time of their first value (cumulative) or of the last export (delta)', async () => {
    for (const temporality of [CUMULATIVE, DELTA]) {
      const exporter = new InMemoryMetricExporter(temporality);
      const { meter, flush } = ours(exporter);
      const histogram = meter('a').createHistogram('h.a');
      for (const _ of [1, 2]) {
        histogram.record(1, { k: 'x' });
        await flush();
      }
      const [first, second] = exporter.getMetrics().map(({ scopeMetrics }) => {
        return scopeMetrics.flatMap(({ metrics }) => metrics).find(({ descriptor }) => descriptor.name === 'h.a')!
          .dataPoints[0]!;
      });
      expect(second!.startTime).toEqual(temporality === DELTA ? first!.endTime : first!.startTime);
      await running?.close();
    }
  });

  it('are left to the SDK if the exporter wants another aggregation', async () => {
    const exporter = Object.assign(new InMemoryMetricExporter(CUMULATIVE), {
      selectAggregation: () => ({ type: AggregationType.EXPONENTIAL_HISTOGRAM }) as const,
    });
    const { meter, flush } = ours(exporter);
    meter('a').createHistogram('h.a').record(3);
    await flush();
    const sent = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics));
    const { dataPoints } = sent.find(({ descriptor }) => descriptor.name === 'h.a')!;
    expect(dataPoints).toMatchObject([{ value: { count: 1, positive: expect.anything() } }]);
  });

  it('do not count values after shutdown', async () => {
    const exporter = new InMemoryMetricExporter(CUMULATIVE);
    const { meter } = ours(exporter);
    const histogram = meter('a').createHistogram('h.a');
    histogram.record(1);
    await running?.close();
    expect(exported(exporter).flat()).toMatchObject([{ name: 'h.a' }]);
    histogram.record(1);
    meter('a').createHistogram('h.b').record(1);
    expect(exported(exporter)).toHaveLength(1);
  });

  it('report invalid values with the name of the histogram', () => {
    const warn = vi.fn();
    diag.setLogger({ warn, error: warn, info() {}, debug() {}, verbose() {} }, DiagLogLevel.WARN);
    const { meter } = ours(new InMemoryMetricExporter(CUMULATIVE));
    const histogram = meter('a').createHistogram('h.a');
    histogram.record(-1);
    histogram.record('1' as never);
    expect(warn.mock.calls.flat().filter((message) => String(message).includes('h.a'))).toHaveLength(2);
  });
});
