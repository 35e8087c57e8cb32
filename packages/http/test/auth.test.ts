import { inspect } from 'node:util';
import { currentWork, MacadamError, runWork } from '@macadam/core';
import { constant, retry } from '@macadam/resilience';
import { resetBeforeHeaders, respond, startFaultServer, type Fault, type FaultServer } from '@macadam/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  basic,
  type AuthorizableRequest,
  type HttpAuth,
  type HttpClient,
  type HttpClientOptions,
} from '../src/index.ts';
import { closeClients, failure, noBackoffClient } from './client-helpers.ts';

let upstream: FaultServer;

beforeEach(async () => {
  upstream = await startFaultServer();
});
afterEach(async () => {
  await upstream.close();
  await closeClients();
});

function clientFor(auth: HttpAuth, options: Partial<HttpClientOptions> = {}): HttpClient {
  return noBackoffClient({ baseUrl: upstream.url, auth, ...options });
}

/** Tokens `t1`, `t2`, …; a new one after each that was given back. */
function tokens(): HttpAuth & { readonly given: number; readonly rejected: string[] } {
  const rejected: string[] = [];
  let number = 1;
  let given = 0;
  return {
    authorize: async () => {
      given++;
      return Promise.resolve({ authorization: `Bearer t${number}` });
    },
    invalidate: ({ authorization = '' }) => {
      rejected.push(authorization);
      number++;
    },
    rejected,
    get given() {
      return given;
    },
  };
}

const sent = () => upstream.requests.map(({ headers }) => headers.authorization);

describe('auth', () => {
  test('calls authorize for every attempt', async () => {
    await upstream.setFaults([{ fault: respond(503), when: { requests: [1, 2] } }]);
    let number = 0;
    await clientFor({
      authorize: ({ method }, { attempt }) => ({ authorization: `${method} ${attempt} ${++number}` }),
    }).get('/a');
    expect(sent()).toEqual(['GET 1 1', 'GET 2 2', 'GET 3 3']);
  });

  test('passes URL, headers and body to authorize, and its headers replace others of the same name', async () => {
    const seen: AuthorizableRequest[] = [];
    const client = clientFor({
      authorize: (request) => {
        seen.push({ method: request.method, url: request.url, headers: request.headers, body: request.body });
        return { authorization: 'signed' };
      },
    });
    await client.post('/i/{id}', {
      params: { id: 7 },
      query: { a: 'ä' },
      json: { b: 1 },
      headers: { authorization: 'mine', 'x-list': ['1', '2'] },
    });
    expect(seen).toMatchObject([
      {
        method: 'POST',
        url: `${upstream.url}/i/7?a=%C3%A4`,
        headers: { 'content-type': 'application/json', 'x-list': '1, 2' },
        body: '{"b":1}',
      },
    ]);
    expect(sent()).toEqual(['signed']);
  });

  test('basic() sends user and password as Basic credentials', async () => {
    await clientFor(basic('Aladdin', 'open sesame')).get('/a');
    expect(sent()).toEqual(['Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==']);
  });

  test.each([
    ['a colon in the user', 'a:b', 'c'],
    ['a line break in the password', 'a', 'canary\r\n'],
  ])('basic() rejects %s without showing it', (_what, user, password) => {
    expect(() => basic(user, password)).toThrowError(expect.objectContaining({ code: 'MAC_INVALID_OPTIONS' }));
    expect(() => basic(user, password)).not.toThrowError(/canary/);
  });
});

