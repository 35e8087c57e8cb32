import { getEventListeners } from 'node:events';
import { inspect } from 'node:util';
import { MacadamError, runWork } from '@macadam/core';
import { bulkhead, circuitBreaker, consecutiveFailures, constant, retry, retryBudget } from '@macadam/resilience';
import { seededRandom, virtualClock } from '@macadam/testkit';
import { describe, expect, test } from 'vitest';
import { basic, createHttpClient, HttpStatusError, HttpTimeoutError, type HttpClientOptions } from '../src/index.ts';
import { scriptedDispatcher, type Script } from './scripted-dispatcher.ts';

const baseUrl = 'http://billing.internal';

function setUp(scripts: Script[], options: Partial<HttpClientOptions> = {}) {
  const clock = virtualClock({ now: Date.UTC(2026, 0, 1) });
  const dispatcher = scriptedDispatcher(...scripts);
  const client = createHttpClient({ baseUrl, clock, random: seededRandom(7), dispatcher, ...options });
  return { clock, dispatcher, client };
}

/** Runs a call in virtual time and gives its error. */
async function failure(clock: ReturnType<typeof virtualClock>, call: Promise<unknown>): Promise<unknown> {
  return clock.runUntil(
    call.then(
      () => {
        throw new Error('the call succeeded');
      },
      (error: unknown) => error,
    ),
  );
}

test('the error of a single attempt says when no time was left for another', async () => {
  const { clock, client } = setUp([{ status: 503, body: '' }], { retry: { backoff: constant({ delayMs: 600 }) } });
  expect(await failure(clock, client.get('/a', { timeoutMs: 500 }))).toMatchObject({
    message: 'GET http://billing.internal/a answered 503 (attempt 1; gave up: deadline)',
  });
});

describe('Retry-After', () => {
  test.each([
    ['seconds', { 'retry-after': '7' }, 7_000],
    ['a date', { 'retry-after': 'Thu, 01 Jan 2026 00:00:09 GMT' }, 9_000],
    [
      'a date, by the clock of the server',
      { 'retry-after': 'Fri, 02 Jan 2026 00:00:05 GMT', date: 'Fri, 02 Jan 2026 00:00:00 GMT' },
      5_000,
    ],
    ['milliseconds', { 'retry-after-ms': '2500' }, 2_500],
    ['the quota, where there is no more to go by', { ratelimit: '"default";r=0;t=6' }, 6_000],
    ['Retry-After, which takes precedence over the quota', { 'retry-after': '7', 'ratelimit-reset': '1' }, 7_000],
  ])('D18: in %s is never cut short', async (_what, headers, waitMs) => {
    const { clock, dispatcher, client } = setUp([{ status: 503, headers }, { status: 200 }]);
    const { attempts } = await clock.runUntil(client.get('/a'));
    expect(dispatcher.sent).toHaveLength(2);
    expect(attempts[1]?.waitedMs).toBeGreaterThanOrEqual(waitMs);
    clock.assertNoTimers();
  });

  test.each([
    ['D16: AC23: 9999999999', { 'retry-after': '9999999999' }, 9_999_999_999_000],
    ['2147484, one above what a timer holds', { 'retry-after': '2147484' }, 2_147_484_000],
    ['more than the minute that is waited at most', { 'retry-after': '61' }, 61_000],
    ['more than is left of the call', { 'retry-after': '31' }, 31_000],
  ])('%s ends the call at once and says when to come back', async (_what, headers, retryAfterMs) => {
    const { clock, dispatcher, client } = setUp([{ status: 429, headers }]);
    const error = await failure(clock, client.get('/a'));
    expect(error).toBeInstanceOf(HttpStatusError);
    expect(error).toMatchObject({ status: 429, retryAfterMs, gaveUp: 'retryAfterTooLong' });
    expect(error).toHaveProperty('message', expect.stringContaining('(attempt 1; gave up: retryAfterTooLong)'));
    expect(dispatcher.sent).toHaveLength(1);
    expect(clock.monotonic()).toBe(0);
  });
});

