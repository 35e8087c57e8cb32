// The messages for a wrong set-up: which variable is wrong, its value, and why nothing arrives at the collector.
import { afterEach, describe, expect, it } from 'vitest';
import { trace } from '@opentelemetry/api';
import { InMemorySpanExporter } from '@opentelemetry/sdk-trace';
import { createLogger, type LineDestination, withSpan } from '../src/index.ts';
import { otelLogs, startTelemetry, type Telemetry } from '../src/node.ts';
import { type Collector, startCollector } from './collector.ts';

const open: (Telemetry | Collector)[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

describe('a collector that rejects data', () => {
  it.each([
    [401, 'Unauthorized (401)'],
    [404, 'Not Found (404)'],
  ])('with %d is reported at once, with address and reason, and only once', async (status, why) => {
    const { telemetry, warnings, url } = await tracing(() => status);
    for (let i = 0; i < 3; i++) {
      withSpan('x', () => undefined);
      await telemetry.flush();
    }
    expect(warnings[0]).toBe(`The traces cannot be sent to ${url}/v1/traces: ${why}.`);
    expect(warnings).toHaveLength(1);
  });

  it('is reported again after a success in between, without the token in its address', async () => {
    const answers = [401, 200, 403];
    const { telemetry, warnings, url } = await tracing(() => answers.shift()!, '?key=C4nary-s3cret');
    for (let i = 0; i < 3; i++) {
      withSpan('x', () => undefined);
      await telemetry.flush();
    }
    expect(warnings).toEqual([
      `The traces cannot be sent to ${url}/v1/traces: Unauthorized (401).`,
      `The traces cannot be sent to ${url}/v1/traces: Forbidden (403).`,
    ]);
    expect(warnings.join()).not.toContain('C4nary');
  });

  async function tracing(status: () => number, query = '') {
    const collector = await startCollector({ status });
    const warnings: string[] = [];
    const telemetry = startTelemetry({
      serviceName: 'orders',
      env: { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/v1/traces${query}` },
      onWarning: (warning) => warnings.push(warning),
    });
    open.push(collector, telemetry);
    return { telemetry, warnings, url: collector.url };
  }
});

describe('a collector that accepts only part of a batch', () => {
  it.each(['http/json', 'http/protobuf'])(
    'is reported once over %s, and again after a batch was accepted completely',
    async (protocol) => {
      const answers = [
        { count: 3, message: 'too old, token=C4nary' },
        { count: 4, message: 'too old' },
        { count: 0, message: 'use v2' },
        undefined,
        { count: 0, message: 'use v2' },
      ];
      const collector = await startCollector({ rejected: () => answers.shift() });
      const warnings: string[] = [];
      const telemetry = startTelemetry({
        serviceName: 'orders',
        env: {
          OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/v1/traces`,
          OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
        },
        onWarning: (warning) => warnings.push(warning),
      });
      open.push(collector, telemetry);
      for (let i = 0; i < 5; i++) {
        withSpan('x', () => undefined);
        await telemetry.flush();
      }
      expect(warnings).toEqual([
        `The collector at ${collector.url}/v1/traces rejects part of a batch of traces (3): too old, token=[redacted].`,
        `The collector at ${collector.url}/v1/traces accepts the traces with a warning: use v2.`,
      ]);
    },
  );

  it('is reported for metrics and logs too, also without a reason', async () => {
    const collector = await startCollector({ rejected: () => ({ count: 1, message: '' }) });
    const warnings: string[] = [];
    const telemetry = startTelemetry({
      serviceName: 'orders',
      traces: false,
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' },
      onWarning: (warning) => warnings.push(warning),
    });
    open.push(collector, telemetry);
    createLogger({ destination: otelLogs() }).info('x');
    await telemetry.flush();
    expect(warnings).toEqual(
      ['logs', 'metrics'].map(
        (signal) =>
          `The collector at ${collector.url}/v1/${signal} rejects part of a batch of ${signal} (1): it gives no reason.`,
      ),
    );
  });
});