describe('a 401', () => {
  test('AC41: invalidates the credentials and repeats the request with new ones, without using up an attempt', async () => {
    await upstream.setFaults([{ fault: respond(401), when: { requests: [1, 1] } }]);
    const auth = tokens();
    const { status, attempts } = await clientFor(auth, { retry: false }).post('/a', { json: { a: 1 } });
    expect(status).toBe(200);
    expect(attempts.map((one) => one.status)).toEqual([401, 200]);
    expect(sent()).toEqual(['Bearer t1', 'Bearer t2']);
    expect(auth.rejected).toEqual(['Bearer t1']);
    expect(upstream.requests.map(({ bodyText }) => bodyText)).toEqual(['{"a":1}', '{"a":1}']);
  });

  test('calls authorize again in the asynchronous context of the caller', async () => {
    await upstream.setFaults([{ fault: respond(401), when: { requests: [1, 1] } }]);
    const tenants: unknown[] = [];
    const hook: HttpAuth = {
      authorize: () => ({ authorization: String(tenants.push(currentWork()?.tenant)) }),
      invalidate() {},
    };
    const client = clientFor(hook);
    await runWork({ tenant: 'somebody else' }, () => client.get('/warm-up'));
    await upstream.setFaults([{ fault: respond(401), when: { requests: [1, 1] } }]);
    tenants.length = 0;
    await runWork({ tenant: 'acme' }, () => client.get('/a'));
    expect(tenants).toEqual(['acme', 'acme']);
  });

  test('is final the second time in a call', async () => {
    await upstream.setFaults([{ fault: respond(401) }]);
    const auth = tokens();
    const error = await failure(clientFor(auth).get('/a'));
    expect(error).toMatchObject({ code: 'MAC_HTTP_STATUS', status: 401, gaveUp: 'notRetryable' });
    expect(auth.rejected).toHaveLength(1);
    expect(upstream.requests).toHaveLength(2);
  });

  test('is final for a hook without invalidate', async () => {
    await upstream.setFaults([{ fault: respond(401) }]);
    expect(await failure(clientFor(basic('a', 'b')).get('/a'))).toMatchObject({ status: 401 });
    expect(upstream.requests).toHaveLength(1);
  });

  test('is final when the body was a stream that cannot be sent again', async () => {
    await upstream.setFaults([{ fault: respond(401) }]);
    async function* long() {
      for (let i = 0; i < 20; i++) yield Promise.resolve(Buffer.alloc(100_000));
    }
    expect(await failure(clientFor(tokens()).put('/a', { body: long() }))).toMatchObject({ status: 401 });
    expect(upstream.requests).toHaveLength(1);
  });
});