describe('time limits', () => {
  test('AC14: D17: each attempt has its own time limit; one that hangs is abandoned and retried', async () => {
    const { clock, dispatcher, client } = setUp([{}, {}, { status: 200 }], {
      attemptTimeoutMs: 100,
      retry: { backoff: constant({ delayMs: 10 }) },
    });
    const { attempts } = await clock.runUntil(client.get('/a'));
    expect(
      attempts.map(({ startedAtMs, durationMs, waitedMs, errorCode }) => [
        startedAtMs,
        durationMs,
        waitedMs,
        errorCode,
      ]),
    ).toEqual([
      [0, 100, 0, 'MAC_TIMEOUT'],
      [110, 100, 10, 'MAC_TIMEOUT'],
      [220, 0, 10, undefined],
    ]);
    expect(dispatcher.aborted).toHaveLength(2);
    clock.assertNoTimers();
  });

  test('AC15: timeoutMs bounds attempts and waits, and the last attempt gets the time left', async () => {
    const { clock, client } = setUp([{}], {
      timeoutMs: 250,
      attemptTimeoutMs: 100,
      retry: { maxAttempts: 10, backoff: constant({ delayMs: 20 }) },
    });
    const error = await failure(clock, client.get('/a'));
    expect(error).toBeInstanceOf(HttpTimeoutError);
    expect(error).toMatchObject({ code: 'MAC_TIMEOUT', gaveUp: 'deadline', timeoutMs: 250, method: 'GET' });
    expect(clock.monotonic()).toBe(250);
    expect((error as HttpTimeoutError).attempts.map(({ durationMs }) => durationMs)).toEqual([100, 100, 10]);
    clock.assertNoTimers();
  });

  test('when all attempts time out, the error is the timeout of the last', async () => {
    const { clock, client } = setUp([{}], { attemptTimeoutMs: 100, retry: { backoff: constant({ delayMs: 0 }) } });
    const error = await failure(clock, client.get('/a'));
    expect(error).toMatchObject({ code: 'MAC_TIMEOUT', gaveUp: 'maxAttempts', timeoutMs: 100 });
  });

  test('a POST is not retried after a timeout', async () => {
    const { clock, dispatcher, client } = setUp([{}], { attemptTimeoutMs: 100 });
    const error = await failure(clock, client.post('/a', { json: 1 }));
    expect(error).toMatchObject({ code: 'MAC_TIMEOUT', gaveUp: 'notRetryable', retryable: false });
    expect(dispatcher.sent).toHaveLength(1);
    expect(clock.monotonic()).toBe(100);
  });

  test('attemptTimeoutMs and timeoutMs include the body of a 2xx response', async () => {
    const { clock, client } = setUp([{ status: 200, body: 'x', stalls: true }], { timeoutMs: 300, retry: false });
    const error = await failure(clock, client.get('/a'));
    expect(error).toMatchObject({ code: 'MAC_TIMEOUT', attempts: [{ status: 200, errorCode: 'MAC_TIMEOUT' }] });
  });

  test('a request can have time limits of its own', async () => {
    const { clock, client } = setUp([{}]);
    const error = await failure(clock, client.get('/a', { timeoutMs: 40 }));
    expect(error).toMatchObject({ code: 'MAC_TIMEOUT', timeoutMs: 40, gaveUp: 'deadline' });
  });

  test('the deadline of the current work shortens a call', async () => {
    const { clock, client } = setUp([{}]);
    const call = runWork({ timeoutMs: 70, clock }, () => client.get('/a').catch((error: unknown) => error));
    expect(await clock.runUntil(call)).toMatchObject({ code: 'MAC_TIMEOUT', gaveUp: 'deadline' });
    expect(clock.monotonic()).toBe(70);
  });

  test('D1: the next attempt waits for the body of a failed one for 50 ms at most', async () => {
    const { clock, dispatcher, client } = setUp([{ status: 503, body: 'busy', stalls: true }, { status: 200 }], {
      retry: { backoff: constant({ delayMs: 0 }), throttledBaseMs: 0 },
    });
    const { attempts } = await clock.runUntil(client.get('/a'));
    expect(attempts.map(({ durationMs }) => durationMs)).toEqual([50, 0]);
    expect(dispatcher.aborted).toHaveLength(1);
    clock.assertNoTimers();
  });

  test('an error body that ends leaves no timer', async () => {
    const { clock, client } = setUp([{ status: 503, body: 'busy' }, { status: 200 }], {
      retry: { backoff: constant({ delayMs: 0 }), throttledBaseMs: 0 },
    });
    await clock.runUntil(client.get('/a'));
    expect(clock.monotonic()).toBe(0);
    clock.assertNoTimers();
  });

  const stalled = (status: number): Script => ({ status, headers: { location: '/b' }, body: 'busy', stalls: true });

  test.each<[string, number, number, Partial<HttpClientOptions>]>([
    ['a 4xx', 404, 200, { attemptTimeoutMs: 400 }],
    ['a 5xx without retries', 503, 200, { retry: false, attemptTimeoutMs: 400 }],
    ['a 401 without other credentials', 401, 200, { attemptTimeoutMs: 400, auth: basic('a', 'b') }],
    ['a redirect to a client that follows none', 302, 200, { attemptTimeoutMs: 400, redirects: false }],
    ['a 4xx of a call with little time left', 422, 150, { timeoutMs: 300 }],
    [
      'a 5xx whose retry is not allowed',
      503,
      20,
      { attemptTimeoutMs: 40, retry: { budget: retryBudget({ minPerSecond: 0, ratio: 0 }) } },
    ],
  ])(
    '%s whose body stalls is reported with its status, after half of the time left',
    async (_what, status, ms, options) => {
      const { clock, dispatcher, client } = setUp([stalled(status)], options);
      const error = (await failure(clock, client.get('/a'))) as HttpStatusError;
      expect(error).toMatchObject({
        code: 'MAC_HTTP_STATUS',
        status,
        message: expect.stringContaining(`answered ${status} (its body did not arrive within ${ms} ms)`),
        response: { bodyTruncated: true },
        attempts: [{ status, errorCode: undefined, durationMs: ms }],
      });
      expect(error.response.text()).toBe('busy');
      expect(dispatcher.aborted).toHaveLength(1);
      expect(clock.monotonic()).toBe(ms);
      clock.assertNoTimers();
    },
  );

  test('the last 5xx of several attempts keeps its status when its body stalls', async () => {
    const { clock, client } = setUp([stalled(503)], {
      attemptTimeoutMs: 400,
      retry: { backoff: constant({ delayMs: 0 }), throttledBaseMs: 0 },
    });
    const error = await failure(clock, client.get('/a'));
    expect(error).toMatchObject({ code: 'MAC_HTTP_STATUS', gaveUp: 'maxAttempts' });
    expect((error as HttpStatusError).attempts.map(({ durationMs }) => durationMs)).toEqual([50, 50, 200]);
  });

  test('the body of a second 401 may take as long as that of any final response', async () => {
    const auth = { authorize: () => ({ authorization: 'token' }), invalidate() {} };
    const { clock, client } = setUp([{ status: 401 }, stalled(401)], { attemptTimeoutMs: 400, auth });
    await failure(clock, client.get('/a'));
    expect(clock.monotonic()).toBe(200);
  });

  test.each<[string, Script, Partial<HttpClientOptions>, RequestInit]>([
    ['a 401 without other credentials', stalled(401), { auth: basic('a', 'b') }, {}],
    ['a redirect to a client that follows none', stalled(302), { redirects: false }, {}],
    ['a redirect that is left to the caller', stalled(302), {}, { redirect: 'manual' }],
  ])('fetch() streams the body of %s', async (_what, script, options, init) => {
    const { clock, client } = setUp([script], options);
    const response = await clock.runUntil(client.fetch('/a', init));
    expect(clock.monotonic()).toBe(0);
    expect(response.status).toBe(script.status);
    await response.body?.cancel();
  });

  test.each([401, 307])('fetch() does not hand out the body of a %d that is retried', async (status) => {
    const retry = { statuses: [status], backoff: constant({ delayMs: 0 }) };
    const { clock, dispatcher, client } = setUp([stalled(status), { status: 200, body: 'ok' }], { retry });
    const response = await clock.runUntil(client.fetch('/a', { redirect: 'manual' }));
    expect(await response.text()).toBe('ok');
    expect(dispatcher.aborted).toHaveLength(1);
    clock.assertNoTimers();
  });

  test('of a redirect that fetch() has to follow and may not is read whole', async () => {
    const script = { ...stalled(302), headers: { location: 'ftp://b' } };
    const { clock, dispatcher, client } = setUp([script], { attemptTimeoutMs: 400 });
    const error = await failure(clock, client.fetch('/a'));
    expect(error).toMatchObject({ status: 302, redirectRefused: 'invalidLocation' });
    expect((error as HttpStatusError).response.text()).toBe('busy');
    expect(clock.monotonic()).toBe(200);
    expect(dispatcher.aborted).toHaveLength(1);
  });

  test('with throwOnStatus: false, a stalled body resolves with what arrived of it', async () => {
    const { clock, client } = setUp([stalled(404)], { attemptTimeoutMs: 400, throwOnStatus: false });
    const response = await clock.runUntil(client.get('/a'));
    expect(response).toMatchObject({ status: 404, bodyTruncated: true });
    expect(() => response.data).toThrow(expect.objectContaining({ code: 'MAC_HTTP_DECODE', reason: 'truncated' }));
  });

  test('the deadline of the current work shortens the wait for a stalled body', async () => {
    const { clock, client } = setUp([stalled(404)]);
    const call = runWork({ timeoutMs: 70, clock }, () => client.get('/a').catch((error: unknown) => error));
    expect(await clock.runUntil(call)).toMatchObject({ code: 'MAC_HTTP_STATUS', status: 404 });
    expect(clock.monotonic()).toBe(35);
  });
});

