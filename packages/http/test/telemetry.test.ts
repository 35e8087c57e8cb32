import { currentWork, runWork } from '@macadam/core';
import {
  closeKeepAlive,
  resetBeforeHeaders,
  respond,
  seededRandom,
  startFaultServer,
  virtualClock,
  type FaultServer,
} from '@macadam/testkit';
import { context, createContextKey, metrics, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider, type ReadableSpan } from '@opentelemetry/sdk-trace';
import { consecutiveFailures, constant } from '@macadam/resilience';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createHttpClient, type HttpClient, type HttpClientOptions } from '../src/index.ts';
import { scriptedDispatcher } from './scripted-dispatcher.ts';

let spans: InMemorySpanExporter;
let points: InMemoryMetricExporter;
const clock = virtualClock();
let provider: TracerProvider;
let meters: MeterProvider;
let reader: PeriodicExportingMetricReader;
let upstream: FaultServer | undefined;
const clients: HttpClient[] = [];

beforeEach(() => {
  spans = new InMemorySpanExporter();
  points = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] });
  reader = new PeriodicExportingMetricReader({ exporter: points, exportIntervalMillis: 3_600_000 });
  meters = new MeterProvider({ readers: [reader] });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(provider);
  metrics.setGlobalMeterProvider(meters);
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await upstream?.close();
  upstream = undefined;
  trace.disable();
  metrics.disable();
  context.disable();
  propagation.disable();
  await provider.shutdown();
  await meters.shutdown();
});

function clientFor(options: Partial<HttpClientOptions>): HttpClient {
  const client = createHttpClient({
    name: 'billing',
    baseUrl: 'http://billing.internal:8080/v1',
    retry: { backoff: constant({ delayMs: 100 }), throttledBaseMs: 0 },
    clock,
    random: seededRandom(1),
    ...options,
  });
  clients.push(client);
  return client;
}

/** The spans that have ended: those of requests, and those of calls. */
async function ended(): Promise<{ attempts: ReadableSpan[]; calls: ReadableSpan[] }> {
  await provider.forceFlush();
  const all = spans.getFinishedSpans();
  return {
    attempts: all.filter((span) => span.kind === SpanKind.CLIENT),
    calls: all.filter((span) => span.kind === SpanKind.INTERNAL),
  };
}

const failure = ({ attributes, status }: ReadableSpan): unknown[] => [attributes['error.type'], status.code];
const lengthMs = ({ duration: [seconds, nanoseconds] }: ReadableSpan): number =>
  seconds * 1_000 + nanoseconds / 1_000_000;

async function collected(): Promise<Map<string, { value: unknown; attributes: object; boundaries?: number[] }[]>> {
  points.reset();
  await reader.forceFlush();
  const metricsByName = new Map<string, { value: unknown; attributes: object }[]>();
  for (const { scopeMetrics } of points.getMetrics()) {
    for (const metric of scopeMetrics.flatMap((scope) => scope.metrics)) {
      metricsByName.set(metric.descriptor.name, metric.dataPoints as { value: unknown; attributes: object }[]);
    }
  }
  return metricsByName;
}