describe('an auth hook', () => {
  test('ends the call when authorize throws, with the error as cause', async () => {
    const cause = new Error('no token');
    const error = await failure(clientFor({ authorize: () => Promise.reject(cause) }).get('/a'));
    expect(error).toMatchObject({ code: 'MAC_HTTP_REQUEST', part: 'auth', cause, retryable: false, method: 'GET' });
    expect(upstream.requests).toHaveLength(0);
  });

  test('that throws a Macadam error rejects with that error, retries it if retryable, and does not count against the server', async () => {
    let asked = 0;
    const auth: HttpAuth = {
      authorize() {
        asked++;
        throw new MacadamError('no token', { code: 'MAC_TOKEN_REQUEST', retryable: true });
      },
    };
    const client = clientFor(auth, { circuitBreaker: {} });
    for (let i = 0; i < 5; i++) await failure(client.get('/a'));
    expect(await failure(client.get('/a'))).toMatchObject({ code: 'MAC_TOKEN_REQUEST' });
    expect(asked).toBeGreaterThan(6);
    expect(upstream.requests).toHaveLength(0);
  });

  test.each<[string, Fault, Partial<HttpClientOptions>]>([
    ['a response of another server', respond(401, { text: 'of the token endpoint' }), {}],
    ['a failure of another server', respond(503), {}],
    ['another connection', resetBeforeHeaders(), {}],
    ['another connection, with requests that are shared', resetBeforeHeaders(), { dedupe: true }],
    ['a response of another server, with shared requests', respond(401), { dedupe: true }],
  ])(
    'that throws %s has it as cause, is no response to this call, and does not count against its server',
    async (_what, fault, options) => {
      const issuer = await startFaultServer();
      await issuer.setFaults([{ fault }]);
      const tokens = noBackoffClient({ baseUrl: issuer.url, retry: false, circuitBreaker: false });
      const authorize = async () => ({ authorization: String((await tokens.post('/token')).data) });
      const client = clientFor({ authorize }, { retry: false, circuitBreaker: {}, throwOnStatus: false, ...options });
      const calls = [() => client.get('/a'), () => client.fetch('/a'), () => client.post('/a', { json: 1 })];
      for (const call of [...calls, ...calls, ...calls]) {
        const error = await failure(call());
        expect(error).toMatchObject({ code: 'MAC_HTTP_REQUEST', part: 'auth', cause: { url: `${issuer.url}/token` } });
        expect((error as Error).message).toContain(`${upstream.url}/a`);
      }
      expect(upstream.requests).toHaveLength(0);
      await issuer.close();
    },
  );

  test('that waits for a retry of another call does not hand out its response', async () => {
    const issuer = await startFaultServer({ faults: [{ fault: respond(503) }] });
    const tokens = noBackoffClient({ baseUrl: issuer.url, retry: false, circuitBreaker: false });
    const again = retry({ maxAttempts: 2, backoff: constant({ delayMs: 0 }), throttledBaseMs: 0, budget: false });
    // As a token that several calls wait for: obtained outside of all of them.
    const token = again.execute(() => tokens.post('/token', { idempotent: true }));
    await failure(token);
    const authorize = async () => ({ authorization: String((await token).data) });
    const client = clientFor({ authorize }, { retry: false, throwOnStatus: false });
    for (const call of [client.get('/a'), client.fetch('/a')]) {
      const cause = { code: 'MAC_ATTEMPTS_EXHAUSTED' };
      expect(await failure(call)).toMatchObject({ code: 'MAC_HTTP_REQUEST', part: 'auth', cause });
    }
    await issuer.close();
  });

  test('that returns invalid headers fails the call without showing them', async () => {
    const error = await failure(clientFor({ authorize: () => ({ authorization: 'canary\r\nx: y' }) }).get('/a'));
    expect(error).toMatchObject({ code: 'MAC_INVALID_OPTIONS' });
    expect(inspect(error, { depth: 10 })).not.toContain('canary');
    expect(upstream.requests).toHaveLength(0);
  });

  test('received() gets every response to an authorized request, also of streams, and its errors are ignored', async () => {
    await upstream.setFaults([
      { fault: respond(401, { headers: { 'dpop-nonce': 'n1' } }), when: { requests: [1, 1] } },
    ]);
    const received: unknown[] = [];
    let number = 0;
    const client = clientFor({
      authorize: () => ({ authorization: `t${++number}` }),
      invalidate: () => {},
      received: ({ authorization }, { status, origin, headers }) => {
        received.push([authorization, status, origin, headers.get('DPoP-Nonce')]);
        throw new Error('not interested');
      },
    });
    expect((await client.get('/a')).status).toBe(200);
    const { body } = await client.stream('GET', '/b', {});
    await body.resume().toArray();
    expect(received).toEqual([
      ['t1', 401, upstream.url, 'n1'],
      ['t2', 200, upstream.url, undefined],
      ['t3', 200, upstream.url, undefined],
    ]);
  });

  test('received() gets repeated headers joined: a challenge may stand beside another', async () => {
    const challenges = ['Bearer realm="api"', 'DPoP error="use_dpop_nonce"'];
    await upstream.setFaults([{ fault: respond(401, { headers: { 'www-authenticate': challenges } }) }]);
    const received: unknown[] = [];
    const client = clientFor({
      authorize: () => ({ authorization: 'x' }),
      received: (_sent, { headers }) =>
        void received.push(headers.get('WWW-Authenticate'), headers.get('none'), headers.get('toString')),
    });
    await failure(client.get('/a'));
    expect(received).toEqual([challenges.join(', '), undefined, undefined]);
  });

  test('received() that rejects later causes no unhandled rejection', async () => {
    const unhandled: unknown[] = [];
    const listen = (reason: unknown): number => unhandled.push(reason);
    process.on('unhandledRejection', listen);
    const received = (() => Promise.reject(new Error('too late'))) as () => void;
    const client = clientFor({ authorize: () => ({ authorization: 'x' }), received });
    expect((await client.get('/a')).status).toBe(200);
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', listen);
    expect(unhandled).toEqual([]);
  });

  test('that never resolves ends with the attempt timeout, which aborts its signal, and nothing is sent later', async () => {
    let given: AbortSignal | undefined;
    let answer!: (headers: { authorization: string }) => void;
    const client = clientFor(
      {
        authorize: (_request, { signal }) => {
          given = signal;
          return new Promise((resolve) => (answer = resolve));
        },
      },
      { timeoutMs: 50 },
    );
    expect(await failure(client.get('/a'))).toMatchObject({
      code: 'MAC_TIMEOUT',
      attempts: [{ errorCode: 'MAC_TIMEOUT' }],
    });
    expect(given?.aborted).toBe(true);
    answer({ authorization: 'late' });
    await client.close();
    expect(upstream.requests).toHaveLength(0);
  });
});

test('credentials from auth are never printed', async () => {
  await upstream.setFaults([{ fault: respond(500) }]);
  const client = clientFor(basic('user', 'canary'));
  const error = await failure(client.get('/a'));
  const shown =
    inspect(error, { depth: 20 }) + JSON.stringify(error) + client.describe() + inspect(client, { depth: 20 });
  expect(shown).not.toContain('canary');
  expect(shown).not.toContain(Buffer.from('user:canary').toString('base64'));
});

test('rejects a wrong auth option when the client is created', () => {
  expect(() => clientFor({} as HttpAuth)).toThrowError(/auth/);
  expect(() => clientFor({ authorize: () => ({}), invalidate: 1 } as unknown as HttpAuth)).toThrowError(
    /auth.invalidate/,
  );
});
