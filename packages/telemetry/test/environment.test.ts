// Every variable of the OpenTelemetry specification is applied, refused or reported as not read. None is silently ignored.
import { context, propagation, ROOT_CONTEXT, trace, TraceFlags } from '@opentelemetry/api';
import { InMemoryLogRecordExporter } from '@opentelemetry/sdk-logs';
import { AggregationTemporality, InMemoryMetricExporter } from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter } from '@opentelemetry/sdk-trace';
import { metrics } from '@opentelemetry/api';
import { afterEach, describe, expect, it } from 'vitest';
import { createLogger, withSpan } from '../src/index.ts';
import { otelLogs, startTelemetry, type Telemetry, type TelemetryOptions } from '../src/node.ts';
import { unreadVariables } from '../src/node/unread-variables.ts';
import { type Collector, metricsOf, startCollector } from './collector.ts';

const open: (Telemetry | Collector)[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

const ENDPOINT = 'http://127.0.0.1:1';
const SIGNALS = ['TRACES', 'METRICS', 'LOGS'] as const;

function start(env: Record<string, string>, options: Partial<TelemetryOptions> = {}) {
  const warnings: string[] = [];
  const onWarning = (warning: string): void => void warnings.push(warning);
  const telemetry = startTelemetry({ serviceName: 'orders', env, onWarning, ...options });
  open.push(telemetry);
  return { telemetry, warnings };
}

describe('startTelemetry refuses a wrong value of', () => {
  it.each([
    ['OTEL_SDK_DISABLED', '1'],
    ['OTEL_RESOURCE_ATTRIBUTES', 'team'],
    ['OTEL_TRACES_SAMPLER', 'xray'],
    ...SIGNALS.map((signal) => [`OTEL_${signal}_EXPORTER`, 'console']),
    ...['', ...SIGNALS.map((signal) => `${signal}_`)].flatMap((signal) => [
      [`OTEL_EXPORTER_OTLP_${signal}ENDPOINT`, 'collector:4317'],
      [`OTEL_EXPORTER_OTLP_${signal}PROTOCOL`, 'grpc'],
      [`OTEL_EXPORTER_OTLP_${signal}HEADERS`, 'a'],
      [`OTEL_EXPORTER_OTLP_${signal}TIMEOUT`, '10s'],
      [`OTEL_EXPORTER_OTLP_${signal}COMPRESSION`, 'zstd'],
      [`OTEL_EXPORTER_OTLP_${signal}CERTIFICATE`, '/nowhere.pem'],
      [`OTEL_EXPORTER_OTLP_${signal}CLIENT_CERTIFICATE`, '/nowhere.pem'],
      [`OTEL_EXPORTER_OTLP_${signal}CLIENT_KEY`, '/nowhere.pem'],
    ]),
    ['OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE', 'gauge'],
    ['OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION', 'tdigest'],
    ...['BSP', 'BLRP'].flatMap((processor) => [
      [`OTEL_${processor}_SCHEDULE_DELAY`, '-1'],
      [`OTEL_${processor}_EXPORT_TIMEOUT`, '5s'],
      [`OTEL_${processor}_MAX_QUEUE_SIZE`, '0'],
      [`OTEL_${processor}_MAX_EXPORT_BATCH_SIZE`, '2049'],
    ]),
    ...['', 'SPAN_', 'LOGRECORD_'].flatMap((kind) => [
      [`OTEL_${kind}ATTRIBUTE_VALUE_LENGTH_LIMIT`, 'none'],
      [`OTEL_${kind}ATTRIBUTE_COUNT_LIMIT`, '1.5'],
    ]),
    ...['SPAN_EVENT', 'SPAN_LINK', 'EVENT_ATTRIBUTE', 'LINK_ATTRIBUTE'].map((what) => [
      `OTEL_${what}_COUNT_LIMIT`,
      '-1',
    ]),
    ['OTEL_METRIC_EXPORT_INTERVAL', '0'],
    ['OTEL_METRIC_EXPORT_TIMEOUT', 'soon'],
  ])('%s', (name, value) => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: ENDPOINT, [name!]: value! };
    expect(() => startTelemetry({ serviceName: 'orders', env })).toThrow(
      expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path: name }),
    );
    expect(unreadVariables(env)).toEqual([]);
    expect(trace.getTracer('x').startSpan('x').isRecording()).toBe(false);
  });
});