it.each(['http/json', 'http/protobuf'])(
  'reports a server that responds with an HTML page as no collector, over %s',
  async (protocol) => {
    const server = await startCollector({ page: '<!doctype html><title>Log in</title>' });
    const warnings: string[] = [];
    const telemetry = startTelemetry({
      serviceName: 'orders',
      env: { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${server.url}/v1/traces`, OTEL_EXPORTER_OTLP_PROTOCOL: protocol },
      onWarning: (warning) => warnings.push(warning),
    });
    open.push(server, telemetry);
    for (let i = 0; i < 2; i++) {
      withSpan('x', () => undefined);
      await telemetry.flush();
    }
    expect(warnings).toEqual([
      `${server.url}/v1/traces is not an OTLP collector: it accepts the traces and responds with an HTML page.`,
    ]);
  },
);

it('reports the failure of your own exporter once and without credentials', async () => {
  const warnings: string[] = [];
  const exporter = {
    export: (_spans: unknown, done: (result: object) => void) =>
      done({ code: 1, error: new Error('no, token=C4nary') }),
    shutdown: () => Promise.resolve(),
  };
  const onWarning = (warning: string): void => void warnings.push(warning);
  const telemetry = startTelemetry({ serviceName: 'orders', env: {}, traces: { exporter } as never, onWarning });
  open.push(telemetry);
  for (let i = 0; i < 2; i++) {
    withSpan('x', () => undefined);
    await telemetry.flush();
  }
  expect(warnings).toEqual(['Sending traces (100 % of new ones) failed: no, token=[redacted].']);
});

it('sends the other signals at shutdown although one hangs', async () => {
  const hanging = await startCollector({ hang: true });
  const collector = await startCollector();
  open.push(hanging, collector);
  const warnings: string[] = [];
  const telemetry = startTelemetry({
    serviceName: 'orders',
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${hanging.url}/v1/traces`,
    },
    shutdownTimeoutMs: 600,
    onWarning: (warning) => warnings.push(warning),
  });
  withSpan('x', () => createLogger({ destination: otelLogs() }).info('the last line'));
  await telemetry.shutdown();
  expect(collector.received.map(({ path }) => path)).toEqual(['/v1/logs', '/v1/metrics']);
  expect(warnings).toEqual(['Telemetry was not sent within 600 ms; the rest is lost.']);
});

describe('a wrong environment variable', () => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' };

  it.each([
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4317' },
      'Option OTEL_EXPORTER_OTLP_ENDPOINT is a text that is not shown; it must be an http or https URL.',
    ],
    [
      { ...endpoint, OTEL_EXPORTER_OTLP_HEADERS: 'api-key: C4nary' },
      'Option OTEL_EXPORTER_OTLP_HEADERS is a text that is not shown; it must be name=value, with commas in between.',
    ],
    [
      { ...endpoint, OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'authorization=Bearer a,C4nary' },
      'Option OTEL_EXPORTER_OTLP_TRACES_HEADERS is a text that is not shown; it must be name=value, with commas in between.',
    ],
    [
      { ...endpoint, OTEL_METRIC_EXPORT_INTERVAL: '60s' },
      'Option OTEL_METRIC_EXPORT_INTERVAL is "60s"; it must be a number of milliseconds above 0.',
    ],
    [
      { ...endpoint, OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '10%' },
      'Option OTEL_TRACES_SAMPLER_ARG is "10%"; it must be a number from 0 to 1.',
    ],
  ])('%o is refused with its value and what is allowed', (env, message) => {
    expect(() => startTelemetry({ serviceName: 'orders', env })).toThrow(message);
    expect(trace.getTracer('x').startSpan('x').isRecording()).toBe(false); // nothing was registered before the check
  });

  it('that is empty counts as not set: an empty ratio keeps all traces', () => {
    const env = { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '', OTEL_EXPORTER_OTLP_HEADERS: ' ,' };
    const traces = { exporter: new InMemorySpanExporter() };
    open.push(startTelemetry({ serviceName: 'orders', env, traces, metrics: false, logs: false }));
    expect(trace.getTracer('x').startSpan('x').isRecording()).toBe(true);
  });
});

it('does not show a hashKey that is too short', () => {
  const redact = { pii: 'hash', hashKey: 'C4nary' } as const;
  expect(() => createLogger({ redact })).toThrow('createLogger.redact.hashKey is a text that is not shown; it must be');
});

describe('otelLogs', () => {
  it.each(['otel', 'ecs', 'gcp'] as const)('is refused as the destination of a logger with the format %s', (format) => {
    const create = (): unknown => createLogger({ format, destination: otelLogs() });
    expect(create).toThrow(expect.objectContaining({ path: 'createLogger.format' }) as Error);
  });

  it('is accepted as the destination of a logger with the format pino', () => {
    expect(() => createLogger({ format: 'pino', destination: otelLogs() })).not.toThrow();
  });

  it.each([
    ['reads another format than pino', { write() {}, format: 'ecs' }, 'otelLogs.also.format'],
    ['has no write', {}, 'otelLogs.also'],
    ['is null', null, 'otelLogs.also'],
  ])('refuses a second destination that %s', (_, also, path) => {
    expect(() => otelLogs(also as LineDestination)).toThrow(expect.objectContaining({ path }) as Error);
  });

  it('writes each line to a second destination that reads pino', () => {
    const lines: string[] = [];
    const also: LineDestination = { write: (line) => void lines.push(line), format: 'pino' };
    createLogger({ destination: otelLogs(also) }).info('both');
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['both']);
  });
});

describe('startTelemetry refuses at the start', () => {
  it.each(['a%0Ab', '%E2%82%AC'])(
    'a header for OTLP that HTTP cannot carry, without showing its value: %s',
    (value) => {
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_EXPORTER_OTLP_HEADERS: `api-key=${value}` };
      const start = (): unknown => startTelemetry({ serviceName: 'orders', env });
      expect(start).toThrow(/^Option OTEL_EXPORTER_OTLP_HEADERS is a text that is not shown; .*api-key/);
    },
  );
});