describe('a caller that cancels', () => {
  const reason = new Error('the user went away');

  test('AC13: during backoff settles in the same turn with the reason, and nothing more is sent', async () => {
    const { clock, dispatcher, client } = setUp([{ status: 503 }], {
      retry: { backoff: constant({ delayMs: 5_000 }) },
    });
    const abort = new AbortController();
    const call = client.get('/a', { signal: abort.signal }).catch((error: unknown) => error);
    await clock.advance(1_000);
    abort.abort(reason);
    expect(await call).toBe(reason);
    expect(clock.monotonic()).toBe(1_000);
    await clock.advance(10_000);
    expect(dispatcher.sent).toHaveLength(1);
    clock.assertNoTimers();
  });

  test('D14: during an attempt aborts it, and is neutral to the circuit breaker', async () => {
    const { clock, dispatcher, client } = setUp([{}], { circuitBreaker: {} });
    for (let i = 0; i < 10; i++) {
      const abort = new AbortController();
      const call = client.get('/a', { signal: abort.signal }).catch((error: unknown) => error);
      await clock.advance(1);
      abort.abort(reason);
      expect(await call).toBe(reason);
    }
    expect(dispatcher.aborted).toHaveLength(10);
    expect(client.stats().policies['circuitBreaker']).toMatchObject({ state: 'closed', failures: 0 });
  });

  const forever = (): Promise<never> => new Promise(() => {});
  const ENDPOINTS = { name: 'billing', baseUrl: undefined, dispatcher: undefined, endpoints: forever } as never;

  test.each<[string, Partial<HttpClientOptions>]>([
    ['an attempt', {}],
    ['a shared request', { dedupe: true }],
    ['the credentials of a shared request', { dedupe: true, auth: { authorize: forever } }],
    ['the list of endpoints', ENDPOINTS],
    ['the credentials that the cache asks for', { cache: { mode: 'private' }, auth: { authorize: forever } }],
  ])('through the signal of the work or of the request settles while it waits for %s', async (_what, options) => {
    for (const leave of ['work', 'request'] as const) {
      for (const how of ['get', 'fetch'] as const) {
        const { clock, client } = setUp([{}], options);
        const work = new AbortController();
        const request = new AbortController();
        const call = runWork({ signal: work.signal, clock }, () =>
          client[how]('/a', { signal: request.signal }).catch((error: unknown) => error),
        );
        await clock.advance(1);
        (leave === 'work' ? work : request).abort(reason);
        await clock.advance(1);
        expect(await Promise.race([call, Promise.resolve('still waiting')])).toBe(reason);
        expect([work, request].map(({ signal }) => getEventListeners(signal, 'abort').length)).toEqual([0, 0]);
      }
    }
  });

  test.each(['work', 'request'] as const)('through the signal of the %s ends a body that is read', async (leave) => {
    const { clock, client } = setUp([{ status: 200, body: 'x', stalls: true }]);
    const work = new AbortController();
    const request = new AbortController();
    const { body } = await runWork({ signal: work.signal, clock }, () =>
      client.stream('GET', '/a', { signal: request.signal }),
    );
    (leave === 'work' ? work : request).abort(reason);
    await expect(body.toArray()).rejects.toBe(reason);
  });
});