describe('spans (opentelemetry-specification #3155, semantic-conventions #1226)', () => {
  test('AC40: one of kind CLIENT for each attempt, resends counted from the second on; that of the call carries them', async () => {
    const dispatcher = scriptedDispatcher({ status: 503 }, { error: 'ECONNRESET' }, { status: 200, body: 'x' });
    const client = clientFor({ dispatcher });
    const caller = provider.getTracer('test').startSpan('caller');
    const call = () => client.get('/invoices/{id}', { params: { id: 'secret-id' }, query: { key: 'secret-value' } });
    await clock.runUntil(context.with(trace.setSpan(context.active(), caller), call));
    const { attempts, calls } = await ended();
    const shared = {
      'http.request.method': 'GET',
      'server.address': 'billing.internal',
      'server.port': 8080,
      'url.full': 'http://billing.internal:8080/v1/invoices/{id}?key=REDACTED',
      'url.template': '/v1/invoices/{id}',
    };
    expect(attempts.map(({ name, attributes, status }) => ({ name, attributes, status: status.code }))).toEqual([
      {
        name: 'GET /v1/invoices/{id}',
        attributes: { ...shared, 'http.response.status_code': 503, 'error.type': '503' },
        status: SpanStatusCode.ERROR,
      },
      {
        name: 'GET /v1/invoices/{id}',
        attributes: { ...shared, 'http.request.resend_count': 1, 'error.type': 'ECONNRESET' },
        status: SpanStatusCode.ERROR,
      },
      {
        name: 'GET /v1/invoices/{id}',
        attributes: { ...shared, 'http.request.resend_count': 2, 'http.response.status_code': 200 },
        status: SpanStatusCode.UNSET,
      },
    ]);
    expect(calls).toHaveLength(1);
    expect(calls[0]).toMatchObject({
      name: 'billing GET /v1/invoices/{id}',
      attributes: { 'macadam.http.client.name': 'billing', 'macadam.http.attempts': 3 },
      status: { code: SpanStatusCode.UNSET },
    });
    // The conventions know no span around those of requests: all are siblings, and that of the call points to the others.
    const parents = [...attempts, ...calls].map((span) => span.parentSpanContext?.spanId);
    expect(new Set(parents)).toEqual(new Set([caller.spanContext().spanId]));
    expect(calls[0]?.links.map((link) => link.context)).toEqual(attempts.map((span) => span.spanContext()));
    // It lasts as long as the call, back-off included; they last as long as their requests.
    expect(attempts.map(lengthMs)).toEqual([0, 0, 0]);
    expect(calls.map(lengthMs)).toEqual([200]);
    expect(
      JSON.stringify([...attempts, ...calls].map(({ attributes, name, events }) => [attributes, name, events])),
    ).not.toContain('secret');
  });

  test('a failed call has an error.type', async () => {
    const client = clientFor({ dispatcher: scriptedDispatcher({ status: 404 }) });
    await client.get('/a').catch(() => {});
    await client.get('/a', { throwOnStatus: false });
    await clientFor({
      dispatcher: scriptedDispatcher({ status: 200, headers: { 'content-type': 'application/json' }, body: '{' }),
    })
      .get('/a', { schema: z.unknown() })
      .catch(() => {});
    const { attempts, calls } = await ended();
    expect(attempts.map(failure)).toEqual([
      ['404', SpanStatusCode.ERROR],
      ['404', SpanStatusCode.ERROR],
      [undefined, SpanStatusCode.UNSET],
    ]);
    // That of its request cannot say it: the answer was good, what was made of it was not.
    expect(calls.map(failure)).toEqual([['MAC_HTTP_DECODE', SpanStatusCode.ERROR]]);
  });

  test('a cancelled call is no error; a timeout is one', async () => {
    const client = clientFor({ dispatcher: scriptedDispatcher({}), retry: false });
    const caller = new AbortController();
    const left = client.get('/a', { signal: caller.signal });
    await clock.settle();
    caller.abort();
    await expect(left).rejects.toBe(caller.signal.reason);
    await clock.runUntil(client.get('/a', { timeoutMs: 50 }).catch(() => {}));
    const { attempts, calls } = await ended();
    expect(attempts.map(failure)).toEqual([
      [undefined, SpanStatusCode.UNSET],
      ['MAC_TIMEOUT', SpanStatusCode.ERROR],
    ]);
    expect(calls).toEqual([]);
  });

  test.each([
    ['a status', {}, {}],
    ['a time limit', { timeoutMs: 50 }, {}],
    ['a status, and shared', {}, { dedupe: true }],
  ])('a call cancelled with the error of another call is no error: %s', async (_what, limits, options) => {
    const scripts = 'timeoutMs' in limits ? [{}] : [{ status: 404 }];
    const other = clientFor({ dispatcher: scriptedDispatcher(...scripts), retry: false });
    const reason: unknown = await clock.runUntil(other.get('/b', limits).catch((error: unknown) => error));
    const client = clientFor({ dispatcher: scriptedDispatcher({}), ...options });
    await expect(client.get('/a', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const caller = new AbortController();
    const left = client.get('/a', { signal: caller.signal });
    await clock.settle();
    caller.abort(reason);
    await expect(left).rejects.toBe(reason);
    const { attempts, calls } = await ended();
    const ofOther = 1;
    expect([...attempts.slice(ofOther), ...calls].map(failure)).toEqual([
      [undefined, SpanStatusCode.UNSET],
      [undefined, SpanStatusCode.UNSET],
    ]);
  });

  test('are children of the active span of the caller, whatever timer starts the attempt', async () => {
    const client = clientFor({ dispatcher: scriptedDispatcher({ status: 503 }, { status: 200 }) });
    const parent = provider.getTracer('test').startSpan('parent');
    await clock.runUntil(context.with(trace.setSpan(context.active(), parent), () => client.get('/a')));
    const { attempts, calls } = await ended();
    expect(calls[0]?.parentSpanContext?.spanId).toBe(parent.spanContext().spanId);
    expect(new Set([...attempts, ...calls].map((span) => span.spanContext().traceId)).size).toBe(1);
  });

  test('without a span of the caller, later requests join the trace of the first', async () => {
    const client = clientFor({ dispatcher: scriptedDispatcher({ status: 503 }, { status: 503 }, { status: 200 }) });
    await clock.runUntil(client.get('/a'));
    const { attempts, calls } = await ended();
    const [first, ...later] = attempts;
    expect(first?.parentSpanContext).toBeUndefined();
    const parents = [...later, ...calls].map((span) => span.parentSpanContext?.spanId);
    expect(parents).toEqual(Array.from({ length: 3 }, () => first?.spanContext().spanId));
  });

  test('a call with exactly one request has one span', async () => {
    const client = clientFor({ dispatcher: scriptedDispatcher({ status: 200 }) });
    await client.get('/a');
    await client.post('/b', { json: {} });
    const { attempts, calls } = await ended();
    expect(attempts.map(({ name }) => name)).toEqual(['GET', 'POST']);
    expect(calls).toEqual([]);
  });

  test('use the clock of the client', async () => {
    const client = clientFor({ dispatcher: scriptedDispatcher({ status: 200, delayMs: 40, clock }) });
    const before = clock.now();
    await clock.runUntil(client.get('/a'));
    const [span] = (await ended()).attempts;
    expect(span?.startTime).toEqual([Math.floor(before / 1_000), (before % 1_000) * 1_000_000]);
    expect(span && lengthMs(span)).toBe(40);
  });

  const stored = { status: 200, headers: { 'cache-control': 'max-age=60' }, body: 'x' };
  const twice = (client: HttpClient) => Promise.all([client.get('/a'), client.get('/a')]);
  test.each<[string, Partial<HttpClientOptions>, (client: HttpClient) => Promise<unknown>, unknown[]]>([
    [
      'refused by an open circuit',
      {
        dispatcher: scriptedDispatcher({ error: 'ECONNREFUSED' }),
        circuitBreaker: { trip: [consecutiveFailures({ count: 1 })] },
        retry: false,
      },
      async (client) => [await client.get('/a').catch(() => {}), await client.get('/a').catch(() => {})],
      [[0, 'MAC_CIRCUIT_OPEN']],
    ],
    [
      'refused by a full bulkhead',
      { dispatcher: scriptedDispatcher({ status: 200, delayMs: 5, clock }), bulkhead: { maxConcurrent: 1 } },
      (client) => Promise.allSettled([client.get('/a'), client.get('/a')]),
      [[0, 'MAC_BULKHEAD_FULL']],
    ],
    [
      'answered by the cache',
      { dispatcher: scriptedDispatcher(stored), cache: {} },
      async (client) => [await client.get('/a'), await client.get('/a')],
      [[0, undefined]],
    ],
    [
      'answered by a shared request',
      { dispatcher: scriptedDispatcher({ status: 200 }), dedupe: true },
      twice,
      [[0, undefined]],
    ],
    [
      'kept waiting for its turn',
      {
        dispatcher: scriptedDispatcher({ status: 200, delayMs: 5, clock }),
        bulkhead: { maxConcurrent: 1, maxQueued: 1 },
      },
      twice,
      [[1, undefined]],
    ],
    [
      'redirected',
      { dispatcher: scriptedDispatcher({ status: 302, headers: { location: '/b' } }, { status: 200 }), redirects: {} },
      (client) => client.get('/a'),
      [[2, undefined]],
    ],
    [
      'hedged',
      { dispatcher: scriptedDispatcher({}, { status: 200 }), hedge: { delayMs: 10, maxExtraLoad: 1 }, retry: false },
      (client) => client.get('/a'),
      [[2, undefined]],
    ],
    [
      'left while it waited to try again',
      { dispatcher: scriptedDispatcher({ status: 503 }) },
      async (client) => {
        const caller = new AbortController();
        const left = client.get('/a', { signal: caller.signal }).catch(() => {});
        await clock.settle();
        caller.abort();
        await left;
      },
      [[1, undefined]],
    ],
  ])('a call that was %s has a span of its own', async (_, options, call, told) => {
    await clock.runUntil(call(clientFor(options)));
    const { calls } = await ended();
    expect(calls.map(({ attributes }) => [attributes['macadam.http.attempts'], attributes['error.type']])).toEqual(
      told,
    );
    expect(calls.map(({ links }) => [links.length])).toEqual(told.map((one) => [(one as number[])[0]]));
  });

  test('names contain no path without parameters; an unknown method counts as _OTHER', async () => {
    const client = clientFor({ dispatcher: scriptedDispatcher({ status: 200 }) });
    await client.get('/invoices/42');
    await client.request('M-SEARCH', '/a');
    const { attempts } = await ended();
    expect(attempts.map(({ name }) => name)).toEqual(['GET', 'HTTP']);
    expect(attempts[0]?.attributes).not.toHaveProperty('url.template');
    expect(attempts[1]?.attributes).toMatchObject({
      'http.request.method': '_OTHER',
      'http.request.method_original': 'M-SEARCH',
    });
  });

  test('name the endpoint', async () => {
    const client = createHttpClient({
      name: 'many',
      endpoints: [{ url: 'http://a.internal:81/v1' }],
      dispatcher: scriptedDispatcher({ status: 200 }),
      clock,
    });
    clients.push(client);
    await client.get('/invoices/{id}', { params: { id: 1 } });
    const { attempts } = await ended();
    expect(attempts[0]?.attributes).toMatchObject({
      'url.full': 'http://a.internal:81/v1/invoices/{id}',
      'server.address': 'a.internal',
      'server.port': 81,
    });
  });

  test('attributes of one request do not leak into another of the same path', async () => {
    const client = clientFor({ dispatcher: scriptedDispatcher({ status: 200 }) });
    await client.get('/a', { query: { page: 2 } });
    await client.get('/a');
    await client.delete('/a');
    await client.get('/a', { query: { size: 2 } });
    const { attempts } = await ended();
    const url = 'http://billing.internal:8080/v1/a';
    expect(attempts.map(({ attributes }) => [attributes['http.request.method'], attributes['url.full']])).toEqual([
      ['GET', `${url}?page=REDACTED`],
      ['GET', url],
      ['DELETE', url],
      ['GET', `${url}?size=REDACTED`],
    ]);
  });

  test('each request of a redirect has its own', async () => {
    const client = clientFor({
      dispatcher: scriptedDispatcher({ status: 302, headers: { location: '/b?token=secret' } }, { status: 200 }),
      redirects: {},
    });
    await clock.runUntil(client.get('/a'));
    const { attempts } = await ended();
    expect(attempts.map(({ attributes }) => [attributes['url.full'], attributes['http.request.resend_count']])).toEqual(
      [
        ['http://billing.internal:8080/v1/a', undefined],
        ['http://billing.internal:8080/b?token=REDACTED', 1],
      ],
    );
  });
});

test('the URL of a redirect shows no path parameters', async () => {
  const client = clientFor({
    dispatcher: scriptedDispatcher(
      { status: 308, headers: { location: '/v1/reset/s3cret/?key=s3cret' } },
      { status: 200 },
    ),
    redirects: {},
  });
  await clock.runUntil(client.get('/reset/{token}', { params: { token: 's3cret' } }));
  const { attempts } = await ended();
  expect(attempts.map(({ attributes }) => attributes['url.full'])).toEqual([
    'http://billing.internal:8080/v1/reset/{token}',
    'http://billing.internal:8080/v1/reset/REDACTED/?key=REDACTED',
  ]);
});

test('background revalidation has a span and a duration, in a trace of its own', async () => {
  const stored = { status: 200, headers: { 'cache-control': 'max-age=1, stale-while-revalidate=60' } };
  const client = clientFor({ dispatcher: scriptedDispatcher(stored, { status: 404 }), cache: {} });
  const caller = provider.getTracer('test').startSpan('caller');
  await context.with(trace.setSpan(context.active(), caller), async () => {
    await client.get('/a');
    await clock.advance(5_000);
    await client.get('/a');
    await clock.advance(1);
  });
  const { attempts, calls } = await ended();
  expect(attempts.map(({ attributes }) => attributes['http.response.status_code'])).toEqual([200, 404]);
  expect(attempts.map((span) => span.parentSpanContext?.spanId)).toEqual([caller.spanContext().spanId, undefined]);
  // That of the call which the cache answered.
  expect(calls.map(({ attributes }) => attributes['macadam.http.attempts'])).toEqual([0]);
  const durations = (await collected()).get('http.client.request.duration') ?? [];
  expect(durations.map(({ value }) => (value as { count: number }).count)).toEqual([1, 1]);
});

describe('over real sockets', () => {
  test('network.protocol.version is set', async () => {
    upstream = await startFaultServer({ faults: [{ fault: closeKeepAlive() }] });
    const client = clientFor({ baseUrl: upstream.url, clock: undefined as never });
    await client.get('/a');
    const { attempts } = await ended();
    expect(attempts.map(({ attributes }) => attributes['network.protocol.version'])).toEqual(['1.1']);
  });

  test('@opentelemetry/instrumentation-undici creates no second span and no other traceparent', async () => {
    upstream = await startFaultServer({ faults: [{ fault: respond(503), when: { requests: [1, 1] } }] });
    const instrumentation = new UndiciInstrumentation();
    instrumentation.setTracerProvider(provider);
    instrumentation.enable();
    try {
      const client = clientFor({ baseUrl: upstream.url, clock: undefined as never });
      await client.get('/a');
      await (await client.fetch('/b')).text();
      const { body } = await client.stream('GET', '/c', {});
      await body.resume().toArray();
      // Whoever uses undici without this client is still instrumented.
      const other = await request(upstream.url);
      await other.body.dump();
    } finally {
      instrumentation.disable();
    }
    await provider.forceFlush();
    const clientSpans = spans.getFinishedSpans().filter(({ kind }) => kind === SpanKind.CLIENT);
    const scopes = clientSpans.map(({ instrumentationScope }) => instrumentationScope.name);
    expect(scopes).toEqual([
      ...Array.from({ length: 4 }, () => '@macadam/http'),
      '@opentelemetry/instrumentation-undici',
    ]);
    const sent = upstream.requests.slice(0, 4).map(({ headers }) => headers['traceparent']);
    expect(sent).toEqual(
      clientSpans.slice(0, 4).map((span) => `00-${span.spanContext().traceId}-${span.spanContext().spanId}-01`),
    );
  });

  test('each attempt propagates its own span', async () => {
    upstream = await startFaultServer({
      faults: [
        { when: { requests: [1, 1] }, fault: resetBeforeHeaders() },
        { when: { requests: [2, 2] }, fault: respond(503) },
      ],
    });
    const client = clientFor({
      baseUrl: upstream.url,
      clock: undefined as never,
      retry: { backoff: constant({ delayMs: 0 }), throttledBaseMs: 0 },
    });
    await client.get('/a');
    const { attempts } = await ended();
    const expected = attempts.map((span) => `00-${span.spanContext().traceId}-${span.spanContext().spanId}-01`);
    expect(upstream.requests.map(({ headers }) => headers['traceparent'])).toEqual(expected);
    expect(expected).toHaveLength(3);
  });
});

describe('propagation', () => {
  test('sends nothing to external peers', async () => {
    const dispatcher = scriptedDispatcher({ status: 200 });
    await clientFor({ dispatcher, peer: 'external' }).get('/a');
    expect(dispatcher.headersOf(0)).not.toHaveProperty('traceparent');
  });

  test('uses the propagator that is registered, and sends baggage only if configured', async () => {
    propagation.setGlobalPropagator({
      fields: () => ['x-trace', 'baggage'],
      extract: (from) => from,
      inject: (from, carrier, setter) => {
        setter.set(carrier, 'X-Trace', trace.getSpanContext(from)?.traceId ?? '');
        const entries = propagation.getBaggage(from)?.getAllEntries() ?? [];
        if (entries.length > 0)
          setter.set(carrier, 'baggage', entries.map(([key, { value }]) => `${key}=${value}`).join());
      },
    });
    const dispatcher = scriptedDispatcher({ status: 200 });
    const carried = propagation.setBaggage(context.active(), propagation.createBaggage({ plan: { value: 'pro' } }));
    await context.with(carried, () => clientFor({ dispatcher }).get('/a'));
    await context.with(carried, () => clientFor({ dispatcher, baggage: true }).get('/a'));
    expect(dispatcher.headersOf(0)).toMatchObject({ 'x-trace': expect.stringMatching(/^[\da-f]{32}$/) });
    expect(dispatcher.headersOf(0)).not.toHaveProperty('baggage');
    expect(dispatcher.headersOf(1)).toMatchObject({ baggage: 'plan=pro' });
  });

  test('gives the propagator a context to derive others from', async () => {
    const [mine, other] = [createContextKey('mine'), createContextKey('other')];
    const seen: unknown[] = [];
    propagation.setGlobalPropagator({
      fields: () => ['x-seen'],
      extract: (from) => from,
      inject(from) {
        const derived = from.setValue(other, 2).setValue(other, 3);
        seen.push(from.getValue(mine), from.getValue(other), derived.getValue(mine), derived.getValue(other));
        const cleared = derived.deleteValue(other).deleteValue(mine);
        seen.push(cleared.getValue(mine), cleared.getValue(other), trace.getSpan(cleared) === trace.getSpan(from));
      },
    });
    const carried = context.active().setValue(mine, 1);
    await context.with(carried, () => clientFor({ dispatcher: scriptedDispatcher({ status: 200 }) }).get('/a'));
    expect(seen).toEqual([1, undefined, 1, 3, undefined, undefined, true]);
    expect(carried.getValue(mine)).toBe(1);
  });

  test.each<[string, string, unknown]>([
    ['a line break', 'x-bad', 'a\r\nx-injected: 1'],
    ['what is not Latin-1', 'x-bad', '\u20ac'],
    ['nothing', 'x-bad', undefined],
    ['an empty name', '', 'a'],
    ['another host', 'Host', 'elsewhere'],
    ['what the connection sets', 'transfer-encoding', 'chunked'],
  ])('does not let a propagator break a request, which sets %s', async (_, name, value) => {
    upstream = await startFaultServer();
    propagation.setGlobalPropagator({
      fields: () => ['x-good', name],
      extract: (from) => from,
      inject(_from, carrier, setter) {
        setter.set(carrier, 'x-good', '1');
        setter.set(carrier, name, value as string);
      },
    });
    const client = clientFor({ baseUrl: upstream.url, clock: undefined as never });
    await client.get('/a');
    const { headers } = upstream.requests[0] as FaultServer['requests'][number];
    expect(headers).toMatchObject({ 'x-good': '1', traceparent: expect.any(String), host: new URL(upstream.url).host });
    for (const bad of ['x-bad', 'x-injected', 'transfer-encoding']) expect(headers).not.toHaveProperty(bad);
  });

  test('does not let a propagator break a request, which throws', async () => {
    const broken = (): never => {
      throw new Error('broken');
    };
    for (const fields of [broken, () => ['x']]) {
      propagation.disable();
      propagation.setGlobalPropagator({ fields, extract: (from) => from, inject: broken });
      const dispatcher = scriptedDispatcher({ status: 200 });
      await clientFor({ dispatcher }).get('/a');
      expect(dispatcher.headersOf(0)).toHaveProperty('traceparent');
    }
  });

  test('keeps a traceparent of the caller', async () => {
    const dispatcher = scriptedDispatcher({ status: 200 });
    await clientFor({ dispatcher }).get('/a', { headers: { traceparent: 'mine' } });
    expect((dispatcher.sent[0]?.headers as string[]).filter((header) => header === 'traceparent')).toHaveLength(1);
    expect(dispatcher.headersOf(0)['traceparent']).toBe('mine');
  });

  test('takes a header with the value "traceparent" for what it is', async () => {
    const dispatcher = scriptedDispatcher({ status: 200 });
    await clientFor({ dispatcher }).get('/a', { headers: { 'x-filter': 'traceparent' } });
    expect(dispatcher.headersOf(0)).toMatchObject({ 'x-filter': 'traceparent', traceparent: expect.any(String) });
  });

  test.each<[string, Partial<HttpClientOptions>]>([
    ['baggage', { baggage: true, peer: 'external' }],
    ['baggage', { baggage: 'yes' as never }],
  ])('rejects a wrong %s', (path, options) => {
    expect(() => clientFor(options)).toThrow(
      expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path: `createHttpClient.${path}` }),
    );
  });
});

