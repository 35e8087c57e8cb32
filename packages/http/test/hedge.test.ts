import { MacadamError } from '@macadam/core';
import { adaptiveConcurrency, constant, retryBudget } from '@macadam/resilience';
import { seededRandom, virtualClock } from '@macadam/testkit';
import { describe, expect, test } from 'vitest';
import { createHttpClient, type HttpClientOptions } from '../src/index.ts';
import { scriptedDispatcher, type Script } from './scripted-dispatcher.ts';

function setUp(scripts: (Script | (() => Script))[], options: Partial<HttpClientOptions> = {}) {
  const clock = virtualClock();
  const dispatcher = scriptedDispatcher(...scripts);
  const client = createHttpClient({
    baseUrl: 'http://billing.internal',
    clock,
    random: seededRandom(7),
    dispatcher,
    hedge: { delayMs: 100 },
    ...options,
  });
  return { clock, dispatcher, client };
}

/** Enough calls that a share of them is one. */
async function warmUp({ clock, client }: ReturnType<typeof setUp>, calls = 40): Promise<void> {
  for (let i = 0; i < calls; i++) await clock.runUntil(client.get('/warm'));
}
const good = Array.from({ length: 40 }, () => ({ status: 200 }));

describe('a hedge', () => {
  test('responds in place of a slow attempt, and both are in attempts', async () => {
    const set = setUp([...good, {}, { status: 200, body: 'second' }]);
    await warmUp(set);
    const { clock, client, dispatcher } = set;
    const response = await clock.runUntil(client.get('/a'));
    expect(response.text()).toBe('second');
    expect(response.attempts).toMatchObject([
      { attempt: 1, startedAtMs: 0, durationMs: 100, status: undefined },
      { attempt: 2, startedAtMs: 100, durationMs: 0, status: 200 },
    ]);
    expect(dispatcher.aborted).toHaveLength(1);
    expect(dispatcher.headersOf(41)).toMatchObject({ 'x-request-attempt': '2' });
    expect(client.stats().policies).toMatchObject({
      hedge: { hedges: 1, wins: 1 },
      circuitBreaker: { failures: 0, neutral: 1 },
    });
    clock.assertNoTimers();
  });

  test('is not sent for a POST, unless it may be sent twice', async () => {
    const set = setUp([...good, {}], { timeoutMs: 300, retry: false });
    await warmUp(set);
    const { clock, client, dispatcher } = set;
    await clock.runUntil(client.post('/a', { json: 1 }).catch(() => {}));
    expect(dispatcher.sent).toHaveLength(41);
    await clock.runUntil(client.post('/a', { json: 1, idempotent: true }).catch(() => {}));
    expect(dispatcher.sent).toHaveLength(43);
  });

  test('is not sent for a request with an Idempotency-Key, unless it is also idempotent', async () => {
    const set = setUp([...good, {}], { timeoutMs: 300, retry: false });
    await warmUp(set);
    const { clock, client, dispatcher } = set;
    await clock.runUntil(client.post('/a', { json: 1, idempotencyKey: true }).catch(() => {}));
    expect(dispatcher.sent).toHaveLength(41);
    await clock.runUntil(client.post('/a', { json: 1, idempotencyKey: 'k', idempotent: true }).catch(() => {}));
    expect(dispatcher.sent).toHaveLength(43);
  });

  test.each([
    ['token', new Error('no token')],
    ['token, with an error of Macadam', new MacadamError('no token', { code: 'MAC_AUTH_TOKEN' })],
  ])('that fails to get a %s does not fail the call while the first attempt runs', async (_what, failure) => {
    let asked = 0;
    const authorize = () => {
      if (++asked > 41) throw failure;
      return { authorization: 'Bearer t' };
    };
    const slow = (): Script => ({ delayMs: 300, clock: set.clock, status: 200 });
    const set = setUp([...good, slow], { auth: { authorize } });
    await warmUp(set);
    const { clock, client, dispatcher } = set;
    const { attempts } = await clock.runUntil(client.get('/a'));
    expect(attempts).toMatchObject([
      { status: 200, durationMs: 300 },
      { status: undefined, durationMs: 0, startedAtMs: 100 },
    ]);
    expect(dispatcher.sent).toHaveLength(41);
    await expect(clock.runUntil(client.get('/a'))).rejects.toMatchObject({
      code: expect.stringMatching(/AUTH|REQUEST/),
    });
    clock.assertNoTimers();
  });

  test('that cannot connect does not fail the call while the first attempt runs', async () => {
    const slow = (): Script => ({ delayMs: 300, clock: set.clock, status: 200 });
    const set = setUp([...good, slow, { error: 'CERT_HAS_EXPIRED', unsent: true }]);
    await warmUp(set);
    const { attempts } = await set.clock.runUntil(set.client.get('/a'));
    expect(attempts).toMatchObject([{ status: 200, durationMs: 300 }, { errorCode: 'CERT_HAS_EXPIRED' }]);
  });

  test('is not sent before Retry-After has passed', async () => {
    const set = setUp([...good, { status: 429, headers: { 'retry-after': '2' } }, { status: 200 }]);
    await warmUp(set);
    const { attempts } = await set.clock.runUntil(set.client.get('/a'));
    expect(attempts.map(({ status, startedAtMs }) => [status, startedAtMs])).toEqual([
      [429, 0],
      [200, 2_000],
    ]);
  });

  test('AC29: failsafe-go #141: that the shared retry budget does not allow never fails the call', async () => {
    const clock = virtualClock();
    const shared = retryBudget({ ratio: 0, minPerSecond: 0, clock });
    const set = setUp([...good, { stalls: true, status: 200 }], { retry: { budget: shared }, clock, timeoutMs: 500 });
    for (let i = 0; i < 40; i++) await clock.runUntil(set.client.get('/warm'));
    const error = await clock.runUntil(set.client.get('/a').catch((thrown: unknown) => thrown));
    expect(error).toMatchObject({ code: 'MAC_TIMEOUT', attempts: { length: 1 } });
    expect(clock.monotonic()).toBe(500);
    expect(set.client.stats().policies['hedge']).toMatchObject({ hedges: 0, refused: 1 });
  });

  test('and the first attempt are both repeated when their token had expired', async () => {
    let token = 'old';
    const slow = (): Script => ({ status: token === 'old' ? 401 : 200, clock: set.clock, delayMs: 150 });
    const auth = {
      authorize: () => ({ authorization: token }),
      invalidate: () => set.clock.sleep(80).then(() => void (token = 'new')),
    };
    const set = setUp([slow], { auth, hedge: { delayMs: 100, maxExtraLoad: 1 } });
    const response = await set.clock.runUntil(set.client.get('/a'));
    expect(response.attempts.map(({ status }) => status)).toEqual([401, 401, 200, undefined]);
  });

  test('D20: is sent at once when the first attempt fails early', async () => {
    const set = setUp([...good, { status: 503 }, { status: 200 }]);
    await warmUp(set);
    const { attempts } = await set.clock.runUntil(set.client.get('/a'));
    expect(attempts.map(({ status, startedAtMs }) => [status, startedAtMs])).toEqual([
      [503, 0],
      [200, 0],
    ]);
  });

  test('D1: with an error body that stalls delays the next attempt by 50 ms at most', async () => {
    const retry = { maxAttempts: 2, backoff: constant({ delayMs: 10 }), throttledBaseMs: 0 };
    const failing = { status: 503, body: 'so far', stalls: true };
    const set = setUp([...good, { status: 503 }, failing, { status: 200 }], { retry });
    await warmUp(set);
    const { attempts } = await set.clock.runUntil(set.client.get('/a'));
    expect(attempts.map(({ status, startedAtMs }) => [status, startedAtMs])).toEqual([
      [503, 0],
      [503, 0],
      [200, 60],
    ]);
  });

  test('is followed by a retry when both attempts fail', async () => {
    const retry = { backoff: constant({ delayMs: 10 }), throttledBaseMs: 0 };
    const set = setUp([...good, { status: 503 }, { status: 503 }, { status: 200 }], { retry });
    await warmUp(set);
    const { attempts } = await set.clock.runUntil(set.client.get('/a'));
    expect(attempts.map(({ attempt, status }) => [attempt, status])).toEqual([
      [1, 503],
      [2, 503],
      [3, 200],
    ]);
  });

  test.each<[string, Partial<HttpClientOptions>, string]>([
    ['that would be sent too late', { hedge: { delayMs: 30_000 } }, 'hedge.delayMs'],
    ['too many of them', { hedge: { maxHedges: 6 } }, 'hedge.maxHedges'],
    ['with a budget of its own', { hedge: { budget: false } as never }, 'hedge.budget'],
    ['that is no object', { hedge: true as never }, 'hedge'],
  ])('rejects options: %s', (_what, options, path) => {
    expect(() => setUp([], options)).toThrow(
      expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path: `createHttpClient.${path}` }),
    );
  });
});

test('adaptive concurrency rejects attempts above its limit', async () => {
  const { client, dispatcher } = setUp([{}], { adaptiveConcurrency: { initial: 4, min: 4, max: 4 }, retry: false });
  const refused: unknown[] = [];
  for (let i = 0; i < 6; i++) client.get('/a').catch((error: { code: string }) => refused.push(error.code));
  await Promise.resolve().then(() => Promise.resolve());
  await new Promise((resolve) => setImmediate(resolve));
  expect(dispatcher.sent).toHaveLength(4);
  expect(refused).toEqual(['MAC_CONCURRENCY_LIMITED', 'MAC_CONCURRENCY_LIMITED']);
  expect(client.stats().policies['adaptiveConcurrency']).toMatchObject({ limit: 4, inFlight: 4, rejected: 2 });
  expect(client.describe()).toContain(adaptiveConcurrency({ initial: 4, min: 4, max: 4 }).describe());
});