describe('a call that is cancelled with an error of Macadam', () => {
  const statusError = async (): Promise<unknown> => {
    const { clock, client } = setUp([{ status: 404, body: 'of another call' }]);
    return await failure(clock, client.get('/other'));
  };
  const timeoutError = async (): Promise<unknown> => {
    const { clock, client } = setUp([{}]);
    return await failure(clock, client.get('/other'));
  };
  const failureOf = (call: Promise<unknown>): Promise<unknown> => call.catch((error: unknown) => error);
  const exhausted = (): Promise<unknown> => {
    const down = new MacadamError('down', { code: 'MAC_DOWN', retryable: true });
    const policy = retry({ maxAttempts: 2, backoff: constant({ delayMs: 0 }), budget: false });
    return failureOf(policy.execute(() => Promise.reject(down)));
  };
  const refused = (): Promise<unknown> => {
    const policy = bulkhead({ maxConcurrent: 1 });
    void policy.execute(() => new Promise(() => {}));
    return failureOf(policy.execute(() => {}));
  };
  const open = async (): Promise<unknown> => {
    const policy = circuitBreaker({ name: 'other', trip: [consecutiveFailures({ count: 1 })] });
    await failureOf(policy.execute(() => Promise.reject(new Error('down'))));
    return await failureOf(policy.execute(() => {}));
  };

  test.each<[string, () => Promise<unknown>]>([
    ['HttpStatusError', statusError],
    ['HttpTimeoutError', timeoutError],
    ['AttemptsExhaustedError', exhausted],
    ['BulkheadFullError', refused],
    ['CircuitOpenError', open],
  ])('rejects with it, and does not change it: %s', async (name, makeReason) => {
    const why = (await makeReason()) as Error;
    expect(why.name).toBe(name);
    const before = inspect(why);
    const kinds: Partial<HttpClientOptions>[] = [{}, { dedupe: true }, { cache: { mode: 'private' } }];
    for (const script of [{}, { status: 503 }]) {
      for (const kind of kinds) {
        const { clock, client } = setUp([script], { retry: { backoff: constant({ delayMs: 1_000 }) }, ...kind });
        const abort = new AbortController();
        const { signal } = abort;
        const calls = [
          client.get('/a', { signal }),
          client.get('/a', { signal, throwOnStatus: false }),
          client.stream('GET', '/a', { signal, throwOnStatus: false }),
          client.fetch('/a', { signal }),
          runWork({ signal }, () => client.get('/a')),
        ].map((call) => failureOf(call));
        await clock.advance(1);
        abort.abort(why);
        for (const call of calls) expect(await call).toBe(why);
        expect(inspect(why)).toBe(before);
        clock.assertNoTimers();
      }
    }
  });

  test('also while its body is read', async () => {
    const why = await statusError();
    const before = inspect(why);
    for (const how of ['stream', 'fetch'] as const) {
      const { client } = setUp([{ status: 200, body: 'x', stalls: true }]);
      const abort = new AbortController();
      const { signal } = abort;
      const read =
        how === 'fetch'
          ? (await client.fetch('/a', { signal })).text()
          : (await client.stream('GET', '/a', { signal })).body.toArray();
      abort.abort(why);
      expect(await failureOf(read)).toBe(why);
      expect(inspect(why)).toBe(before);
    }
  });

  test('stores no response of another call, and serves no stale one', async () => {
    const headers = { 'cache-control': 'max-age=1, stale-if-error=1000', etag: '"1"' };
    const stored = { status: 200, headers, body: 'stored' };
    const { clock, client, dispatcher } = setUp([stored, {}, {}, {}, {}, stored], { cache: { mode: 'private' } });
    await clock.runUntil(client.get('/a'));
    await clock.advance(2_000);
    const unreachable = setUp([{ error: 'ECONNREFUSED', unsent: true }], { retry: false });
    for (const path of ['/a', '/b']) {
      const networkError = await failure(unreachable.clock, unreachable.client.get('/other'));
      for (const why of [await statusError(), networkError]) {
        const abort = new AbortController();
        const call = failureOf(client.get(path, { signal: abort.signal }));
        await clock.advance(1);
        abort.abort(why);
        expect(await call).toBe(why);
      }
    }
    expect((await clock.runUntil(client.get('/b'))).text()).toBe('stored');
    expect(dispatcher.sent).toHaveLength(6);
  });
});

