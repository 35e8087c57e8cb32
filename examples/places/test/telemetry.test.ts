// The telemetry of one request, as a collector receives it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { respond, slow, startFaultServer } from '@macadam/testkit';
import { expect, test } from 'vitest';

interface Span {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  kind: number;
  links?: { spanId: string }[];
  attributes: { key: string; value: Record<string, unknown> }[];
}

const INTERNAL = 1;
const SERVER = 2;
const CLIENT = 3;
const service = fileURLToPath(new URL('../src/places.ts', import.meta.url));
const place = { name: 'Bath', country: 'GB', region: 'ENG', latitude: 51.38, longitude: -2.36 };

/** Receives OTLP over HTTP in JSON. */
async function startCollector() {
  const received: { path: string; body: string }[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      received.push({ path: request.url ?? '', body });
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bodies: (path: string) => received.filter((request) => request.path === path).map(({ body }) => body),
    close: () => server.close(),
  };
}

function spansIn(body: string): Span[] {
  const { resourceSpans } = JSON.parse(body) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] };
  return resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans));
}

async function startPlaces(gazetteer: string, collector: string) {
  const child: ChildProcess = spawn(
    process.execPath,
    // As in tsconfig.json. Has an effect only inside the repository of Macadam.
    ['--conditions=@macadam/source', service, '--gazetteer', gazetteer, '--port', '0', '--log', 'info'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: collector, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' },
    },
  );
  let output = '';
  const listening = new Promise<string>((resolve, reject) => {
    child.once('close', () => reject(new Error('the service ended without listening')));
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      const [, url] = /^listening on (\S+)$/m.exec(output) ?? [];
      if (url !== undefined) resolve(url);
    });
  });
  return { url: await listening, child, output: () => output };
}

test('one trace leads from the caller to the gazetteer, with a span for each attempt and a log line with its ids', async () => {
  const once503 = { fault: respond(503, { retryAfter: 0 }), when: { requests: [1, 1] } } as const;
  await using gazetteer = await startFaultServer({ handle: () => ({ json: { places: [place] } }), faults: [once503] });
  const collector = await startCollector();
  const places = await startPlaces(gazetteer.url, collector.url);
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  try {
    const headers = { traceparent: `00-${traceId}-00f067aa0ba902b7-01`, 'x-api-key': 'key-of-a-caller' };
    const response = await fetch(`${places.url}/places/Bath`, { headers });
    expect(await response.json()).toMatchObject({ places: [place] });

    // The service sends the remaining telemetry before it exits.
    const closed = once(places.child, 'close');
    places.child.kill('SIGTERM');
    await closed;
    const spans = collector.bodies('/v1/traces').flatMap(spansIn);
    expect(spans).toHaveLength(4);
    expect(spans.map((span) => span.traceId)).toEqual(spans.map(() => traceId));
    const served = spans.find(({ kind }) => kind === SERVER)!;
    expect(served).toMatchObject({ name: 'GET /places/{name}', parentSpanId: '00f067aa0ba902b7' });
    const attempts = spans.filter(({ kind }) => kind === CLIENT);
    // A call with several attempts has a span of its own beside theirs.
    const call = spans.find(({ kind }) => kind === INTERNAL)!;
    expect([call, ...attempts].map(({ parentSpanId }) => parentSpanId)).toEqual(Array(3).fill(served.spanId));
    expect(call.links?.map(({ spanId }) => spanId)).toEqual(attempts.map(({ spanId }) => spanId));
    const statusOf = ({ attributes }: Span): unknown =>
      attributes.find(({ key }) => key === 'http.response.status_code')?.value;
    expect(attempts.map(statusOf)).toEqual([{ intValue: 503 }, { intValue: 200 }]);

    // The gazetteer received the same trace, with the span of each attempt as parent.
    const parents = gazetteer.requests.map((request) => String(request.headers['traceparent']).split('-'));
    expect(parents.map(([, trace]) => trace)).toEqual([traceId, traceId]);
    expect(parents.map(([, , parent]) => parent)).toEqual(attempts.map(({ spanId }) => spanId));

    const line =
      places
        .output()
        .split('\n')
        .find((logged) => logged.includes('"event":"GET /places/{name}"')) ?? '{}';
    expect(JSON.parse(line)).toMatchObject({ trace_id: traceId, span_id: served.spanId, outcome: 'ok' });
    expect(line).not.toContain('key-of-a-caller');
    expect(JSON.parse(line)).toMatchObject({ tenant: expect.stringMatching(/^[0-9a-f]{12}$/) as string });
  } finally {
    places.child.kill('SIGKILL');
    collector.close();
  }
});

test('on SIGTERM the service answers accepted requests and sends their telemetry before it exits', async () => {
  await using gazetteer = await startFaultServer({
    handle: () => ({ json: { places: [place] } }),
    faults: [{ fault: slow(200) }],
  });
  const collector = await startCollector();
  const places = await startPlaces(gazetteer.url, collector.url);
  try {
    const answered = fetch(`${places.url}/places/Bath`);
    await gazetteer.waitForRequests(1);
    const closed = once(places.child, 'close');
    places.child.kill('SIGTERM');
    expect(await (await answered).json()).toMatchObject({ places: [place] });
    expect(await closed).toEqual([0, null]);
    const kinds = collector.bodies('/v1/traces').flatMap((body) => spansIn(body).map(({ kind }) => kind));
    // On a slow machine the client may have retried, which adds spans.
    expect(kinds).toContain(SERVER);
    expect(kinds).toContain(CLIENT);
  } finally {
    places.child.kill('SIGKILL');
    collector.close();
  }
});
