import type { HttpClient, HttpClientOptions } from '@macadam/http';
import { stubDispatcher } from '../../budgets/stub-dispatcher.ts';
import { recording, recordingByTelemetry } from '../recording.ts';
import { bareTransport } from './buffered.ts';
import { contender, type ContenderFactory } from './contender.ts';

const get = async (client: HttpClient): Promise<unknown> =>
  (await client.get('/items/{id}', { params: { id: 1 } })).data;

const SDK = ['@opentelemetry/sdk-trace', '@opentelemetry/sdk-metrics'];

const macadam = (name: string, packages: readonly string[], record: () => Promise<void>): ContenderFactory =>
  contender(name, ['@macadam/http', ...packages], async (url) => {
    await record();
    const { createHttpClient } = await import('@macadam/http');
    const client = createHttpClient({ name: 'bench', baseUrl: url });
    return { run: () => get(client), close: () => client.close() };
  });

/** A call with OpenTelemetry, compared with one without, and with manual instrumentation. */
export const observed: readonly ContenderFactory[] = [
  macadam('macadam get', [], async () => {}),
  macadam('macadam get, with startTelemetry', ['@macadam/telemetry'], recordingByTelemetry),
  macadam('macadam get, with spans and metrics', SDK, recording),
  bareTransport,
  contender('undici pool.request, a span and a histogram by hand', ['undici', ...SDK], async (url) => {
    await recording();
    const [{ Pool }, { metrics, SpanKind, trace }] = await Promise.all([
      import('undici'),
      import('@opentelemetry/api'),
    ]);
    const pool = new Pool(url);
    const tracer = trace.getTracer('bench');
    const durations = metrics.getMeter('bench').createHistogram('http.client.request.duration', { unit: 's' });
    const attributes = {
      'http.request.method': 'GET',
      'server.address': '127.0.0.1',
      'http.response.status_code': 200,
    };
    const run = (): Promise<unknown> =>
      tracer.startActiveSpan('GET', { kind: SpanKind.CLIENT, attributes }, async (span) => {
        const startedAt = performance.now();
        try {
          return await (await pool.request({ method: 'GET', path: '/items/1' })).body.json();
        } finally {
          durations.record((performance.now() - startedAt) / 1_000, attributes);
          span.end();
        }
      });
    return { run, close: () => pool.close() };
  }),
];

/** A client with this many endpoints. All lead to one server, so that only the selection of an endpoint differs. */
export const withEndpoints = (count: number): ContenderFactory =>
  contender(count.toLocaleString('en'), '@macadam/http', async (url) => {
    const [{ createHttpClient }, { Pool }] = await Promise.all([import('@macadam/http'), import('undici')]);
    const dispatcher = new Pool(url);
    const endpoints = Array.from({ length: count }, (_, i) => ({ url: `http://host-${i}.internal` }));
    const client = createHttpClient({ name: 'bench', endpoints, dispatcher: dispatcher as never });
    return {
      run: () => get(client),
      close: async () => {
        await client.close();
        await dispatcher.close();
      },
    };
  });

/** A client that has made this many calls before, answered without a socket. They must leave nothing behind. */
export const afterCalls = (calls: number): ContenderFactory =>
  contender(calls.toLocaleString('en'), '@macadam/http', async (url) => {
    const [{ createHttpClient }, { Pool, Dispatcher }] = await Promise.all([import('@macadam/http'), import('undici')]);
    const [pool, stub] = [new Pool(url), stubDispatcher('{"id":1}')];
    let left = calls;
    class StubThenPool extends Dispatcher {
      override dispatch(...[request, handler]: Parameters<typeof pool.dispatch>): boolean {
        return (left-- > 0 ? stub : pool).dispatch(request, handler);
      }
    }
    const dispatcher = new StubThenPool() as never;
    const client = createHttpClient({ name: 'bench', baseUrl: url, dispatcher } satisfies HttpClientOptions);
    while (left > 0) await get(client);
    return {
      run: () => get(client),
      close: async () => {
        await client.close();
        await pool.close();
      },
    };
  });
