import { runWork } from '@macadam/core';
import { respond, startFaultServer, virtualClock, type FaultServer } from '@macadam/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { createHttpClient, type HttpClient, type HttpClientOptions } from '../src/index.ts';
import { scriptedDispatcher } from './scripted-dispatcher.ts';

let release: () => void;
let upstream: FaultServer;
let client: HttpClient;

beforeEach(async () => {
  const held = new Promise<void>((resolve) => (release = resolve));
  upstream = await startFaultServer({ handle: async () => (await held, { status: 200, json: { list: [1] } }) });
  client = createHttpClient({ baseUrl: upstream.url, dedupe: true });
});
afterEach(async () => {
  release();
  await client.close();
  await upstream.close();
});

test('identical requests in flight are one on the wire, and each caller has an answer of his own', async () => {
  const calls = [client.get('/a'), client.get('/a'), client.get('/a')];
  await upstream.waitForRequests(1);
  release();
  const [one, two] = await Promise.all(calls);
  (one?.data as { list: number[] }).list.push(2);
  expect(two?.data).toEqual({ list: [1] });
  expect(two?.attempts).toMatchObject([{ attempt: 1, status: 200 }]);
  expect(two?.headers.get('content-type')).toContain('json');
  expect(upstream.requests).toHaveLength(1);
  expect(client.stats()).toMatchObject({ calls: 1, joined: 2, inFlight: 0 });
  await client.get('/a');
  expect(upstream.requests).toHaveLength(2);
});

test('AC36: one caller who leaves settles at once and leaves the others alone', async () => {
  const abort = new AbortController();
  const left = client.get('/a', { signal: abort.signal }).catch((error: unknown) => error);
  const stays = client.get('/a');
  await upstream.waitForRequests(1);
  abort.abort(new Error('left'));
  expect(await left).toBe(abort.signal.reason);
  release();
  expect((await stays).status).toBe(200);
  expect(upstream.requests).toHaveLength(1);
});

test('when the last caller has left, the request is dropped, and the next begins anew', async () => {
  const abort = new AbortController();
  const calls = [1, 2].map(() => client.get('/a', { signal: abort.signal }).catch((error: unknown) => error));
  await upstream.waitForRequests(1);
  abort.abort(new Error('left'));
  await Promise.all(calls);
  await upstream.waitUntil(({ openConnections }) => openConnections === 0);
  release();
  expect((await client.get('/a')).status).toBe(200);
  expect(upstream.requests).toHaveLength(2);
});

test('AC35: requests with different credentials are never shared', async () => {
  const calls = ['a', 'b'].map((token) => client.get('/a', { headers: { authorization: `Bearer ${token}` } }));
  await upstream.waitForRequests(2);
  release();
  await Promise.all(calls);
  expect(upstream.requests.map(({ headers }) => headers['authorization']).sort()).toEqual(['Bearer a', 'Bearer b']);
});

test('each caller has its own schema, and its own idea of what is an error', async () => {
  await upstream.setFaults([{ fault: respond(404) }]);
  const thrown = client.get('/a').catch((error: unknown) => error);
  const response = await client.get('/a', { throwOnStatus: false });
  expect(response).toMatchObject({ status: 404, ok: false });
  expect(await thrown).toMatchObject({ code: 'MAC_HTTP_STATUS', status: 404 });
  await upstream.setFaults([]);
  release();
  const Wrong = z.object({ id: z.string() });
  const [good, bad] = await Promise.allSettled([client.get('/b'), client.get('/b', { schema: Wrong })]);
  expect([good.status, bad.status]).toEqual(['fulfilled', 'rejected']);
});

test('the deadline of one caller ends its own wait only', async () => {
  const clock = virtualClock();
  const dispatcher = scriptedDispatcher({});
  const options: HttpClientOptions = { baseUrl: 'http://billing.internal', dedupe: true, clock, dispatcher };
  const shared = createHttpClient({ ...options, timeoutMs: 1_000, retry: false });
  const ends: Record<string, number> = {};
  const one = (name: string): Promise<unknown> =>
    shared.get('/a').catch((error: { code: string }) => ((ends[name] = clock.monotonic()), error.code));
  const calls = [runWork({ timeoutMs: 100, clock }, () => one('hurried')), one('patient')];
  expect(await clock.runUntil(Promise.all(calls))).toEqual(['MAC_TIMEOUT', 'MAC_TIMEOUT']);
  expect(ends).toEqual({ hurried: 100, patient: 1_000 });
  expect(dispatcher.sent).toHaveLength(1);
});

test('is not to be had with credentials that the request does not show', () => {
  const auth = { authorize: () => ({}) };
  expect(() => createHttpClient({ baseUrl: upstream.url, dedupe: true, auth })).toThrow(/dedupe/);
});