it('warns at the start about variables it does not read: other exporters, features that are not built in, misspelt names', () => {
  const unread = {
    OTEL_CONFIG_FILE: 'otel.yaml',
    OTEL_EXPERIMENTAL_CONFIG_FILE: 'otel.yaml',
    OTEL_EXPORTER_OTLP_ENPOINT: 'http://collector',
    OTEL_EXPORTER_OTLP_INSECURE: 'true',
    OTEL_EXPORTER_PROMETHEUS_PORT: '9464',
    OTEL_EXPORTER_ZIPKIN_ENDPOINT: 'http://zipkin',
    OTEL_LOG_LEVEL: 'debug',
    OTEL_METRICS_EXEMPLAR_FILTER: 'always_on',
    OTEL_RESOURCE_ATTRIBUTE: 'a=b',
  };
  const others = {
    OTEL_NODE_ENABLED_INSTRUMENTATIONS: 'http',
    OTEL_RESOURCE_ATTRIBUTES_POD_NAME: 'orders-1',
    OTEL_SEMCONV_STABILITY_OPT_IN: 'http',
    OTEL_SERVICE_NAME: 'x',
    OTEL_TRACES_SAMPLER_ARG: '',
    OTEL_LOGS_EXPORTER: 'none',
  };
  const { warnings, telemetry } = start({ ...unread, ...others, OTEL_METRICS_EXPORTER: '' });
  expect(telemetry.enabled).toBe(false);
  expect(warnings).toEqual([
    `These environment variables are not supported and have no effect: ${Object.keys(unread).sort().join(', ')}.`,
  ]);
});

it('sends nothing with OTEL_SDK_DISABLED, and ignores all other variables, also invalid ones', () => {
  const env = {
    OTEL_SDK_DISABLED: 'true',
    OTEL_PROPAGATORS: 'b3',
    OTEL_TRACES_EXPORTER: 'zipkin',
    OTEL_LOG_LEVEL: 'debug',
  };
  const { telemetry, warnings } = start(env);
  expect(telemetry.enabled).toBe(false);
  expect(telemetry.describe()).toBe('sends nothing: OTEL_SDK_DISABLED is true');
  expect(warnings).toEqual([]);
});

describe('OTEL_PROPAGATORS', () => {
  const parent = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', traceFlags: 1 };
  const traced = trace.setSpanContext(ROOT_CONTEXT, parent);
  const from = propagation.setBaggage(traced, propagation.createBaggage({ plan: { value: 'pro' } }));

  it.each([
    ['', ['traceparent', 'baggage']],
    ['tracecontext', ['traceparent']],
    ['baggage, baggage', ['baggage']],
    ['tracecontext,', ['traceparent']],
    ['none', []],
  ])('%j', (value, expected) => {
    const { warnings } = start({ OTEL_PROPAGATORS: value }, { traces: { exporter: new InMemorySpanExporter() } });
    const headers: Record<string, string> = {};
    propagation.inject(from, headers);
    expect(Object.keys(headers)).toEqual(expected);
    const all = { traceparent: `00-${parent.traceId}-${parent.spanId}-01`, baggage: 'plan=pro' };
    const extracted = propagation.extract(ROOT_CONTEXT, all);
    expect(trace.getSpanContext(extracted) !== undefined).toBe(expected.includes('traceparent'));
    expect(propagation.getBaggage(extracted) !== undefined).toBe(expected.includes('baggage'));
    expect(warnings).toEqual([]);
  });

  it('warns about a propagator that is not built in, and uses the others', () => {
    const { warnings } = start(
      { OTEL_PROPAGATORS: 'tracecontext,b3' },
      { traces: { exporter: new InMemorySpanExporter() } },
    );
    expect(propagation.fields()).toEqual(['traceparent', 'tracestate']);
    expect(warnings).toEqual([
      'These environment variables are not supported and have no effect: OTEL_PROPAGATORS=b3.',
    ]);
  });
});

it.each([
  ['always_off', false],
  ['parentbased_always_off', true],
  ['always_on', true],
])('OTEL_TRACES_SAMPLER %s of a parent that is sampled: %s', (sampler, recorded) => {
  start({ OTEL_TRACES_SAMPLER: sampler }, { traces: { exporter: new InMemorySpanExporter() } });
  const parent = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', isRemote: true };
  const from = trace.setSpanContext(ROOT_CONTEXT, { ...parent, traceFlags: TraceFlags.SAMPLED });
  expect(trace.getTracer('x').startSpan('x', {}, from).isRecording()).toBe(recorded);
});

