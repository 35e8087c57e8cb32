import { Readable } from 'node:stream';
import { expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import {
  createHttpClient,
  jsonLines,
  sse,
  type BodyOptions,
  type ByteSource,
  type HttpAdaptiveConcurrencyOptions,
  type HttpBulkheadOptions,
  type HttpCircuitBreakerOptions,
  type HttpClientOptions,
  type HttpHedgeOptions,
  type HttpResponse,
  type HttpRetryOptions,
  type RequestOptions,
} from '../src/index.ts';

const client = createHttpClient({ name: 'billing', baseUrl: 'http://localhost:1' });
const Invoice = z.object({ id: z.string(), total: z.string().transform(Number) });

test('a path with parameters demands them', () => {
  void client.get('/invoices/{id}', { params: { id: 42 } });
  void client.get('/invoices/{id}/lines/{line}', { params: { id: 'a', line: 1n } });
  void client.get('/invoices');
  void client.get('/invoices', {});
  // @ts-expect-error the options are missing
  void client.get('/invoices/{id}');
  // @ts-expect-error params are missing
  void client.get('/invoices/{id}', { query: { page: 1 } });
  // @ts-expect-error one parameter is missing
  void client.get('/invoices/{id}/lines/{line}', { params: { id: 'a' } });
  // @ts-expect-error the path has no such parameter
  void client.get('/invoices/{id}', { params: { id: 'a', number: 2 } });
  // @ts-expect-error the path has no parameters
  void client.get('/invoices', { params: { id: 'a' } });
  // @ts-expect-error an object has no spelling in a path
  void client.get('/invoices/{id}', { params: { id: {} } });
  // @ts-expect-error the other methods as well
  void client.post('/invoices/{id}', { json: {} });
  // @ts-expect-error and request()
  void client.request('PUT', '/invoices/{id}', { json: {} });
});

test('a path that is only known at run time may have parameters', () => {
  const path = '/invoices' as string;
  void client.get(path);
  void client.get(path, { params: { id: 1 } });
});

test('the schema types the data, as its output', () => {
  expectTypeOf(client.get('/i', { schema: Invoice })).resolves.toEqualTypeOf<
    HttpResponse<{ id: string; total: number }>
  >();
  expectTypeOf(client.post('/i/{id}', { params: { id: 1 }, json: 1, schema: Invoice })).resolves.toEqualTypeOf<
    HttpResponse<{ id: string; total: number }>
  >();
  expectTypeOf(client.get('/i')).resolves.toEqualTypeOf<HttpResponse<unknown>>();
  expectTypeOf(client.get('/i', { query: { q: 'x' } })).resolves.toEqualTypeOf<HttpResponse<unknown>>();
  expectTypeOf(client.request('GET', '/i', { schema: Invoice })).resolves.toEqualTypeOf<
    HttpResponse<{ id: string; total: number }>
  >();
});

test('with throwOnStatus: false, data is typed only where ok', async () => {
  const response = await client.get('/i', { schema: Invoice, throwOnStatus: false });
  if (response.ok) expectTypeOf(response.data).toEqualTypeOf<{ id: string; total: number }>();
  else expectTypeOf(response.data).toEqualTypeOf<unknown>();
});

test('bodies, and answers as streams', async () => {
  void client.post('/i', { multipart: { a: 'x', b: [1, 2n, true], c: new File([], 'c') } });
  void client.put('/i', { multipart: new FormData() });
  void client.put('/i', { body: () => Readable.from(['x']) });
  void client.put('/i', { body: new Blob([]).stream() as unknown as AsyncIterable<Uint8Array> });
  const { body, status } = await client.stream('GET', '/i/{id}', { params: { id: 1 }, idleTimeoutMs: 5 });
  expectTypeOf(body).toEqualTypeOf<Readable>();
  expectTypeOf(status).toEqualTypeOf<number>();
  for await (const row of jsonLines(body, { schema: Invoice }))
    expectTypeOf(row).toEqualTypeOf<{ id: string; total: number }>();
  for await (const { retryMs } of sse(body)) expectTypeOf(retryMs).toEqualTypeOf<number | undefined>();
  expectTypeOf(client.fetch).toExtend<(input: string, init?: RequestInit) => Promise<Response>>();
  // @ts-expect-error a stream has no schema
  void client.stream('GET', '/i', { schema: Invoice });
  // @ts-expect-error params are missing
  void client.stream('GET', '/i/{id}');
  // @ts-expect-error an object is no stream
  void client.put('/i', { body: { a: 1 } });
});

test('what makes no sense does not compile', () => {
  // @ts-expect-error GET has no body
  void client.get('/i', { json: {} });
  // @ts-expect-error null has no spelling in a query
  void client.get('/i', { query: { a: null } });
  // @ts-expect-error a misspelt option
  void client.get('/i', { timeoutms: 1 });
  // @ts-expect-error not a schema
  void client.get('/i', { schema: { parse: () => 1 } });
  // @ts-expect-error an option that does not exist yet
  createHttpClient({ baseUrl: 'http://x', cache: true });
  createHttpClient({ name: 'x', endpoints: [{ url: 'http://x', weight: 2, region: 'eu', zone: 'a' }] });
  // @ts-expect-error a misspelt option of an endpoint
  createHttpClient({ endpoints: [{ url: 'http://x', wieght: 2 }] });
});

test('the options of each policy, and of a request, have a name', () => {
  expectTypeOf<HttpClientOptions['retry']>().toEqualTypeOf<HttpRetryOptions | false | undefined>();
  expectTypeOf<HttpClientOptions['circuitBreaker']>().toEqualTypeOf<HttpCircuitBreakerOptions | false | undefined>();
  expectTypeOf<HttpClientOptions['bulkhead']>().toEqualTypeOf<HttpBulkheadOptions | false | undefined>();
  expectTypeOf<HttpClientOptions['hedge']>().toEqualTypeOf<HttpHedgeOptions | false | undefined>();
  expectTypeOf<HttpClientOptions['adaptiveConcurrency']>().toEqualTypeOf<
    HttpAdaptiveConcurrencyOptions | false | undefined
  >();
  expectTypeOf(sse).parameter(0).toEqualTypeOf<ByteSource>();
  // A function around the client can take what the client takes.
  const send = (options: RequestOptions & BodyOptions): unknown => client.post('/i', options);
  void send({ json: {}, timeoutMs: 5 });
});

test('a policy of a client has neither unknown options nor those that follow from the client', () => {
  const baseUrl = 'http://x';
  // @ts-expect-error a misspelt option
  createHttpClient({ baseUrl, circuitBreaker: { openms: 5 } });
  // @ts-expect-error what a policy can be kept for
  createHttpClient({ baseUrl, bulkhead: { per: 'host' } });
  // @ts-expect-error the clock is that of the client
  createHttpClient({ baseUrl, retry: { clock: undefined } });
  // @ts-expect-error the budget is that of the retry
  createHttpClient({ baseUrl, hedge: { budget: undefined } });
  // @ts-expect-error `true` says nothing that the default does not
  createHttpClient({ baseUrl, circuitBreaker: true });
});

test('options that may be undefined can be passed on', () => {
  const signal = undefined as AbortSignal | undefined;
  void client.get('/i', { signal, query: undefined, timeoutMs: undefined });
});
