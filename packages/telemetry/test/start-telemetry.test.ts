import { createCache } from '@macadam/cache';
import { metrics, propagation, trace } from '@opentelemetry/api';
import { InMemorySpanExporter } from '@opentelemetry/sdk-trace';
import { InMemoryLogRecordExporter } from '@opentelemetry/sdk-logs';
import { AggregationTemporality, InMemoryMetricExporter } from '@opentelemetry/sdk-metrics';
import { afterEach, describe, expect, it } from 'vitest';
import { createLogger, injectTrace, withSpan } from '../src/index.ts';
import { otlpTarget } from '../src/node/otlp-target.ts';
import { otelLogs, startTelemetry, type Telemetry, type TelemetryOptions } from '../src/node.ts';
import { capture } from './capture.ts';
import { metricsOf, spansOf, startCollector, type Collector } from './collector.ts';

const CANARY = 'C4nary-s3cret-value';
const open: (Telemetry | Collector)[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

const start = (options: Partial<TelemetryOptions>): Telemetry => {
  const telemetry = startTelemetry({ serviceName: 'orders', env: {}, ...options });
  open.push(telemetry);
  return telemetry;
};

describe('startTelemetry', () => {
  it('registers nothing when nothing is configured', () => {
    const telemetry = start({});
    expect(telemetry.enabled).toBe(false);
    expect(telemetry.describe()).toContain('sends nothing');
    expect(trace.getTracer('x').startSpan('x').isRecording()).toBe(false);
    const headers = injectTrace({});
    propagation.inject({} as never, headers);
    expect(headers).toEqual({});
  });

  it.each([
    [{ OTEL_SDK_DISABLED: 'true' }],
    [{ OTEL_TRACES_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none' }],
  ])('registers nothing with %j, despite an endpoint', (env) => {
    expect(start({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', ...env } }).enabled).toBe(false);
  });

  it('sends one trace, metrics in seconds and log lines with the same ids to an OTLP collector', async () => {
    const collector = await startCollector();
    open.push(collector);
    const warnings: string[] = [];
    const telemetry = start({
      serviceVersion: '1.2.3',
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/`,
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
        OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=a%20b',
      },
      onWarning: (warning) => warnings.push(warning),
    });
    const stdout: string[] = [];
    const log = createLogger({ name: 'orders', destination: otelLogs({ write: (line) => void stdout.push(line) }) });
    await withSpan('orders.place', { attributes: { plan: 'pro', token: CANARY } }, async () => {
      log.info({ orderId: 17, password: CANARY }, 'placed');
      const failing = withSpan('orders.pay', async () => {
        await Promise.resolve();
        throw Object.assign(new Error(`declined, token=${CANARY}`), { code: 'E_DECLINED' });
      });
      await expect(failing).rejects.toThrow('declined');
    });
    await telemetry.shutdown();

    const [pay, place] = spansOf(collector);
    expect(place).toMatchObject({ name: 'orders.place' });
    expect(pay).toMatchObject({
      name: 'orders.pay',
      traceId: place!.traceId,
      parentSpanId: place!.spanId,
      status: { code: 2 },
    });
    expect(pay!.attributes).toContainEqual({ key: 'error.type', value: { stringValue: 'E_DECLINED' } });
    const line = JSON.parse(stdout[0]!) as Record<string, unknown>;
    expect(line).toMatchObject({ trace_id: place!.traceId, span_id: place!.spanId, orderId: 17 });
    const logged = collector.received.find(({ path }) => path === '/v1/logs')!;
    expect(JSON.stringify(logged.body)).toContain(`"traceId":"${place!.traceId}"`);
    expect(JSON.stringify(logged.body)).toContain('"severityText":"INFO"');
    // They are in the record itself, and so no attributes.
    expect(JSON.stringify(logged.body)).not.toMatch(/trace_flags|trace_id/);
    expect(logged.headers['x-tenant']).toBe('a b');
    const sent = metricsOf(collector);
    const names = sent.map(({ name }) => name);
    for (const name of ['nodejs.eventloop.utilization', 'v8js.memory.heap.used', 'macadam.log.lines.dropped']) {
      expect(names).toContain(name);
    }
    expect(sent.filter(({ name }) => /duration|delay/.test(name)).every(({ unit }) => unit === 's')).toBe(true);
    expect(collector.text()).toContain('"service.version"');
    expect(collector.text()).not.toContain(CANARY);
    expect(collector.text()).not.toContain('process.command');
    expect(warnings).toEqual([]);
    expect(telemetry.describe()).toContain('traces (100 % of new ones)');
  });

  it('T31: exports the spans, logs and metrics that are created during shutdown', async () => {
    const spans = new InMemorySpanExporter();
    const records = new InMemoryLogRecordExporter();
    const measured = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const exported: string[] = [];
    const order = <E extends { shutdown(): Promise<void> }>(name: string, exporter: E): E => {
      const shutdown = exporter.shutdown.bind(exporter);
      exporter.shutdown = () => {
        exported.push(name);
        return shutdown();
      };
      return exporter;
    };
    let seen = 0;
    const exportSpans = spans.export.bind(spans);
    spans.export = (batch, done) => {
      seen += batch.length;
      exportSpans(batch, done);
    };
    const telemetry = start({
      traces: { exporter: order('traces', spans) },
      logs: { exporter: order('logs', records) },
      metrics: { exporter: order('metrics', measured) },
    });
    const span = trace.getTracer('x').startSpan('late');
    metrics.getMeter('x').createCounter('late').add(1);
    span.end();
    await Promise.all([telemetry.shutdown(), telemetry.shutdown()]);
    expect(seen).toBe(1);
    expect(exported).toEqual(['traces', 'logs', 'metrics']);
    expect(trace.getTracer('x').startSpan('after').isRecording()).toBe(false);
  });

  it('shuts down within its time limit if the collector hangs, and warns', async () => {
    const collector = await startCollector({ hang: true });
    open.push(collector);
    const warnings: string[] = [];
    const telemetry = start({
      env: {
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/v1/traces`,
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      },
      shutdownTimeoutMs: 300,
      onWarning: (warning) => warnings.push(warning),
    });
    withSpan('x', () => undefined);
    await telemetry.shutdown();
    expect(warnings).toEqual([expect.stringContaining('was not sent within 300 ms')]);
  });

  it('reads the metrics of objects created before it, such as a cache at module level', async () => {
    const early = createCache<number>({ name: 'early' });
    await early.getOrLoad('a', () => 1);
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const telemetry = start({ metrics: { exporter }, traces: false, logs: false, runtimeMetrics: false });
    await telemetry.flush();
    const found = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
    const loads = found.find(({ descriptor }) => descriptor.name === 'macadam.cache.loads');
    expect(loads?.dataPoints).toMatchObject([{ value: 1, attributes: { 'macadam.cache.name': 'early' } }]);
    await early.close();
  });

  it('T24: limits the series of an instrument with a hundred thousand attribute values', async () => {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const telemetry = start({
      metrics: { exporter, maxSeries: 100 },
      traces: false,
      logs: false,
      runtimeMetrics: false,
    });
    const counter = metrics.getMeter('x').createCounter('logins');
    for (let i = 0; i < 100_000; i++) counter.add(1, { user: `u${i}` });
    await telemetry.flush();
    const found = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
    const points = found.find(({ descriptor }) => descriptor.name === 'logins')!.dataPoints;
    expect(points.length).toBeLessThanOrEqual(100);
    expect(points.reduce((sum, { value }) => sum + (value as number), 0)).toBe(100_000);
  });

  it('samples by the option, else by the variable, and follows the decision of a parent', async () => {
    const recorded = (options: Partial<TelemetryOptions>): boolean => {
      const telemetry = start({ metrics: false, logs: false, ...options });
      const recording = trace.getTracer('x').startSpan('x').isRecording();
      void telemetry.shutdown();
      return recording;
    };
    const exporter = new InMemorySpanExporter();
    expect(recorded({ traces: { exporter, sampleRatio: 0 }, env: { OTEL_TRACES_SAMPLER: 'always_on' } })).toBe(false);
    await open.splice(0)[0]!.close();
    expect(recorded({ traces: { exporter }, env: { OTEL_TRACES_SAMPLER: 'always_off' } })).toBe(false);
    await open.splice(0)[0]!.close();
    expect(recorded({ traces: { exporter }, env: { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio' } })).toBe(true);
  });

  it('warns if another SDK was registered first', () => {
    const warnings: string[] = [];
    start({ traces: { exporter: new InMemorySpanExporter() } });
    start({ traces: { exporter: new InMemorySpanExporter() }, onWarning: (warning) => warnings.push(warning) });
    expect(warnings).toEqual([
      expect.stringContaining('Another OpenTelemetry SDK is registered for traces'),
      expect.stringContaining('propagator is registered already'),
    ]);
  });

  it('keeps the propagator of the SDK that was registered first', async () => {
    start({ traces: { exporter: new InMemorySpanExporter() } });
    await start({ traces: { exporter: new InMemorySpanExporter() } }).shutdown();
    expect(propagation.fields()).toContain('traceparent');
  });

  it('shuts down although onWarning throws', async () => {
    const exporter = { export: () => {}, shutdown: () => Promise.reject(new Error('no')) };
    const onWarning = (): never => {
      throw new Error('not told');
    };
    const telemetry = start({ traces: { exporter: exporter as never }, onWarning });
    await expect(telemetry.shutdown()).resolves.toBeUndefined();
  });

  it('uses the protocol for all signals if that of one signal is empty', () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: '' };
    expect(otlpTarget('traces', { ...env, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' })?.protocol).toBe('http/json');
  });

  it.each([
    [{ serviceName: '' }, 'startTelemetry.serviceName'],
    [{ clock: 5 }, 'startTelemetry.clock'],
    [{ env: 5 }, 'startTelemetry.env'],
    [{ resource: { zone: { name: 'a' } } }, 'startTelemetry.resource.zone'],
    [{ traces: { exporter: 'console' } }, 'startTelemetry.traces.exporter'],
    [{ metrics: { exporter: {} } }, 'startTelemetry.metrics.exporter'],
    [{ logs: { exporter: {} } }, 'startTelemetry.logs.exporter'],
    [{ env: { OTEL_SDK_DISABLED: '1' } }, 'OTEL_SDK_DISABLED'],
    [{ sampling: 1 }, 'startTelemetry.sampling'],
    [{ traces: { sampleRatio: 2 } }, 'startTelemetry.traces.sampleRatio'],
    [{ metrics: { intervalMs: 0 } }, 'startTelemetry.metrics.intervalMs'],
    [{ env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'nonsense' } }, 'OTEL_EXPORTER_OTLP_ENDPOINT'],
    [
      { env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://h', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' } },
      'OTEL_EXPORTER_OTLP_PROTOCOL',
    ],
    [{ env: { OTEL_TRACES_EXPORTER: 'zipkin' } }, 'OTEL_TRACES_EXPORTER'],
    [
      { env: { OTEL_TRACES_SAMPLER: 'sometimes' }, traces: { exporter: new InMemorySpanExporter() } },
      'OTEL_TRACES_SAMPLER',
    ],
  ])('refuses %o', (options, path) => {
    expect(() => startTelemetry({ serviceName: 'orders', env: {}, ...options } as never)).toThrow(
      expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path }),
    );
  });
});

describe('withSpan without an SDK', () => {
  it('throws if the function is missing', () => {
    expect(() => withSpan('x', undefined as never)).toThrow(expect.objectContaining({ path: 'withSpan.fn' }));
    expect(() => withSpan('x', {}, undefined as never)).toThrow(expect.objectContaining({ path: 'withSpan.fn' }));
    expect(() => withSpan('x', undefined as never, () => 1)).toThrow(expect.objectContaining({ path: 'withSpan' }));
  });

  it('runs a sync or async function, and returns or throws what it does', async () => {
    expect(withSpan('x', () => 1)).toBe(1);
    expect(await withSpan('x', { attributes: { a: 1 } }, async (span) => span.isRecording())).toBe(false);
    const error = new Error('x');
    expect(() =>
      withSpan('x', () => {
        throw error;
      }),
    ).toThrow(error);
    await expect(withSpan('x', () => Promise.reject(error))).rejects.toBe(error);
    const { log, last } = capture();
    withSpan('x', () => log.info('x'));
    expect(last()).not.toHaveProperty('trace_id');
  });
});
