import { inspect } from 'node:util';
import { MacadamError } from '@macadam/core';
import { constant } from '@macadam/resilience';
import { seededRandom, virtualClock } from '@macadam/testkit';
import { describe, expect, test, vi } from 'vitest';
import {
  createHttpClient,
  type HttpClientOptions,
  type HttpPacing,
  type HttpRequestError,
  type HttpTurn,
  type PacedResponse,
} from '../src/index.ts';
import { scriptedDispatcher, type Script } from './scripted-dispatcher.ts';

/** Gives a turn every 100 ms, and records the partitions and the statuses that it receives. */
function setUp(scripts: Script[], options: Partial<HttpClientOptions> = {}) {
  const clock = virtualClock();
  const settled: (number | undefined)[] = [];
  const partitions: string[] = [];
  let next = 0;
  const pacing: HttpPacing = {
    acquire(partition, { signal }) {
      partitions.push(partition);
      const now = clock.monotonic();
      const at = Math.max(next, now);
      next = at + 100;
      const turn = { settle: (answer: PacedResponse | undefined) => void settled.push(answer?.status) };
      return at === now ? turn : clock.sleep(at - now, signal).then(() => turn);
    },
    describe: () => '10 a second',
  };
  const dispatcher = scriptedDispatcher(...scripts);
  const client = createHttpClient({
    baseUrl: 'http://billing.internal:8080/v1',
    clock,
    random: seededRandom(7),
    dispatcher,
    pacing,
    retry: { backoff: constant({ delayMs: 1 }) },
    ...options,
  });
  return { clock, dispatcher, client, settled, partitions };
}

describe('pacing', () => {
  test('each attempt acquires a turn, which is settled with the response, whatever its status', async () => {
    const { clock, client, settled, partitions } = setUp([
      { status: 500 },
      { status: 200, body: 'ok' },
      { status: 404 },
      { error: 'ECONNRESET' },
    ]);
    expect((await clock.runUntil(client.get('/a'))).attempts).toMatchObject([
      { startedAtMs: 0, status: 500 },
      { startedAtMs: 100, status: 200 },
    ]);
    await clock.runUntil(client.get('/b').catch(() => {}));
    await clock.runUntil(client.post('/c').catch(() => {}));
    expect(settled).toEqual([500, 200, 404, undefined]);
    expect(new Set(partitions)).toEqual(new Set(['billing.internal:8080']));
    expect(client.describe()).toContain('paced: 10 a second; as "billing.internal:8080"');
    expect(client.stats().policies).toMatchObject({ paced: { begun: 4, refused: 0, waiting: 0 } });
  });

  test('the wait counts against timeoutMs, not attemptTimeoutMs, and is in waitedMs', async () => {
    const { clock, client } = setUp([{ status: 200, body: 'ok' }], { attemptTimeoutMs: 50, timeoutMs: 250 });
    const calls = Array.from({ length: 4 }, () => client.get('/a').catch((error: MacadamError) => error.code));
    const ended = await clock.runUntil(Promise.all(calls));
    expect(ended.map((one) => (typeof one === 'string' ? one : one?.attempts[0]?.waitedMs))).toEqual([
      0,
      100,
      200,
      'MAC_TIMEOUT',
    ]);
    clock.assertNoTimers();
  });

  test('an error of acquire() rejects the call, and nothing is sent', async () => {
    const refusal = new MacadamError('not now', { code: 'MAC_RATE_LIMITED' });
    const { client, dispatcher } = setUp([{ status: 200 }], { pacing: { acquire: () => Promise.reject(refusal) } });
    await expect(client.get('/a')).rejects.toBe(refusal);
    expect(dispatcher.sent).toEqual([]);
    expect(client.stats().policies).toMatchObject({ circuitBreaker: { failures: 0 } });
  });

  test('several endpoints share one partition, the name of the client', async () => {
    const { clock, client, partitions } = setUp([{ status: 200 }], {
      baseUrl: undefined as never,
      endpoints: [{ url: 'http://a.internal' }, { url: 'http://b.internal' }],
      name: 'billing',
    });
    for (let i = 0; i < 4; i++) await clock.runUntil(client.get('/a'));
    expect(partitions).toEqual(Array(4).fill('billing'));
  });

  test.each([undefined, null, {}, Promise.resolve(undefined), Promise.resolve({})])(
    'a turn that is none (%o) is said to be none, and nothing is sent',
    async (turn) => {
      const { client, dispatcher } = setUp([{ status: 200 }], {
        pacing: { acquire: () => turn as never },
        retry: false,
      });
      await expect(client.get('/a')).rejects.toMatchObject({
        code: 'MAC_INVALID_OPTIONS',
        path: 'createHttpClient.pacing.acquire()',
      });
      expect(dispatcher.sent).toEqual([]);
    },
  );

  test('a turn whose settle() rejects does not fail the call, and becomes a process warning', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const cause = new Error('no connection');
    const turn = { settle: () => Promise.reject(cause) } as unknown as HttpTurn;
    const { clock, client } = setUp([{ status: 200 }], { pacing: { acquire: () => turn } });
    expect((await clock.runUntil(client.get('/a'))).status).toBe(200);
    await vi.waitFor(() => expect(warned).toHaveBeenCalledWith(cause));
  });

  test.each([[5], ['turn'], [null], [undefined], [{}]])('an acquire() that returns %j fails the call', async (turn) => {
    const { clock, client } = setUp([{ status: 200 }], { pacing: { acquire: () => turn as never }, retry: false });
    const error = await clock.runUntil(client.get('/a').catch((reason: unknown) => reason));
    expect(error).toMatchObject({ code: 'MAC_INVALID_OPTIONS', path: 'createHttpClient.pacing.acquire()' });
  });

  test('an acquire() that fails with the error of another call has it as cause; its response is none to this call', async () => {
    const other = setUp([{ status: 404, body: 'of another call' }]);
    const cause: unknown = await other.clock.runUntil(other.client.get('/other').catch((error: unknown) => error));
    const before = inspect(cause);
    const rejects = (): Promise<never> => Promise.reject(cause as Error);
    const throws = (): never => {
      throw cause;
    };
    for (const acquire of [rejects, throws]) {
      for (const kind of [
        {},
        { dedupe: true },
        { cache: { mode: 'private' } },
      ] satisfies Partial<HttpClientOptions>[]) {
        const { clock, client } = setUp([], { pacing: { acquire }, throwOnStatus: false, ...kind });
        for (const call of [client.get('/a'), client.fetch('/a'), client.stream('GET', '/a')]) {
          const error = await clock.runUntil(call.catch((reason: unknown) => reason));
          expect(error).toMatchObject({ code: 'MAC_HTTP_REQUEST', part: 'pacing', attempts: [] });
          expect((error as HttpRequestError).cause).toBe(cause);
        }
      }
    }
    expect(inspect(cause)).toBe(before);
  });

  test('rejects a pacing option without acquire() when the client is created', () => {
    expect(() => setUp([], { pacing: {} as HttpPacing })).toThrow(
      expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path: 'createHttpClient.pacing.acquire' }),
    );
  });
});