describe('metrics', () => {
  test('a shutdown of the SDK exports every duration', async () => {
    const client = clientFor({ dispatcher: scriptedDispatcher({ status: 200 }) });
    for (let calls = 0; calls < 17; calls++) await client.get('/a');
    await reader.shutdown();
    const exported = points.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
    const durations = exported.find(({ descriptor }) => descriptor.name === 'http.client.request.duration');
    expect(durations?.dataPoints).toMatchObject([{ value: { count: 17 } }]);
  });

  test('http.client.request.duration is in seconds, for each attempt, without the waits between them', async () => {
    const client = clientFor({
      dispatcher: scriptedDispatcher({ status: 503, delayMs: 20, clock }, { status: 200, delayMs: 40, clock }),
    });
    await clock.runUntil(client.get('/invoices/{id}', { params: { id: 'a' } }));
    const series = (await collected()).get('http.client.request.duration');
    const shared = { 'http.request.method': 'GET', 'server.address': 'billing.internal', 'server.port': 8080 };
    expect(series?.map(({ attributes, value }) => [attributes, (value as { sum: number }).sum])).toEqual([
      [{ ...shared, 'http.response.status_code': 503, 'error.type': '503' }, 0.02],
      [{ ...shared, 'http.response.status_code': 200 }, 0.04],
    ]);
    expect((series?.[0]?.value as { buckets: { boundaries: number[] } }).buckets.boundaries).toEqual([
      0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
    ]);
  });

  test('statistics are read when metrics are collected; clients with the same name are summed', async () => {
    const dispatcher = scriptedDispatcher(
      { status: 503 },
      { status: 200, headers: { 'cache-control': 'max-age=60' }, body: 'x' },
    );
    const client = clientFor({ name: 'counted', dispatcher, cache: {} });
    await clock.runUntil(client.get('/a'));
    await client.get('/a');
    await clientFor({ name: 'counted', dispatcher: scriptedDispatcher({ status: 404 }) })
      .get('/a')
      .catch(() => {});
    const all = await collected();
    const numbers = Object.fromEntries(
      [...all].flatMap(([name, series]) =>
        name.startsWith('macadam.http.')
          ? series.map(({ attributes, value }) => [`${name.slice(20)} ${Object.values(attributes).join()}`, value])
          : [],
      ),
    );
    expect(numbers).toMatchObject({
      'calls counted,success': 2,
      'calls counted,failure': 1,
      'in_flight counted': 0,
      'attempts counted': 3,
      'retries counted': 1,
      'retry_budget.refused counted': 0,
      'cache.calls counted,hit': 1,
      'cache.calls counted,miss': 1,
      'cache.entries counted': 1,
    });
  });

  test('of endpoints, ejections and regions exist only for clients with endpoints', async () => {
    const dispatcher = scriptedDispatcher({ status: 500 });
    const endpoints = ['a', 'b', 'c'].map((host) => ({ url: `http://${host}.internal`, region: host }));
    const balanced = {
      name: 'balanced',
      baseUrl: undefined as never,
      endpoints,
      circuitBreaker: false,
      retry: false,
    } as const;
    const client = clientFor({ ...balanced, dispatcher });
    for (let i = 0; i < 18; i++) await client.get('/a').catch(() => {});
    await clientFor({ name: 'alone', dispatcher, retry: false })
      .get('/a')
      .catch(() => {});
    const all = await collected();
    const told = ['endpoints', 'endpoint.ejections', 'regions', 'region.changes'].flatMap((name) =>
      all.get(`macadam.http.client.${name}`)?.map(({ attributes, value }) => [Object.values(attributes), value]),
    );
    // Clients of other tests may be around still.
    const ours = told.filter((one) => ['balanced', 'alone'].includes((one?.[0] as string[])[0] as string));
    expect(ours).toEqual([
      [['balanced', 'available'], 2],
      [['balanced', 'circuitOpen'], 0],
      [['balanced', 'ejected'], 1],
      [['balanced', 'consecutiveFailures'], 1],
      [['balanced', 'failureRate'], 0],
      [['balanced', 'successRate'], 0],
      [['balanced', 'active'], 1],
      [['balanced', 'standby'], 1],
      [['balanced', 'down'], 1],
      [['balanced', 'down'], 1],
      [['balanced', 'up'], 0],
    ]);
  });
});

