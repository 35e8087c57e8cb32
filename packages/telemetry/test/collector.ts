import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An OTLP collector on loopback, with everything it has received. */
export interface Collector {
  readonly url: string;
  /** The requests with their path, such as `/v1/traces`; the body is parsed if it is JSON. */
  readonly received: { path: string; headers: Record<string, unknown>; body: unknown }[];
  /** All bytes received, JSON or protobuf, as one character per byte, to search in. */
  text(): string;
  close(): Promise<void>;
}

/**
 * Starts a collector that records OTLP over HTTP. `hang`: it never responds. `status`: returns the status for each request.
 * `rejected`: returns the partial success for each request, that is, how many items were rejected and why. `page`: it
 * responds with this HTML page.
 */
export async function startCollector({
  hang = false,
  status = () => 200,
  rejected,
  page,
}: {
  hang?: boolean;
  status?: () => number;
  rejected?: () => Rejected | undefined;
  page?: string;
} = {}): Promise<Collector> {
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
      if (hang) return;
      response.setHeader('content-type', headers['content-type'] ?? '');
      response.end(page ?? (isJson ? jsonResponse(path, rejected?.()) : protobufResponse(rejected?.())));
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

/** How many items of a batch a collector did not take, and what it says about it. */
interface Rejected {
  readonly count: number;
  readonly message: string;
}

function jsonResponse(path: string, rejected: Rejected | undefined): string {
  if (rejected === undefined) return '{}';
  const name = { '/v1/traces': 'rejectedSpans', '/v1/metrics': 'rejectedDataPoints' }[path] ?? 'rejectedLogRecords';
  // In the JSON encoding of protobuf, a 64-bit number is a string,
  // and a field that is not set can be null.
  const errorMessage = rejected.message || null;
  return JSON.stringify({ partialSuccess: { [name]: String(rejected.count), errorMessage } });
}

/** Field 1 of the answer is the message with the number, field 1, and the text, field 2; all of them are short here. */
function protobufResponse(rejected: Rejected | undefined): Buffer {
  if (rejected === undefined) return Buffer.alloc(0);
  const text = Buffer.from(rejected.message);
  const partial = Buffer.concat([Buffer.from([0x08, rejected.count, 0x12, text.length]), text]);
  return Buffer.concat([Buffer.from([0x0a, partial.length]), partial]);
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
