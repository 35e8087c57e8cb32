/** Rows of the table of peers' defects that concern spans and contexts, with the HTTP client of ours on real sockets. */
import * as core from '@macadam/core';
import { currentWork, runWork } from '@macadam/core';
import { createHttpClient, type HttpClient, type HttpClientOptions } from '@macadam/http';
import { hang, respond, slow, startFaultServer, trickle, type FaultServerOptions } from '@macadam/testkit';
import { context, SpanStatusCode, trace } from '@opentelemetry/api';
import { AggregationTemporality, InMemoryMetricExporter } from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, type ReadableSpan } from '@opentelemetry/sdk-trace';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as telemetryPackage from '../src/index.ts';
import { createLogger, withCanonicalLine, withSpan } from '../src/index.ts';
import { startTelemetry, type Telemetry } from '../src/node.ts';

const CLIENT = 2;
let spans: InMemorySpanExporter;
let metered: InMemoryMetricExporter;
const closing: (() => Promise<unknown>)[] = [];
let telemetry: Telemetry;

beforeEach(() => {
  spans = new InMemorySpanExporter();
  metered = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  telemetry = startTelemetry({
    serviceName: 'x',
    env: {},
    traces: { exporter: spans },
    metrics: { exporter: metered },
    runtimeMetrics: false,
  });
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  await telemetry.shutdown();
});

async function clientOf(server: FaultServerOptions, options: Partial<HttpClientOptions> = {}): Promise<HttpClient> {
  const upstream = await startFaultServer(server);
  const client = createHttpClient({ name: 'billing', baseUrl: upstream.url, ...options });
  closing.push(
    () => client.close(),
    () => upstream.close(),
  );
  return client;
}

async function clientSpans(): Promise<ReadableSpan[]> {
  await telemetry.flush();
  return spans.getFinishedSpans().filter(({ kind }) => kind === CLIENT);
}

/** How often a duration was recorded. */
async function recorded(): Promise<number> {
  metered.reset();
  await telemetry.flush();
  const all = metered.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  const points = all.find(({ descriptor }) => descriptor.name === 'http.client.request.duration')?.dataPoints ?? [];
  return points.reduce((sum, { value }) => sum + (value as { count: number }).count, 0);
}

describe('T21: code after a call on a reused socket runs in the context of its caller', () => {
  it('for sequential and concurrent calls', async () => {
    const client = await clientOf({});
    const one = (user: string): Promise<void> =>
      runWork({ tenant: user }, () =>
        withSpan(user, async (span) => {
          const { traceId } = span.spanContext();
          for (let calls = 0; calls < 5; calls++) {
            await client.get('/', { throwOnStatus: false });
            expect(currentWork()?.tenant).toBe(user);
            expect(trace.getActiveSpan()?.spanContext().traceId).toBe(traceId);
          }
        }),
      );
    await one('first');
    await one('second');
    await Promise.all(Array.from({ length: 20 }, (_, i) => one(`user-${i}`)));
    expect(currentWork()).toBeUndefined();
    // Each CLIENT span belongs to the trace of its caller: five per trace.
    const perTrace = new Map<string, number>();
    for (const span of await clientSpans()) {
      const { traceId } = span.spanContext();
      perTrace.set(traceId, (perTrace.get(traceId) ?? 0) + 1);
    }
    expect([...perTrace.values()]).toEqual(Array.from({ length: 22 }, () => 5));
    // For 110 calls, so sockets were reused.
    expect(client.stats().connections?.connected ?? 0).toBeLessThan(50);
  });
});

describe('T23: a context set inside of a function does not leak to its caller', () => {
  it.each([
    ['runWork', (fn: () => Promise<void>) => runWork({ tenant: 'inner' }, fn)],
    ['withSpan', (fn: () => Promise<void>) => withSpan('inner', fn)],
    [
      'withCanonicalLine',
      (fn: () => Promise<void>) =>
        withCanonicalLine(createLogger({ destination: { write: () => {} } }), { name: 'inner', tenant: 'inner' }, fn),
    ],
  ])('%s: neither before the first await of the function, nor after', async (_name, run) => {
    await withSpan('outer', async (outer) => {
      const inner = run(async () => {
        await Promise.resolve();
      });
      expect(currentWork()).toBeUndefined();
      expect(trace.getActiveSpan()).toBe(outer);
      await inner;
      expect(currentWork()).toBeUndefined();
      expect(trace.getActiveSpan()).toBe(outer);
    });
  });

  it('no exported function sets the context permanently', () => {
    const names = [...Object.keys(core), ...Object.keys(telemetryPackage)];
    expect(names.filter((name) => /^(enter|attach|activate|setCurrent|setActive)/.test(name))).toEqual([]);
    expect(context.active()).toBeDefined();
  });
});

describe('T26: a span ends, and its duration is recorded once', () => {
  it('when the body has been read', async () => {
    const client = await clientOf({ faults: [{ fault: respond(200, { body: Buffer.alloc(100_000) }) }] });
    await client.get('/');
    expect(await clientSpans()).toHaveLength(1);
    expect(await recorded()).toBe(1);
  });

  it('when a streamed body is cancelled or never read', async () => {
    const client = await clientOf({ faults: [{ fault: trickle({ everyMs: 5 }) }] });
    const cancelled = await client.stream('GET', '/', {});
    cancelled.body.destroy();
    const unread = await client.stream('GET', '/', {});
    expect(unread.status).toBe(200);
    await client.close();
    expect(await clientSpans()).toHaveLength(2);
    expect(await recorded()).toBe(2);
  });

  it('when the call times out', async () => {
    const client = await clientOf({ faults: [{ fault: hang() }] }, { timeoutMs: 50, retry: false });
    await expect(client.get('/')).rejects.toMatchObject({ code: 'MAC_TIMEOUT' });
    const [span] = await clientSpans();
    expect(span?.attributes['error.type']).toBe('MAC_TIMEOUT');
    expect(await recorded()).toBe(1);
  });
});

it('T28: a losing hedge and a call cancelled by its caller have no error', async () => {
  const client = await clientOf(
    { faults: [{ fault: slow(5_000), when: { requests: [1, 1] } }] },
    { hedge: { delayMs: 10, maxExtraLoad: 1 }, retry: false },
  );
  await client.get('/', { throwOnStatus: false });
  const attempts = await clientSpans();
  expect(attempts).toHaveLength(2);
  for (const { status, attributes } of attempts) {
    expect(status.code).toBe(SpanStatusCode.UNSET);
    expect(attributes['error.type']).toBeUndefined();
  }
});

it('T29: a URL on a span contains no credential', async () => {
  const client = await clientOf({});
  const secret = 'C4naryS3cret';
  const names = ['X-Amz-Signature', 'X-Amz-Credential', 'X-Amz-Security-Token', 'AWSAccessKeyId', 'Signature', 'sig'];
  const ours = ['X-Goog-Signature', 'access_token', 'refresh_token', 'code', 'client_secret', 'password', 'token'];
  const query = [...names, ...ours].map((name) => `${name}=${secret}`).join('&');
  await client.get(`/files?${query}&page=2`, { throwOnStatus: false });
  const [span] = await clientSpans();
  const url = String(span?.attributes['url.full']);
  expect(url).not.toContain(secret);
  expect(url).toContain('&page=');
  expect(JSON.stringify(spans.getFinishedSpans().map(({ name, attributes }) => [name, attributes]))).not.toContain(
    secret,
  );
});