describe('propagation to an internal peer', () => {
  test('sends the time left of the attempt, the priority and the attempt number', async () => {
    const { clock, dispatcher, client } = setUp([{ status: 500 }, { status: 500 }, { status: 200 }], {
      timeoutMs: 1_000,
      attemptTimeoutMs: 900,
      retry: { backoff: constant({ delayMs: 300 }) },
    });
    await clock.runUntil(client.get('/a', { priority: 'high' }));
    expect([0, 1, 2].map((i) => dispatcher.headersOf(i))).toMatchObject([
      { 'x-request-timeout-ms': '900', 'x-request-priority': 'high' },
      { 'x-request-timeout-ms': '700', 'x-request-attempt': '2' },
      { 'x-request-timeout-ms': '400', 'x-request-attempt': '3' },
    ]);
    expect(dispatcher.headersOf(0)).not.toHaveProperty('x-request-attempt');
  });

  test('sends the deadline and the priority of the current work', async () => {
    const { clock, dispatcher, client } = setUp([{ status: 200 }]);
    await clock.runUntil(runWork({ timeoutMs: 80, priority: 'background', clock }, () => client.get('/a')));
    expect(dispatcher.headersOf(0)).toMatchObject({ 'x-request-timeout-ms': '80', 'x-request-priority': 'background' });
  });

  test('sends the time left of the attempt with a request that follows within the same attempt', async () => {
    const auth = { authorize: () => ({ authorization: 'token' }), invalidate() {} };
    const { clock, dispatcher, client } = setUp([], { attemptTimeoutMs: 1_000, auth });
    const wait = { clock, delayMs: 300, body: '' };
    const scripts = [
      { ...wait, status: 302, headers: { location: '/b' } },
      { ...wait, status: 401 },
      { ...wait, status: 503 },
    ];
    const { dispatch } = scriptedDispatcher(...scripts, { ...wait, status: 200 });
    dispatcher.dispatch = (options, handler) => (dispatcher.sent.push(options), dispatch(options, handler));
    await clock.runUntil(client.get('/a'));
    const limitsMs = dispatcher.sent.map((_, i) => dispatcher.headersOf(i)['x-request-timeout-ms']);
    expect(limitsMs).toEqual(['1000', '700', '400', '1000']);
  });

  test('sends nothing to an external peer', async () => {
    const { clock, dispatcher, client } = setUp([{ status: 500 }, { status: 200 }], { peer: 'external' });
    await clock.runUntil(runWork({ timeoutMs: 5_000, priority: 'high', clock }, () => client.get('/a')));
    expect(Object.keys(dispatcher.headersOf(1))).toEqual(['accept-encoding']);
  });
});