test('calls, attempts and their duration are annotated on the current work', async () => {
  const client = clientFor({
    dispatcher: scriptedDispatcher({ status: 503, delayMs: 20, clock }, { status: 200, delayMs: 40, clock }),
  });
  await runWork({ clock }, async () => {
    await clock.runUntil(client.get('/a'));
    await clock.runUntil(client.get('/b'));
    expect(currentWork()?.annotations).toEqual({ httpCalls: 2, httpAttempts: 3, httpMs: 200 });
  });
});

test('without an SDK no span, context or header is created', async () => {
  trace.disable();
  metrics.disable();
  const contexts: unknown[] = [];
  context.disable();
  context.setGlobalContextManager({
    active: () => {
      throw new Error('the context was asked for');
    },
    with: () => {
      throw new Error('a context was entered');
    },
    bind: (_, target) => target,
    enable() {
      return this;
    },
    disable() {
      return this;
    },
  });
  const dispatcher = scriptedDispatcher({ status: 200 });
  await clientFor({ dispatcher }).get('/a');
  expect(contexts).toEqual([]);
  expect(dispatcher.headersOf(0)).not.toHaveProperty('traceparent');
});

test('a broken SDK does not break calls', async () => {
  const broken = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: undefined as never })] });
  trace.disable();
  trace.setGlobalTracerProvider(broken);
  const client = clientFor({ dispatcher: scriptedDispatcher({ status: 503 }, { status: 200, body: 'x' }) });
  expect((await clock.runUntil(client.get('/a'))).text()).toBe('x');
});

test('uses an SDK that is registered after the client was created', async () => {
  trace.disable();
  metrics.disable();
  const client = clientFor({ dispatcher: scriptedDispatcher({ status: 200 }) });
  await client.get('/a');
  trace.setGlobalTracerProvider(provider);
  metrics.setGlobalMeterProvider(meters);
  await client.get('/a');
  expect((await ended()).attempts).toHaveLength(1);
  expect((await collected()).has('macadam.http.client.calls')).toBe(true);
});
