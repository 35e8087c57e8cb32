import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What an OTLP collector was sent, as JSON. */
export interface Collector {
  readonly url: string;
  /** Bodies by path, such as `/v1/traces`. */
  readonly received: { path: string; headers: Record<string, unknown>; body: unknown }[];
  /** All text that came in, for searches. */
  text(): string;
  close(): Promise<void>;
}

/** Takes OTLP over HTTP with JSON bodies, and keeps it. With `hang`, never answers. */
export async function startCollector({ hang = false }: { hang?: boolean } = {}): Promise<Collector> {
  const received: Collector['received'] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      received.push({ path: request.url ?? '', headers: request.headers, body: JSON.parse(body) as unknown });
      if (!hang) response.setHeader('content-type', 'application/json').end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    text: () => JSON.stringify(received),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  status: { code?: number };
  attributes: { key: string; value: Record<string, unknown> }[];
  events: { name: string; attributes: unknown }[];
}

/** All spans that a collector was sent. */
export function spansOf(collector: Collector): OtlpSpan[] {
  return collector.received
    .filter(({ path }) => path === '/v1/traces')
    .flatMap(({ body }) => (body as { resourceSpans: { scopeSpans: { spans: OtlpSpan[] }[] }[] }).resourceSpans)
    .flatMap(({ scopeSpans }) => scopeSpans)
    .flatMap(({ spans }) => spans);
}

interface OtlpMetric {
  name: string;
  unit: string;
  [kind: string]: unknown;
}

/** All metrics that a collector was sent. */
export function metricsOf(collector: Collector): OtlpMetric[] {
  return collector.received
    .filter(({ path }) => path === '/v1/metrics')
    .flatMap(
      ({ body }) => (body as { resourceMetrics: { scopeMetrics: { metrics: OtlpMetric[] }[] }[] }).resourceMetrics,
    )
    .flatMap(({ scopeMetrics }) => scopeMetrics)
    .flatMap(({ metrics }) => metrics);
}
