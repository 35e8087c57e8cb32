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
 * what `status` gives for each request, and with `rejected` says that it has rejected so many of them, and why; or
 * with a page.
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
      response.end(page ?? (isJson ? jsonAnswer(path, rejected?.()) : protobufAnswer(rejected?.())));
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

function jsonAnswer(path: string, rejected: Rejected | undefined): string {
  if (rejected === undefined) return '{}';
  const name = { '/v1/traces': 'rejectedSpans', '/v1/metrics': 'rejectedDataPoints' }[path] ?? 'rejectedLogRecords';
  // A 64-bit number is a text in the JSON of protobuf.
  // What is not set may be null there.
  const errorMessage = rejected.message || null;
  return JSON.stringify({ partialSuccess: { [name]: String(rejected.count), errorMessage } });
}

/** Field 1 of the answer is the message with the number, field 1, and the text, field 2; all of them are short here. */
function protobufAnswer(rejected: Rejected | undefined): Buffer {
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
