import { AsyncLocalStorage } from 'node:async_hooks';
import { currentWork, isMacadamError, MacadamError, runWork } from '@macadam/core';
import { CircuitOpenError, constant } from '@macadam/resilience';
import { respond, startFaultServer, virtualClock, type FaultServer } from '@macadam/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  createHttpClient,
  type HttpAuth,
  type HttpClient,
  type HttpClientOptions,
  type HttpDecodeError,
  type HttpStatusError,
} from '../src/index.ts';
import { scriptedDispatcher, type Script } from './scripted-dispatcher.ts';

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

test('identical requests in flight are sent once, and each caller gets a response of its own', async () => {
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

test.each(['post', 'put', 'delete'] as const)(
  'a call made after %s has ended does not join one made before',
  async (method) => {
    const clock = virtualClock();
    const dispatcher = scriptedDispatcher(
      { status: 200, body: 'old', clock, delayMs: 100 },
      { status: 500 },
      { status: 200, body: 'new', clock, delayMs: 10 },
    );
    const baseUrl = 'http://orders.internal';
    await using orders = createHttpClient({ baseUrl, dispatcher, dedupe: true, retry: false, clock });
    const ask = (): Promise<{ text(): string }> => orders.get('/a', { query: { page: 1 } });
    const early = ask();
    // However it ends: it may have been done.
    await orders[method]('/a').catch(() => {});
    const late = await clock.runUntil(Promise.all([ask(), ask()]));
    expect(late.map((one) => one.text())).toEqual(['new', 'new']);
    expect((await clock.runUntil(early)).text()).toBe('old');
    expect(dispatcher.sent).toHaveLength(3);
  },
);

test('AC36: a caller that cancels settles at once and does not affect the others', async () => {
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

test('the shared request is cancelled when the last caller has left, and the next caller starts another', async () => {
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

test('each caller has its own schema and throwOnStatus', async () => {
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

test.each<[string, Script]>([
  ['a status', { status: 404, body: 'no' }],
  ['the network', { error: 'ECONNREFUSED' }],
  ['an encoding', { status: 200, headers: { 'content-encoding': 'gzip' }, body: 'no gzip' }],
])('each caller gets an error of its own: %s', async (_, script) => {
  const dispatcher = scriptedDispatcher(script);
  const shared = createHttpClient({ baseUrl: 'http://billing.internal', dedupe: true, dispatcher, retry: false });
  const callOfOne = async (): Promise<unknown> => await shared.get('/a');
  const callOfOther = async (): Promise<unknown> => await shared.get('/a');
  const [one, other] = (await Promise.all(
    [callOfOne(), callOfOther()].map((call) => call.catch((error) => error)),
  )) as [HttpStatusError, HttpStatusError];
  expect(dispatcher.sent).toHaveLength(1);
  expect(one).toEqual(other);
  expect(isMacadamError(one) && one instanceof other.constructor && one.attempts.length).toBe(1);
  expect(one.toJSON()).toEqual(other.toJSON());
  expect(one.stack).toContain('callOfOne');
  expect(other.stack).toContain('callOfOther');
  const json = other.toJSON();
  Object.assign(one, { message: 'mine', tenant: 'a' });
  Object.assign(one.attempts[0] as object, { endpoint: 'mine' });
  expect(other.toJSON()).toEqual(json);
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

describe('a caller that joins', () => {
  const clock = virtualClock();
  const limits = { timeoutMs: 1_000, attemptTimeoutMs: 400, retry: { backoff: constant({ delayMs: 0 }) } } as const;
  const hung = (scripts: Script[] = [{}]): { shared: HttpClient; sent: readonly unknown[] } => {
    const dispatcher = scriptedDispatcher(...scripts);
    const options = { baseUrl: 'http://billing.internal', dedupe: true, clock, dispatcher, ...limits };
    return { shared: createHttpClient(options), sent: dispatcher.sent };
  };

  test('late has its own time limit, not that of the request it joins', async () => {
    const { shared, sent } = hung([{}, {}, {}, { status: 200 }]);
    const first = shared.get('/a').catch((error: { code: string }) => error.code);
    await clock.advance(900);
    const late = shared.get('/a');
    expect(await clock.runUntil(first)).toBe('MAC_TIMEOUT');
    expect((await clock.runUntil(late)).attempts).toHaveLength(1);
    expect(sent).toHaveLength(4);
    clock.assertNoTimers();
  });

  test('and times out gets the attempts of the shared request, like the first caller', async () => {
    const { shared } = hung();
    const one = (timeoutMs: number): Promise<unknown> =>
      runWork({ timeoutMs, clock }, () => shared.get('/a').catch((error: unknown) => error));
    const [first, second] = await clock.runUntil(Promise.all([one(900), one(950)]));
    expect(first).toMatchObject({ gaveUp: 'deadline', attempts: [{ durationMs: 400 }, { durationMs: 400 }, {}] });
    expect(second).toMatchObject({ gaveUp: 'deadline', attempts: { length: 3 } });
    expect((first as Error).message).toBe(
      'GET http://billing.internal/a took longer than 900 ms (attempt 3; gave up: deadline)',
    );
    expect((first as Error).stack).toContain('dedupe');
  });

  test('has an error and a response of its own', async () => {
    const script = { status: 404, headers: { 'content-type': 'application/json' }, body: '{"list":[1]}' };
    const { shared } = hung([script]);
    const errors = await Promise.all([1, 2].map(() => shared.get('/a').catch((error: unknown) => error)));
    const [one, other] = errors as HttpStatusError[];
    (one?.response.data as { list: number[] }).list.push(2);
    expect(other?.response.data).toEqual({ list: [1] });
    expect(other).toMatchObject({ status: 404, attempts: [{ status: 404 }], gaveUp: 'notRetryable' });
  });

  test('counts as a call in the annotations of its work, like the first caller', async () => {
    const { shared } = hung([{ status: 200, delayMs: 50, clock }]);
    const annotationsOf = (): Promise<unknown> =>
      runWork({ clock }, async () => {
        await shared.get('/a');
        return currentWork()?.annotations;
      });
    expect(await clock.runUntil(Promise.all([annotationsOf(), annotationsOf()]))).toEqual([
      { httpCalls: 1, httpAttempts: 1, httpMs: 50 },
      { httpCalls: 1, httpAttempts: 0, httpMs: 50 },
    ]);
  });
});

test('the error of a schema that does not match has its issues and the attempts, with and without dedupe', async () => {
  const errors = [true, false].map(async (dedupe) => {
    const retry = { throttledBaseMs: 0, backoff: constant({ delayMs: 0 }) };
    const dispatcher = scriptedDispatcher({ status: 503 }, { status: 200, body: '{"id":1}' });
    const orders = createHttpClient({ baseUrl: 'http://orders.internal', dispatcher, dedupe, retry });
    return await orders.get('/a', { schema: z.object({ id: z.string() }) }).catch((error: unknown) => error);
  });
  const [own, plain] = (await Promise.all(errors)) as HttpDecodeError[];
  expect(own?.attempts).toMatchObject([{ status: 503 }, { status: 200 }]);
  expect(own?.issues).toMatchObject([{ path: ['id'] }]);
  expect(own?.message).toBe(plain?.message);
});

test('calls that may be repeated and calls that may not do not share a request', async () => {
  const dispatcher = scriptedDispatcher({ status: 503 }, { status: 503 }, { status: 200 });
  const retry = { throttledBaseMs: 0, backoff: constant({ delayMs: 0 }) };
  const orders = createHttpClient({ baseUrl: 'http://orders.internal', dispatcher, dedupe: true, retry });
  const [once, repeatable] = await Promise.allSettled([orders.get('/a', { idempotent: false }), orders.get('/a')]);
  expect(once).toMatchObject({ status: 'rejected', reason: { status: 503, attempts: { length: 1 } } });
  expect(repeatable).toMatchObject({ status: 'fulfilled', value: { attempts: { length: 2 } } });
});

describe('with auth', () => {
  const tenants = new AsyncLocalStorage<string>();
  const sentTokens = (): unknown[] => upstream.requests.map(({ headers }) => headers['authorization']).sort();

  /** Shares requests, and gives each tenant a token of its own. */
  function clientOf(auth: Partial<HttpAuth> = {}): HttpClient {
    return createHttpClient({
      baseUrl: upstream.url,
      dedupe: true,
      auth: { authorize: () => ({ authorization: `Bearer ${tenants.getStore()}` }), ...auth },
    });
  }

  test('AC35: only callers with the same credentials share a request', async () => {
    await using shared = clientOf();
    const calls = ['a', 'b', 'a', 'b'].map((tenant) => tenants.run(tenant, () => shared.get('/a')));
    await upstream.waitForRequests(2);
    release();
    await Promise.all(calls);
    expect(sentTokens()).toEqual(['Bearer a', 'Bearer b']);
    expect(shared.stats().joined).toBe(2);
  });

  test('every attempt uses the credentials of the first caller, also after a 401', async () => {
    let number = 0;
    await using shared = clientOf({
      authorize: () => ({ authorization: `${tenants.getStore()} ${currentWork()?.tenant} ${number}` }),
      invalidate: () => void number++,
    });
    await upstream.setFaults([{ fault: respond(401), when: ({ headers }) => headers['authorization'] === 'a one 0' }]);
    release();
    await runWork({ tenant: 'one' }, () => tenants.run('a', () => shared.get('/a')));
    expect(sentTokens()).toEqual(['a one 0', 'a one 1']);
  });

  test('close() waits for a call that waits for credentials', async () => {
    let give: (headers: { authorization: string }) => void = () => {};
    const shared = clientOf({ authorize: () => new Promise((resolve) => (give = resolve)) });
    const call = shared.get('/a');
    const closed = shared.close();
    release();
    give({ authorization: 'Bearer t' });
    await new Promise((resolve) => setImmediate(resolve));
    give({ authorization: 'Bearer t' });
    expect((await call).status).toBe(200);
    await closed;
  });

  test('credentials that differ for each request are never shared', async () => {
    let nonce = 0;
    await using shared = clientOf({ authorize: () => ({ signature: String(nonce++) }) });
    const calls = [shared.get('/a'), shared.get('/a')];
    await upstream.waitForRequests(2);
    release();
    await Promise.all(calls);
  });

  test('a failure of authorize is retried like without dedupe', async () => {
    let asked = 0;
    await using shared = clientOf({
      authorize() {
        if (++asked <= 2) throw new MacadamError('busy', { code: 'MAC_TOKEN_REQUEST', retryable: true });
        return { authorization: 'token' };
      },
    });
    release();
    expect((await shared.get('/a')).status).toBe(200);
    expect(sentTokens()).toEqual(['token']);
  });

  test('the call fails when authorize fails, and waits for it within its time limit', async () => {
    const cause = new Error('no token');
    await using failing = clientOf({ authorize: () => Promise.reject(cause) });
    expect(await failing.get('/a').catch((error: unknown) => error)).toMatchObject({
      code: 'MAC_HTTP_REQUEST',
      part: 'auth',
      cause,
    });
    await using never = clientOf({ authorize: () => new Promise(() => {}) });
    const abort = new AbortController();
    const left = never.get('/a', { signal: abort.signal }).catch((error: unknown) => error);
    abort.abort(cause);
    expect(await left).toBe(cause);
    expect(upstream.requests).toHaveLength(0);
  });
});

test('a rejection by a policy is an error of each caller; the reason of an abort is passed on as it is', async () => {
  const dispatcher = scriptedDispatcher({ status: 500 });
  await using orders = createHttpClient({ baseUrl: 'http://orders.internal', dispatcher, dedupe: true, retry: false });
  const failed = (call: Promise<unknown>): Promise<Error> =>
    call.then(
      () => expect.unreachable(),
      (error: Error) => error,
    );
  for (let i = 0; i < 5; i++) await failed(orders.get('/a'));
  const [one, other] = await Promise.all([failed(orders.get('/a')), failed(orders.get('/a'))]);
  expect([one, other]).toMatchObject([{ code: 'MAC_CIRCUIT_OPEN' }, { code: 'MAC_CIRCUIT_OPEN' }]);
  expect(one).not.toBe(other);
  expect(other).toBeInstanceOf(CircuitOpenError);
  expect(orders.stats().joined).toBe(1);
  const leaving = new AbortController();
  leaving.abort(new MacadamError('the user has left', { code: 'MAC_USER_LEFT' }));
  expect(await failed(orders.get('/a', { signal: leaving.signal }))).toBe(leaving.signal.reason);
});