describe('the retry budget', () => {
  test('limits an outage of 1 200 calls to a fifth more attempts and the minimum rate', async () => {
    const { clock, dispatcher, client } = setUp([{ status: 500 }], { circuitBreaker: false });
    let failed = 0;
    for (let i = 0; i < 1_200; i++) {
      void client.get('/a').catch(() => failed++);
      await clock.advance(50);
    }
    await clock.advance(30_000);
    expect(failed).toBe(1_200);
    // 60 s at 3 a second is the floor; the fifth counts calls of the last 10 s.
    expect(dispatcher.sent.length).toBeLessThanOrEqual(1_200 * 1.2 + 60 * 3 + 30);
    expect(dispatcher.sent.length).toBeGreaterThan(1_200);
  });

  test('can be shared between clients, and is named as the reason', async () => {
    const budget = retryBudget({ ratio: 0, minPerSecond: 0 });
    const { clock, dispatcher, client } = setUp([{ status: 500 }], { retry: { budget } });
    const error = await failure(clock, client.get('/a'));
    expect(error).toMatchObject({ status: 500, gaveUp: 'budget' });
    expect(error).toHaveProperty('message', expect.stringMatching(/ answered 500 \(attempt 1; gave up: budget\)$/));
    expect(dispatcher.sent).toHaveLength(1);
  });

  test('AC25: calls within an outer retry make one attempt', async () => {
    const { clock, dispatcher, client } = setUp([{ status: 500 }]);
    const outer = retry({ maxAttempts: 4, clock, budget: false, retryIf: (outcome) => !outcome.ok });
    await failure(
      clock,
      outer.execute(() => client.get('/a')),
    );
    expect(dispatcher.sent).toHaveLength(4);
  });
});

