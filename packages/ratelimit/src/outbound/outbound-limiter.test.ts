import { getEventListeners } from 'node:events';
import { currentWork, runWork, type Priority } from '@macadam/core';
import { seededRandom, virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import type { OutboundResponse, OutboundLimiterOptions, AcquireOptions } from './options.ts';
import { createOutboundLimiter } from './outbound-limiter.ts';

const THROTTLED = { status: 429, headers: { 'retry-after': '2' } };
const OK = { status: 200, headers: {} };

function setUp(options: OutboundLimiterOptions = {}) {
  const clock = virtualClock();
  const limiter = createOutboundLimiter({ clock, random: () => 0, ...options });
  const sentAt: number[] = [];
  /** Acquires a turn, and settles it at once with a response. */
  const call = async (partition = 'a', wish: AcquireOptions = {}, answer: OutboundResponse = OK): Promise<string> => {
    try {
      const turn = await limiter.acquire(partition, wish);
      sentAt.push(clock.monotonic());
      turn.settle(answer);
      return 'sent';
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  return { clock, limiter, call, sentAt };
}

describe('createOutboundLimiter', () => {
  it('a throttling response pauses all callers of its partition, and no others', async () => {
    const { clock, call, sentAt } = setUp();
    await call('a', {}, THROTTLED);
    const others = Array.from({ length: 3 }, () => call('a'));
    await call('b');
    expect(sentAt).toEqual([0, 0]);
    await clock.runUntil(Promise.all(others));
    expect(Math.min(...sentAt.slice(2))).toBeGreaterThanOrEqual(2_000);
  });

  it('resumes at the measured rate, not all at once', async () => {
    const { clock, call, sentAt } = setUp();
    for (let i = 0; i < 40; i++) {
      await call();
      await clock.advance(50);
    }
    await call('a', {}, THROTTLED);
    const from = clock.monotonic();
    await clock.runUntil(Promise.all(Array.from({ length: 40 }, () => call())));
    const inFirstSecond = sentAt.slice(41).filter((at) => at < from + 3_000).length;
    expect(inFirstSecond).toBeGreaterThan(8);
    expect(inFirstSecond).toBeLessThan(20);
  });

  it.each([
    ['429 with Retry-After', { status: 429, headers: { 'retry-after': '3' } }, 3_000],
    ['503 with Retry-After', { status: 503, headers: { 'Retry-After': '3' } }, 3_000],
    ['429 with an exhausted limit', { status: 429, headers: { ratelimit: '"m";r=0;t=3, "d";r=7;t=60' } }, 3_000],
    [
      '429 with X-RateLimit',
      { status: 429, headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '3' } },
      3_000,
    ],
    ['503 without header fields', { status: 503, headers: {} }, 0],
    ['200', OK, 0],
    ['a wait of a year', { status: 429, headers: { 'retry-after': '31536000' } }, 600_000],
    ['hostile fields', { status: 429, headers: { 'retry-after': 'NaN', ratelimit: '"a;r=-1;t=1e999' } }, 0],
  ])('%s pauses for the time that the server asked for', async (_what, answer, pauseMs) => {
    const { limiter, call, clock } = setUp({ adaptive: false, pace: false, maxWaitMs: 1_000_000 });
    await call('a', {}, answer);
    expect(limiter.stats()['paused']).toBe(pauseMs > 0 ? 1 : 0);
    await clock.runUntil(call('a'));
    expect(clock.monotonic()).toBe(pauseMs);
  });

  it('grants turns by priority, and to tenants of one priority in turn', async () => {
    const { clock, limiter } = setUp({ adaptive: false });
    (await limiter.acquire('a')).settle(THROTTLED);
    const order: string[] = [];
    const wait = async (priority: Priority, tenant: string): Promise<void> => {
      const turn = await limiter.acquire('a', { priority, tenant });
      order.push(`${priority} ${tenant}`);
      turn.settle();
    };
    const waits = [...['x', 'x', 'x', 'y'].map((tenant) => wait('normal', tenant)), wait('critical', 'z')];
    await clock.runUntil(Promise.all(waits));
    expect(order).toEqual(['critical z', 'normal x', 'normal y', 'normal x', 'normal x']);
  });

  it('rejects at once a wait that would be too long, and says when to retry', async () => {
    const { limiter, call } = setUp();
    await call('a', {}, THROTTLED);
    await expect(limiter.acquire('a', { remainingMs: 500 })).rejects.toMatchObject({
      code: 'MAC_RATE_LIMITED',
      retryable: true,
      policy: 'pause',
    });
    const error = await Promise.resolve(limiter.acquire('a', { remainingMs: 500 })).catch((one: unknown) => one);
    expect((error as { retryAfterMs: number }).retryAfterMs).toBeGreaterThanOrEqual(2_000);
    expect(limiter.stats()).toMatchObject({ refused: 2, queued: 0, throttled: 1 });
  });

  it('a wait ends with the deadline or the signal of the work, and leaves nothing behind', async () => {
    const { clock, limiter, call } = setUp();
    await call('a', {}, THROTTLED);
    const controller = new AbortController();
    const aborted = Promise.resolve(limiter.acquire('a', { signal: controller.signal })).catch(() => 'aborted');
    const late = call('a', { remainingMs: 2_600 });
    // Somebody else's refusal prolongs the pause beyond what the second has time for.
    await clock.advance(1_000);
    controller.abort();
    expect(await aborted).toBe('aborted');
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    await clock.runUntil(late);
    await clock.advance(10_000);
    expect(limiter.stats()).toMatchObject({ queued: 0 });
    clock.assertNoTimers();
  });

  it('the timer for the next turn is cancelled when the last call has left', async () => {
    const { clock, limiter, call } = setUp();
    const turns = [await limiter.acquire('a'), await limiter.acquire('a')];
    turns[0]?.settle(THROTTLED);
    const late = call('a');
    turns[1]?.settle({ status: 429, headers: { 'retry-after': '600' } });
    expect(await clock.runUntil(late)).toBe('MAC_RATE_LIMITED');
    expect(clock.monotonic()).toBe(30_000);
    clock.assertNoTimers();
  });

  it('bounds the queue, and evicts a lower priority for a higher one', async () => {
    const { clock, limiter, call } = setUp({ maxQueued: 2, adaptive: false });
    await call('a', {}, THROTTLED);
    const waits = [
      call('a', { priority: 'low' }),
      call('a'),
      call('a', { priority: 'background' }),
      call('a', { priority: 'high' }),
    ];
    expect(await clock.runUntil(Promise.all(waits))).toEqual(['MAC_OVERLOADED', 'sent', 'MAC_OVERLOADED', 'sent']);
    expect(limiter.stats()['refused']).toBe(2);
  });

  it('evicts the least recently used partition', async () => {
    const { limiter, call } = setUp({ maxPartitions: 100 });
    for (let i = 0; i < 1_000; i++) await call(`host ${i}`);
    expect(limiter.stats()).toMatchObject({ partitions: 100, begun: 1_000 });
  });

  it('rejects waiting calls when it is closed', async () => {
    const { clock, limiter, call } = setUp();
    await call('a', {}, THROTTLED);
    const waiting = call('a');
    await clock.settle();
    await limiter.close();
    expect(await waiting).toBe('MAC_CLOSED');
    expect(await call('a')).toBe('MAC_CLOSED');
    clock.assertNoTimers();
  });

  it('counts a turn that is settled twice once', async () => {
    const { limiter } = setUp();
    const turn = await limiter.acquire('a');
    turn.settle(OK);
    turn.settle(THROTTLED);
    expect(limiter.stats()['throttled']).toBe(0);
  });

  it('counts calls that wait in an evicted partition, and close rejects them', async () => {
    const { clock, limiter, call } = setUp({ maxPartitions: 1 });
    await call('a', {}, THROTTLED);
    const waiting = [1, 2].map(() => call('a'));
    await clock.settle();
    await call('b');
    expect(limiter.stats()).toMatchObject({ queued: 2, partitions: 1 });
    await limiter.close();
    expect(await Promise.all(waiting)).toEqual(['MAC_CLOSED', 'MAC_CLOSED']);
    expect(limiter.stats()).toMatchObject({ queued: 0, partitions: 0 });
    clock.assertNoTimers();
  });

  it('rejects wrong options of acquire', async () => {
    const { limiter, call } = setUp();
    await call('a', {}, THROTTLED);
    const wrong = [
      { wish: null, path: 'acquire' },
      { wish: { signal: 5 }, path: 'acquire.signal' },
      { wish: { tenant: 5 }, path: 'acquire.tenant' },
      { wish: { priorty: 'high' }, path: 'acquire.priorty' },
    ];
    for (const { wish, path } of wrong) {
      expect(() => limiter.acquire('a', wish as never)).toThrow(expect.objectContaining({ path }));
    }
    expect(limiter.stats()).toMatchObject({ begun: 1, queued: 0 });
  });

  it('annotates the unit of work, if there is one, with the wait', async () => {
    const { clock, call } = setUp({ adaptive: false });
    await call('a', {}, THROTTLED);
    const told = runWork({ clock }, async () => {
      await call('a');
      return currentWork()?.annotations;
    });
    expect(await clock.runUntil(told)).toEqual({ outboundWaitMs: 2_000 });
  });

  it('callers that were throttled together resume spread over a tenth of the pause', async () => {
    const pauses = Array.from({ length: 50 }, async (_, seed) => {
      const { clock, call } = setUp({ adaptive: false, random: seededRandom(seed) });
      await call('a', {}, THROTTLED);
      await clock.runUntil(call('a'));
      return clock.monotonic();
    });
    const ended = await Promise.all(pauses);
    expect(Math.min(...ended)).toBeGreaterThanOrEqual(2_000);
    expect(Math.max(...ended)).toBeLessThanOrEqual(2_201);
    expect(new Set(ended).size).toBeGreaterThan(25);
  });
});