it('applies the limits of spans and log records, which take precedence over the general limits', async () => {
  const spans = new InMemorySpanExporter();
  const records = new InMemoryLogRecordExporter();
  const env = {
    OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT: '5',
    OTEL_ATTRIBUTE_COUNT_LIMIT: '3',
    OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: '2',
    OTEL_SPAN_EVENT_COUNT_LIMIT: '1',
    OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT: '1',
  };
  const { telemetry } = start(env, { traces: { exporter: spans }, logs: { exporter: records } });
  const span = trace.getTracer('x').startSpan('x', { attributes: { a: '1234567', b: 1, c: 1 } });
  span.addEvent('one', { a: 1, b: 1 });
  span.addEvent('two', { a: 1, b: 1 });
  span.end();
  createLogger({ destination: otelLogs() }).info({ a: '1234567', b: 1, c: 1, d: 1 });
  await telemetry.flush();
  const [sent] = spans.getFinishedSpans();
  expect(sent).toMatchObject({ attributes: { a: '12345', b: 1 }, events: [{ name: 'two', attributes: { a: 1 } }] });
  expect(records.getFinishedLogRecords()[0]?.attributes).toEqual({ a: '12345', b: 1, c: 1 });
});

it('sends OTEL_RESOURCE_ATTRIBUTES of the env option with all signals', async () => {
  const spans = new InMemorySpanExporter();
  const env = { OTEL_RESOURCE_ATTRIBUTES: 'team=a%2Cb,service.version=2, k8s.pod.name = p ,', OTEL_SERVICE_NAME: 'x' };
  const { telemetry } = start(env, { traces: { exporter: spans }, serviceVersion: '3' });
  withSpan('x', () => undefined);
  await telemetry.flush();
  expect(spans.getFinishedSpans()[0]?.resource.attributes).toMatchObject({
    team: 'a,b',
    'k8s.pod.name': 'p',
    'service.version': '3',
    'service.name': 'orders',
  });
});

it('sends metrics with the temporality and the histogram aggregation of the environment', async () => {
  const collector = await startCollector();
  open.push(collector);
  const { telemetry } = start({
    OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${collector.url}/v1/metrics`,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'Delta',
    OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION: 'base2_exponential_bucket_histogram',
  });
  metrics.getMeter('x').createCounter('calls').add(1);
  metrics.getMeter('x').createUpDownCounter('open').add(1);
  metrics.getMeter('x').createHistogram('took').record(1);
  await telemetry.flush();
  const found = Object.fromEntries(metricsOf(collector).map((metric) => [metric.name, metric]));
  expect(found['calls']).toMatchObject({ sum: { aggregationTemporality: 1 } });
  expect(found['open']).toMatchObject({ sum: { aggregationTemporality: 2 } });
  expect(found['took']).toHaveProperty('exponentialHistogram');
});

it('compresses with gzip as the environment requests', async () => {
  const collector = await startCollector();
  open.push(collector);
  const { telemetry } = start({
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/v1/traces`,
    OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
  });
  withSpan('x', () => undefined);
  await telemetry.flush();
  expect(collector.received[0]?.headers).toMatchObject({ 'content-encoding': 'gzip' });
});

it('keeps a context manager that was registered before startTelemetry', async () => {
  const other = {
    active: () => ROOT_CONTEXT,
    with: (_context: unknown, fn: () => unknown) => fn(),
    bind: (_context: unknown, target: unknown) => target,
    enable: () => other,
    disable: () => other,
  };
  expect(context.setGlobalContextManager(other as never)).toBe(true);
  const { telemetry } = start({}, { traces: { exporter: new InMemorySpanExporter() } });
  await telemetry.shutdown();
  expect(context.setGlobalContextManager(other as never)).toBe(false);
  context.disable();
});

it('warns when more spans or log records are created than the queue can hold', async () => {
  const stuck = { export: () => {}, shutdown: () => Promise.resolve(), forceFlush: () => Promise.resolve() };
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const env = { OTEL_BSP_MAX_QUEUE_SIZE: '2', OTEL_BLRP_MAX_QUEUE_SIZE: '2', OTEL_BSP_SCHEDULE_DELAY: '60000' };
  const exporters = { traces: { exporter: stuck }, logs: { exporter: stuck }, metrics: { exporter } };
  const { warnings } = start(env, { ...exporters, shutdownTimeoutMs: 50 } as never);
  const log = createLogger({ destination: otelLogs() });
  for (let i = 0; i < 10; i++) {
    withSpan('x', () => undefined);
    log.info('x');
  }
  expect(warnings).toEqual([
    'The export queue of traces is full (2): new ones are dropped.',
    'The export queue of logs is full (2): new ones are dropped.',
  ]);
});