describe('backoff', () => {
  test.each([
    [500, 25],
    [502, 25],
    [429, 500],
    [503, 500],
  ])('after %d without Retry-After is drawn from up to twice %d ms', async (status, halfMs) => {
    const { clock, client } = setUp([{ status }, { status: 200 }], { random: () => 0.5 });
    const { attempts } = await clock.runUntil(client.get('/a'));
    expect(attempts[1]?.waitedMs).toBe(halfMs);
  });
});

describe('the circuit breaker', () => {
  test.each([
    ['404: the service is well', { status: 404 }, { state: 'closed', successes: 20, failures: 0 }],
    ['429: a matter of quota', { status: 429 }, { state: 'closed', neutral: 20, failures: 0 }],
    [
      'a body that is not gzip',
      { status: 200, headers: { 'content-encoding': 'gzip' }, body: 'x' },
      { state: 'closed', neutral: 20 },
    ],
    ['a reset', { error: 'ECONNRESET' }, { state: 'open', failures: 5, rejected: 15 }],
  ] as [string, Script, object][])('does not take one for the other: %s', async (_what, script, stats) => {
    const { clock, client } = setUp([script], { retry: false });
    for (let i = 0; i < 20; i++) await failure(clock, client.get('/a'));
    expect(client.stats().policies['circuitBreaker']).toMatchObject(stats);
  });

  test('opens after failures, rejects at once, and closes after successful probes', async () => {
    const { clock, dispatcher, client } = setUp(
      [...Array.from({ length: 5 }, () => ({ status: 500 })), { status: 200 }],
      { retry: false, circuitBreaker: { openMs: 1_000, openJitter: 0 } },
    );
    for (let i = 0; i < 5; i++) await failure(clock, client.get('/a'));
    expect(await failure(clock, client.get('/a'))).toMatchObject({ code: 'MAC_CIRCUIT_OPEN' });
    expect(dispatcher.sent).toHaveLength(5);
    await clock.advance(1_000);
    for (let i = 0; i < 3; i++) await clock.runUntil(client.get('/a'));
    expect(client.stats().policies['circuitBreaker']).toMatchObject({ state: 'closed' });
  });

  test('that opens between two attempts rejects with the failure that opened it', async () => {
    const { clock, dispatcher, client } = setUp([{ error: 'ECONNRESET' }], {
      retry: { maxAttempts: 10, backoff: constant({ delayMs: 1 }), budget: false },
    });
    expect(await failure(clock, client.get('/a'))).toMatchObject({
      code: 'MAC_HTTP_NETWORK',
      errorCode: 'ECONNRESET',
      gaveUp: 'circuitOpen',
    });
    expect(dispatcher.sent).toHaveLength(5);
  });
});

