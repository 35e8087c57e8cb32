import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What an OTLP collector was sent, as JSON. */
export interface Collector {
  readonly url: string;
  /** Bodies by path, such as `/v1/traces`. */
  readonly received: { path: string; headers: Record<string, unknown>; body: unknown }[];
  /** All bytes that came in, JSON or protobuf, one character a byte, for searches. */
  text(): string;
  close(): Promise<void>;
}

/**
 * Takes OTLP over HTTP, and keeps it; a body that is no JSON has only its bytes. With `hang`, never answers. Answers with
 * what `status` gives for each request.
 */
export async function startCollector({
  hang = false,
  status = () => 200,
}: { hang?: boolean; status?: () => number } = {}): Promise<Collector> {
  const received: Collector['received'] = [];
  let bytes = '';
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('latin1');
    request.on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      const { url: path = '', headers } = request;
      const isJson = headers['content-type'] === 'application/json';
      bytes += body;
      const parsed: unknown = isJson ? JSON.parse(Buffer.from(body, 'latin1').toString()) : undefined;
      received.push({ path, headers, body: parsed });
      response.statusCode = status();
      if (!hang) response.setHeader('content-type', headers['content-type'] ?? '').end(isJson ? '{}' : '');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    text: () => bytes + JSON.stringify(received),
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
  kind: number;
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
