import { createHttpClient } from '@macadam/http';
import { respond, startFaultServer } from '@macadam/testkit';
import { afterAll, expect, it } from 'vitest';
import { createLogger, withCanonicalLine, withSpan } from '../src/index.ts';
import { startTelemetry } from '../src/node.ts';
import { metricsOf, spansOf, startCollector } from './collector.ts';

const CANARY = 'C4nary-s3cret-value';
const closing: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const close of closing.reverse()) await close();
});

it('one request is one trace: a CLIENT span for each attempt, metrics in seconds, lines with the same ids, no canary', async () => {
  const collector = await startCollector();
  const upstream = await startFaultServer({ faults: [{ fault: respond(503), when: { requests: [1, 2] } }] });
  const telemetry = startTelemetry({
    serviceName: 'orders',
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' },
  });
  const client = createHttpClient({ name: 'billing', baseUrl: upstream.url, retry: { maxAttempts: 3 } });
  closing.push(
    () => collector.close(),
    () => upstream.close(),
    () => client.close(),
  );

  const lines: string[] = [];
  const log = createLogger({ name: 'orders', destination: { write: (line) => void lines.push(line) } });
  await withSpan('orders.place', () =>
    withCanonicalLine(log, { name: 'orders.place' }, async () => {
      const response = await client.get('/invoices', {
        query: { access_token: CANARY },
        headers: { authorization: `Bearer ${CANARY}` },
      });
      log.info({ status: response.status, attempts: response.attempts }, 'invoice read');
    }),
  );
  await telemetry.shutdown();

  const spans = spansOf(collector);
  const traceIds = new Set(spans.map(({ traceId }) => traceId));
  expect(traceIds.size).toBe(1);
  const attempts = spans.filter(({ attributes }) => attributes.some(({ key }) => key === 'http.request.method'));
  expect(attempts.length).toBe(3);
  const durations = metricsOf(collector).filter(({ name }) => name === 'http.client.request.duration');
  expect(durations.map(({ unit }) => unit)).toEqual(['s']);
  for (const line of lines) expect(traceIds).toContain((JSON.parse(line) as { trace_id: string }).trace_id);
  expect(lines).toHaveLength(2);
  expect(collector.text() + lines.join()).not.toContain(CANARY);
});
