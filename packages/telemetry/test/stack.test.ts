import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { respond, startFaultServer } from '@macadam/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { createLogger } from '../src/index.ts';
import { startTelemetry } from '../src/node.ts';
import { metricsOf, spansOf, startCollector } from './collector.ts';
import { startOrders } from './orders-service.ts';

const CANARY = 'C4nary-s3cret-value';
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const INTERNAL = 1;
const SERVER = 2;
const CLIENT = 3;

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** One request through the service, and everything that came of it. */
async function oneRequest(protocol: 'http/json' | 'http/protobuf', statuses: readonly number[]) {
  const collector = await startCollector();
  const faults = statuses.map((status, i) => ({
    fault: respond(status, { body: Buffer.from(`{"error":"no","token":"${CANARY}"}`) }),
    when: { requests: [i + 1, i + 1] as [number, number] },
  }));
  const upstream = await startFaultServer({ faults });
  const telemetry = startTelemetry({
    serviceName: 'orders',
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_EXPORTER_OTLP_PROTOCOL: protocol },
  });
  const lines: string[] = [];
  const log = createLogger({ name: 'orders', destination: { write: (line) => void lines.push(line) } });
  const orders = await startOrders(log, upstream.url, CANARY);
  closing.push(
    () => collector.close(),
    () => upstream.close(),
    () => telemetry.shutdown(),
    () => orders.close(),
  );
  const response = await fetch(`${orders.url}/orders/17?access_token=${CANARY}`, {
    headers: { authorization: `Bearer ${orders.apiKey}`, traceparent: `00-${TRACE}-00f067aa0ba902b7-01` },
  });
  const answer = await response.text();
  const described = orders.describe();
  await telemetry.shutdown();
  const upstreamHeaders = upstream.requests.map(({ headers }) => headers);
  return { collector, lines, described, answer, status: response.status, apiKey: orders.apiKey, upstreamHeaders };
}

const valueOf = (span: ReturnType<typeof spansOf>[number], name: string): unknown =>
  Object.values(span.attributes.find(({ key }) => key === name)?.value ?? {})[0];

describe('one request of a user', () => {
  it('is one trace: a SERVER span, with a CLIENT span for each attempt and an INTERNAL span for the call (T27)', async () => {
    const { collector, lines, status, upstreamHeaders } = await oneRequest('http/json', [503, 503]);
    expect(status).toBe(200);
    const spans = spansOf(collector);
    expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([TRACE]));
    const [server] = spans.filter(({ kind }) => kind === SERVER);
    expect(server).toMatchObject({ name: 'GET /orders/{id}', parentSpanId: '00f067aa0ba902b7' });
    const [call, ...others] = spans.filter(({ kind }) => kind === INTERNAL);
    expect(others).toEqual([]);
    expect(call!.parentSpanId).toBe(server!.spanId);
    const attempts = spans.filter(({ kind }) => kind === CLIENT);
    expect(attempts.map((span) => span.parentSpanId)).toEqual([server!.spanId, server!.spanId, server!.spanId]);
    expect(attempts.map((span) => valueOf(span, 'http.request.resend_count'))).toEqual([undefined, 1, 2]);
    expect(attempts.map((span) => valueOf(span, 'http.response.status_code'))).toEqual([503, 503, 200]);
    // Each attempt propagates its own span.
    const sent = attempts.map(({ spanId }) => `00-${TRACE}-${spanId}-01`);
    expect(upstreamHeaders.map((headers) => headers['traceparent'])).toEqual(sent);

    const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(parsed).toMatchObject([
      { trace_id: TRACE, span_id: server!.spanId, msg: expect.stringContaining('order read') as string },
      {
        trace_id: TRACE,
        span_id: server!.spanId,
        event: 'GET /orders/{id}',
        outcome: 'ok',
        httpCalls: 1,
        httpAttempts: 3,
        allowed: true,
        'auth.method': 'api_key',
      },
    ]);
  });

  it('T25: has durations in seconds, with buckets for seconds', async () => {
    const { collector } = await oneRequest('http/json', []);
    const durations = metricsOf(collector).filter(({ name }) => name.endsWith('.duration'));
    expect(durations.map(({ name }) => name)).toContain('http.client.request.duration');
    for (const { unit, ...metric } of durations) {
      expect(unit).toBe('s');
      const [point] = (metric['histogram'] as { dataPoints: { explicitBounds: number[] }[] }).dataPoints;
      expect(Math.max(...point!.explicitBounds)).toBeLessThanOrEqual(10);
    }
  });

  it.each(['http/json', 'http/protobuf'] as const)(
    'contains no secret in spans, metrics, log lines, errors and describe(), over %s',
    async (protocol) => {
      const { collector, lines, described, answer, status, apiKey } = await oneRequest(protocol, [503, 503, 503]);
      expect(status).toBe(502);
      const said = [collector.text(), lines.join(''), described, answer].join('\n');
      // Proves that the output is not empty and that the search works.
      for (const expected of ['GET /orders/{id}', 'http.client.request.duration', 'billing', '[redacted]', 'per-key']) {
        expect(said).toContain(expected);
      }
      const secretOfKey = apiKey.slice(apiKey.lastIndexOf('_') + 1);
      for (const secret of [CANARY, encodeURIComponent(CANARY), btoa(CANARY), apiKey, secretOfKey]) {
        expect(said).not.toContain(secret);
      }
    },
  );

  it('exports only names, units and attributes of the catalogue', async () => {
    const { collector, lines } = await oneRequest('http/json', [503]);
    const all = JSON.parse(
      readFileSync(join(import.meta.dirname, '../../../docs/telemetry-catalogue.json'), 'utf8'),
    ) as Record<
      'metrics' | 'spans' | 'fields' | 'events',
      { name: string; unit: string; attributes: { name: string }[] }[]
    >;
    const known = new Map(all.metrics.map((metric) => [metric.name, metric]));
    const sent = metricsOf(collector);
    expect(sent.length).toBeGreaterThan(30);
    for (const metric of sent) {
      expect(known.get(metric.name), metric.name).toMatchObject({ unit: metric.unit });
      const allowed = known.get(metric.name)!.attributes.map(({ name }) => name);
      for (const key of attributesOf(metric)) expect(allowed, metric.name).toContain(key);
    }
    const attributes = new Set(all.spans.flatMap((span) => span.attributes.map(({ name }) => name)));
    // Attributes that the service itself has set.
    attributes.add('authorization');
    for (const span of spansOf(collector)) for (const { key } of span.attributes) expect(attributes).toContain(key);
    const fields = new Set([
      ...all.fields.map(({ name }) => name),
      ...all.events.flatMap((event) => event.attributes.map(({ name }) => name)),
    ]);
    const line = JSON.parse(lines.at(-1)!) as Record<string, unknown>;
    for (const ours of ['level', 'time', 'pid', 'hostname', 'name', 'msg', 'trace_id', 'span_id', 'trace_flags'])
      delete line[ours];
    delete line['allowed'];
    for (const name of Object.keys(line)) expect(fields).toContain(name);
  });
});

function attributesOf(metric: ReturnType<typeof metricsOf>[number]): string[] {
  const kinds = [metric['sum'], metric['gauge'], metric['histogram']] as (
    { dataPoints: { attributes: { key: string }[] }[] } | undefined
  )[];
  return kinds.flatMap((kind) => kind?.dataPoints ?? []).flatMap(({ attributes }) => attributes.map(({ key }) => key));
}