describe('a repeated request', () => {
  const again: Partial<HttpClientOptions> = { retry: { backoff: constant({ delayMs: 0 }), throttledBaseMs: 0 } };

  test.each([
    ['POST, 503', 'POST', {}, { status: 503 }, 1],
    ['POST with a key, 503', 'POST', { idempotencyKey: 'k' }, { status: 503 }, 3],
    ['POST said to be idempotent, reset', 'POST', { idempotent: true }, { error: 'ECONNRESET' }, 3],
    ['POST, reset after it was sent', 'POST', {}, { error: 'ECONNRESET' }, 1],
    ['POST, refused before it was sent', 'POST', {}, { error: 'ECONNREFUSED', unsent: true }, 3],
    ['GET, reset', 'GET', {}, { error: 'ECONNRESET' }, 3],
    ['GET, a body cut short', 'GET', {}, { status: 200, body: 'x', error: 'UND_ERR_SOCKET' }, 3],
    ['GET, 404', 'GET', {}, { status: 404 }, 1],
    ['GET, 501', 'GET', {}, { status: 501 }, 1],
    ['GET, a wrong certificate', 'GET', {}, { error: 'CERT_HAS_EXPIRED', unsent: true }, 1],
    ['GET said not to be idempotent, 503', 'GET', { idempotent: false }, { status: 503 }, 1],
    ['DELETE, 502', 'DELETE', {}, { status: 502 }, 3],
  ] as [string, string, object, Script, number][])('%s: %#', async (_what, method, options, script, attempts) => {
    const { clock, dispatcher, client } = setUp([script], again);
    await failure(clock, client.request(method, '/a', options));
    expect(dispatcher.sent).toHaveLength(attempts);
  });

  test('AC16: AC17: has the same body and idempotency key', async () => {
    const { clock, dispatcher, client } = setUp([{ status: 503 }, { status: 503 }, { status: 201 }], again);
    await clock.runUntil(client.post('/a', { json: { a: 1 }, idempotencyKey: true }));
    expect(new Set(dispatcher.sent.map(({ body }) => body))).toEqual(new Set(['{"a":1}']));
    const keys = new Set([0, 1, 2].map((i) => dispatcher.headersOf(i)['idempotency-key']));
    expect(keys.size).toBe(1);
    expect([...keys][0]).toMatch(/^[\da-f]{32}$/);
  });

  test('AC26: a call that exhausts its attempts does not affect the next', async () => {
    const { clock, dispatcher, client } = setUp(
      [...Array.from({ length: 3 }, () => ({ status: 500 })), { status: 500 }, { status: 200 }],
      again,
    );
    await failure(clock, client.get('/a'));
    await clock.runUntil(client.get('/b'));
    expect(dispatcher.sent).toHaveLength(5);
  });
});
