// Fixed windows on a server with INCREX: see increx-stand-in.ts for what stands in for one.
import { systemClock } from '@macadam/core';
import { clients, nodeRedis, type Connected } from '@macadam/test-support/redis-clients';
import { redisUrl } from '@macadam/test-support/redis-servers';
import { seededRandom } from '@macadam/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createRateLimiter, fixedWindow, redisStore, slidingLog, type Limit, type RateLimiter } from '../src/index.ts';
import { storeContract } from '../src/testing.ts';
import { startIncrexStandIn, type IncrexStandIn } from './increx-stand-in.ts';

const hour = 3_600_000;

describe.each(clients)('a fixed window on a server with INCREX, through %s', (name, connectTo) => {
  let standIn: IncrexStandIn;
  let fast: Connected;
  let plain: Connected;
  let prefix: string;
  let made = 0;
  beforeAll(async () => {
    standIn = await startIncrexStandIn(redisUrl());
    fast = await connectTo(standIn.url);
    plain = await connectTo(redisUrl());
  });
  afterAll(async () => {
    await fast.close();
    await plain.close();
    await standIn.close();
  });
  beforeEach(() => void (prefix = `increx-${process.pid}-${name}-${++made}`));

  const limiterOf = (limits: readonly Limit[], client = fast.client, under = prefix): RateLimiter =>
    createRateLimiter({
      name: 'test',
      limits,
      store: redisStore(client, { prefix: under, timeoutMs: 5_000 }),
      onStoreFailure: 'closed',
    });
  const perHour = (limit: number): Limit[] => [fixedWindow({ limit, periodMs: hour, name: 'quota' })];
  const storedKey = async (): Promise<string> => ((await fast.command('KEYS', `${prefix}:*`)) as [string])[0];

  it.each(storeContract(() => redisStore(fast.client, { prefix: `${prefix}-contract`, timeoutMs: 5_000 })))(
    'passes the store contract: $name',
    ({ run }) => run(),
  );

  it('counts exactly with INCREX, in one round trip', async () => {
    const before = standIn.counted();
    const limiter = limiterOf(perHour(100));
    const decisions = await Promise.all(Array.from({ length: 130 }, () => limiter.take('k')));
    expect(decisions.filter(({ allowed }) => allowed)).toHaveLength(100);
    expect(decisions.slice(0, 3).map(({ remaining }) => remaining)).toEqual([99, 98, 97]);
    expect(standIn.counted() - before).toBe(130);
    expect(limiter.stats()).toMatchObject({ commands: 130, storeFailures: 0 });
  });

  it('a denial changes nothing, and says when the window ends', async () => {
    const limiter = limiterOf(perHour(10));
    await limiter.take('k', { cost: 8 });
    const key = await storedKey();
    await fast.command('PEXPIRE', key, '5000');
    const [before, ends] = [await fast.command('GET', key), await fast.command('PEXPIRETIME', key)];
    const denied = await limiter.take('k', { cost: 3 });
    expect(denied).toMatchObject({ allowed: false, remaining: 2, granted: 0, policy: 'quota' });
    expect(denied.retryAfterMs).toBeGreaterThan(3_000);
    expect(denied.retryAfterMs).toBeLessThanOrEqual(5_001);
    expect([await fast.command('GET', key), await fast.command('PEXPIRETIME', key)]).toEqual([before, ends]);
    expect(await limiter.take('k', { cost: 2 })).toMatchObject({ allowed: true, remaining: 0 });
  });

  it('a retry exactly after retryAfterMs is allowed', async () => {
    const limiter = limiterOf([fixedWindow({ limit: 1, periodMs: 150 })]);
    for (let i = 0; i < 5; i++) {
      let decision = await limiter.take('k');
      // Where the machine stood still for a window, the next one has begun.
      while (decision.allowed) decision = await limiter.take('k');
      // A timer may fire a little early.
      const until = systemClock.monotonic() + decision.retryAfterMs;
      while (systemClock.monotonic() < until) await systemClock.sleep(1);
      expect((await limiter.take('k')).allowed, `round ${i + 1}`).toBe(true);
    }
  });

  it('fastify-rate-limit #152: repairs a window without time to live', async () => {
    const limiter = limiterOf(perHour(2));
    await limiter.take('k', { cost: 2 });
    await fast.command('PERSIST', await storedKey());
    expect((await limiter.take('k')).allowed).toBe(true);
    expect(Number(await fast.command('PTTL', await storedKey()))).toBeGreaterThan(0);
  });

  it('other operations leave the window in a form that INCREX can count', async () => {
    const limiter = limiterOf(perHour(10));
    const decision = await limiter.take('k', { cost: 4 });
    await limiter.refund('k', { cost: 1, decision });
    await limiter.penalize('k', { cost: 2 });
    expect((await limiter.takeUpTo('k', 3)).granted).toBe(3);
    expect((await limiter.peek('k')).remaining).toBe(2);
    const ends = await fast.command('PEXPIRETIME', await storedKey());
    expect(await limiter.take('k')).toMatchObject({ allowed: true, remaining: 1 });
    expect(await fast.command('PEXPIRETIME', await storedKey())).toEqual(ends);
    await limiter.block('k', hour);
    expect(await limiter.take('k')).toMatchObject({ allowed: false, remaining: 0 });
    await limiter.reset('k');
    expect(await limiter.take('k')).toMatchObject({ allowed: true, remaining: 9 });
  });

  it('a key that was blocked under other limits stays blocked, and its denials count nothing', async () => {
    const limiter = limiterOf([slidingLog({ limit: 5, periodMs: hour, name: 'log' })]);
    await limiterOf(perHour(10)).take('k', { cost: 4 });
    for (const key of ['k', 'new']) await limiter.block(key, hour);
    const stored = async () => (await fast.command('KEYS', `${prefix}:*`)) as string[];
    const before = (await stored()).sort();
    limiter.setLimits(perHour(10));
    for (const key of ['k', 'new']) {
      expect(await limiter.take(key)).toMatchObject({ allowed: false, remaining: 0, granted: 0 });
    }
    expect((await stored()).sort()).toEqual(before);
    await fast.command('DEL', ...before.filter((key) => key.endsWith('!blocked')));
    expect((await limiterOf(perHour(10)).take('k')).remaining).toBe(5);
    expect((await limiterOf(perHour(10)).take('new')).remaining).toBe(9);
  });

  it('express-rate-limit 8.6: a refund reaches the window of its request, and no newer one', async () => {
    const limiter = limiterOf(perHour(10));
    const first = await limiter.take('k', { cost: 3 });
    await limiter.refund('k', { decision: first });
    expect((await limiter.peek('k')).remaining).toBe(10);
    const stale = { ...first, stamp: first.stamp - 5 };
    await limiter.take('k', { cost: 3 });
    await limiter.refund('k', { decision: stale });
    expect((await limiter.peek('k')).remaining).toBe(7);
  });

  it('setLimits keeps the ratio that was used, in whatever order processes change', async () => {
    const [early, late] = [limiterOf(perHour(100)), limiterOf(perHour(100))];
    await early.take('k', { cost: 50 });
    early.setLimits(perHour(10));
    expect((await early.take('k')).remaining).toBe(4);
    expect((await late.take('k')).remaining).toBe(39);
  });

  it('processes with and without INCREX share a window', async () => {
    const [counts, decides] = [limiterOf(perHour(10)), limiterOf(perHour(10), plain.client)];
    await decides.take('k');
    await counts.take('k');
    await counts.take('other');
    await decides.take('other');
    expect((await counts.peek('k')).remaining).toBe(8);
    expect((await decides.peek('other')).remaining).toBe(8);
  });

  it('agrees with the script on random requests', async () => {
    const random = seededRandom(3);
    let traces = 0;
    const step = fc.record({
      what: fc.constantFrom('take', 'take', 'take', 'takeUpTo', 'peek', 'refund', 'penalize', 'reset'),
      cost: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constantFrom(0.1, 0.25, 1 / 3, 2.5)),
    });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 6, max: 1_000 }), fc.array(step, { maxLength: 25 }), async (limit, steps) => {
        const under = `${prefix}-${++traces}-${random()}`;
        const [counted, scripted] = [
          limiterOf(perHour(limit), fast.client, under),
          limiterOf(perHour(limit), plain.client, `${under}-b`),
        ];
        for (const [i, { what, cost }] of steps.entries()) {
          const told = await Promise.all(
            [counted, scripted].map(async (limiter) => {
              if (what === 'reset') return await limiter.reset('k');
              if (what === 'peek') return shown(await limiter.peek('k'));
              if (what === 'takeUpTo') return shown(await limiter.takeUpTo('k', Math.ceil(cost)));
              if (what === 'take') return shown(await limiter.take('k', { cost }));
              return await limiter[what]('k', { cost });
            }),
          );
          expect(told[0], `step ${i + 1}: ${what} ${cost}`).toEqual(told[1]);
        }
      }),
      { numRuns: 25 },
    );
  });

  it('a refund reaches the window of its request, whichever process began it, and in whatever form', async () => {
    for (let i = 0; i < 60; i++) {
      const [counts, decides] = [limiterOf(perHour(10)), limiterOf(perHour(10), plain.client)];
      const pairs = [
        [counts, counts],
        [counts, decides],
        [decides, counts],
      ] as const;
      const [first, second] = pairs[i % 3] as (typeof pairs)[number];
      const decision = i % 2 === 0 ? await first.takeUpTo(`k${i}`, 3) : await first.take(`k${i}`, { cost: 3 });
      await second.takeUpTo(`k${i}`, 1);
      await first.refund(`k${i}`, { decision });
      expect((await second.peek(`k${i}`)).remaining, `key ${i}`).toBe(9);
    }
  });

  it('a refund reaches a window whose period is not a whole number of milliseconds', async () => {
    const limiter = limiterOf([fixedWindow({ limit: 10, periodMs: hour + 0.5 })]);
    for (let i = 0; i < 20; i++) {
      const decision = await limiter.take(`k${i}`, { cost: 3 });
      await limiter.refund(`k${i}`, { decision });
      expect((await limiter.peek(`k${i}`)).remaining).toBe(10);
    }
  });

  it('does not use INCREX for several limits, for a limit above ten million, or for a fraction of a millisecond', async () => {
    const before = standIn.counted();
    await limiterOf([fixedWindow({ limit: 10, periodMs: 1_000.5 })]).take('c');
    await limiterOf([...perHour(10), slidingLog({ limit: 10, periodMs: hour, name: 'log' })]).take('a');
    await limiterOf(perHour(10_000_001)).take('b');
    expect(standIn.counted()).toBe(before);
  });
});

function shown({ allowed, remaining, granted }: { allowed: boolean; remaining: number; granted: number }): object {
  return { allowed, remaining, granted };
}

describe('a server without INCREX', () => {
  it('receives INCREX once', async () => {
    const watched = await nodeRedis(redisUrl());
    const asked: string[] = [];
    const client = Object.create(watched.client, {
      sendCommand: {
        value: (words: string[]) => {
          asked.push(words[0] as string);
          return watched.command(...words);
        },
      },
    }) as typeof watched.client;
    const limiter = createRateLimiter({
      name: 'old',
      limits: [fixedWindow({ limit: 5, periodMs: hour })],
      store: redisStore(client, { prefix: `increx-${process.pid}-old`, timeoutMs: 5_000 }),
      onStoreFailure: 'closed',
    });
    const decisions = [];
    for (let i = 0; i < 7; i++) decisions.push(await limiter.take('k'));
    expect(decisions.map(({ allowed }) => allowed)).toEqual([true, true, true, true, true, false, false]);
    expect(asked.filter((word) => word === 'INCREX')).toHaveLength(1);
    await watched.close();
  });
});
