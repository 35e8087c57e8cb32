// A fleet on one store in virtual time with network latency: how many commands leases save, and by how much limits are exceeded.
import { seededRandom, virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import {
  concurrency,
  createRateLimiter,
  fixedWindow,
  slidingLog,
  slidingWindow,
  tokenBucket,
  type Limit,
} from '../src/index.ts';
import { mostInAnyWindow, runFleet, sharedStore } from './fleet.ts';

/** A token bucket that holds the tokens of one second. */
const perSecond = (limit: number): Limit[] => [tokenBucket({ limit, periodMs: 1_000 })];

describe('leases', () => {
  it('four instances at a thousand per second send at most one command per ten decisions, and deny less than 1 %', async () => {
    const fleet = { instances: 4, limits: perSecond(4_000), durationMs: 6_000, rate: () => 990 };
    const { decisions, denied, commands, admitted } = await runFleet(fleet);
    expect(commands / decisions).toBeLessThanOrEqual(0.1);
    expect(denied / decisions).toBeLessThan(0.01);
    for (const windowMs of [100, 500, 1_000]) {
      expect(mostInAnyWindow(admitted, windowMs)).toBeLessThanOrEqual((4_000 + 4 * windowMs) * 1.05);
    }
  });

  it.each([
    { title: 'more demand than tokens', instances: 4, limits: perSecond(400), durationMs: 6_000, rate: () => 300 },
    {
      title: 'twenty instances, one of them greedy',
      instances: 20,
      limits: perSecond(2_000),
      durationMs: 4_000,
      rate: (i: number) => (i === 0 ? 2_000 : 50),
    },
    {
      title: 'demand in waves, and crashes',
      instances: 8,
      limits: perSecond(1_600),
      durationMs: 6_000,
      rate: (_: number, at: number) => (at % 1_000 < 300 ? 900 : 20),
      crashEveryMs: 700,
    },
  ])('exceeds the limit by at most the leased tokens: $title', async (fleet) => {
    const { admitted, decisions } = await runFleet(fleet);
    const { limits, instances } = fleet;
    const { limit } = limits[0] as Limit;
    const held = instances * Math.floor((0.05 * limit) / instances);
    for (const windowMs of [1, 10, 100, 333, 1_000, 2_000]) {
      const most = mostInAnyWindow(admitted, windowMs);
      // A decision arrives up to a round trip after its tokens were taken.
      expect(most, `${windowMs} ms`).toBeLessThanOrEqual(limit + (limit * (windowMs + 4)) / 1_000 + held + 1);
      expect(most, `${windowMs} ms`).toBeLessThanOrEqual(limit + (limit * (windowMs + 104)) / 1_000 + 1);
    }
    expect(admitted.length).toBeLessThanOrEqual(decisions);
  });

  it('with more demand than tokens, 98 % of the tokens are used', async () => {
    const { admitted } = await runFleet({ instances: 4, limits: perSecond(400), durationMs: 10_000, rate: () => 300 });
    const late = admitted.filter((at) => at > 2_000 && at <= 10_000);
    expect(late.length).toBeGreaterThanOrEqual(0.98 * 8 * 400);
  });

  it('a small limit is not leased', async () => {
    const { decisions, commands, denied } = await runFleet({
      instances: 4,
      limits: perSecond(70),
      durationMs: 3_000,
      rate: () => 15,
    });
    expect([commands, denied]).toEqual([decisions, 0]);
  });

  it('tryTake spends leased tokens; close gives the rest back', async () => {
    const clock = virtualClock();
    const { store, central } = sharedStore(clock, [tokenBucket({ limit: 1_000, periodMs: 3_600_000 })]);
    const limits = [tokenBucket({ limit: 1_000, periodMs: 3_600_000 })];
    const limiter = createRateLimiter({ name: 'lease', limits, store, clock });
    expect(() => limiter.tryTake('k')).toThrow(expect.objectContaining({ code: 'MAC_RATE_LIMIT_STORE' }));
    for (let i = 0; i < 20; i++) await clock.runUntil(limiter.take('k'));
    expect(limiter.tryTake('k')).toMatchObject({ allowed: true, source: 'lease', degraded: false });
    await clock.settle();
    await clock.runUntil(limiter.close());
    await clock.advance(10);
    expect(await central.take('k', 0, 'peek')).toMatchObject({ remaining: 1_000 - 21 });
  });

  it('leased tokens are spent while the store is down, then decisions are degraded', async () => {
    const clock = virtualClock();
    const { store, counts } = sharedStore(clock, [tokenBucket({ limit: 1_000, periodMs: 3_600_000 })]);
    const limits = [tokenBucket({ limit: 1_000, periodMs: 3_600_000 })];
    const limiter = createRateLimiter({ name: 'lease', limits, store, clock });
    for (let i = 0; i < 20; i++) await clock.runUntil(limiter.take('k'));
    counts.away = true;
    expect(await clock.runUntil(limiter.take('k'))).toMatchObject({ source: 'lease', degraded: false });
    await clock.advance(200);
    expect(await clock.runUntil(limiter.take('k'))).toMatchObject({ source: 'fallback', degraded: true });
  });

  it('block takes effect at once in its own process', async () => {
    const clock = virtualClock();
    const { store } = sharedStore(clock, [tokenBucket({ limit: 1_000, periodMs: 3_600_000 })]);
    const limits = [tokenBucket({ limit: 1_000, periodMs: 3_600_000 })];
    const limiter = createRateLimiter({ name: 'lease', limits, store, clock });
    for (let i = 0; i < 20; i++) await clock.runUntil(limiter.take('k'));
    await clock.runUntil(limiter.block('k', 60_000));
    expect((await clock.runUntil(limiter.take('k'))).allowed).toBe(false);
  });

  it('with several limits, a lease takes from all of them and is given back to all', async () => {
    const clock = virtualClock();
    const limits = [
      tokenBucket({ limit: 1_000, periodMs: 3_600_000, name: 'bucket' }),
      slidingWindow({ limit: 500, periodMs: 3_600_000, name: 'window' }),
    ];
    const { store, central, counts } = sharedStore(clock, limits);
    const limiter = createRateLimiter({ name: 'lease', limits, store, clock });
    for (let i = 0; i < 50; i++) await clock.runUntil(limiter.take('k'));
    expect(counts.commands).toBeLessThan(25);
    const decision = limiter.tryTake('k');
    expect(decision).toMatchObject({ allowed: true, source: 'lease', policy: 'window', remaining: 500 - 51 });
    expect(decision.policies).toMatchObject([{ remaining: 1_000 - 51 }, { remaining: 500 - 51 }]);
    await clock.runUntil(limiter.close());
    await clock.advance(10);
    const { policies } = await central.take('k', 0, 'peek');
    expect(policies).toMatchObject([{ remaining: 1_000 - 51 }, { remaining: 500 - 51 }]);
  });

  it('a lease from a fixed window ends with the window', async () => {
    const clock = virtualClock();
    const limits = [fixedWindow({ limit: 1_000, periodMs: 150 })];
    const { store } = sharedStore(clock, limits, () => 0);
    const limiter = createRateLimiter({ name: 'lease', limits, store, clock });
    for (let i = 0; i < 100; i++) await clock.runUntil(limiter.take('k'));
    await clock.advance(100);
    for (let i = 0; i < 20; i++) await clock.runUntil(limiter.take('k'));
    expect(limiter.tryTake('k').source).toBe('lease');
    await clock.advance(50);
    expect(() => limiter.tryTake('k')).toThrow(expect.objectContaining({ code: 'MAC_RATE_LIMIT_STORE' }));
  });

  it('neither permits nor a limit in shadow mode are leased', async () => {
    for (const limits of [
      [tokenBucket({ limit: 1_000, periodMs: 3_600_000 }), concurrency({ limit: 1_000 })],
      [tokenBucket({ limit: 1_000, periodMs: 3_600_000 }), slidingWindow({ limit: 5, periodMs: 1_000, enforce: 0 })],
    ]) {
      const clock = virtualClock();
      const { store, counts } = sharedStore(clock, limits);
      const limiter = createRateLimiter({ name: 'lease', limits, store, clock });
      for (let i = 0; i < 30; i++) expect((await clock.runUntil(limiter.take('k'))).allowed).toBe(true);
      expect(counts.commands).toBe(30);
    }
  });

  it('setLimits keeps the leases, and sizes the next by the new limits', async () => {
    const clock = virtualClock();
    const { store, central } = sharedStore(clock, [tokenBucket({ limit: 1_000, periodMs: 3_600_000 })]);
    const limiter = createRateLimiter({
      name: 'lease',
      limits: [tokenBucket({ limit: 1_000, periodMs: 3_600_000 })],
      store,
      clock,
    });
    for (let i = 0; i < 20; i++) await clock.runUntil(limiter.take('k'));
    await clock.advance(10);
    limiter.setLimits([tokenBucket({ limit: 10, periodMs: 3_600_000 })]);
    while (limiter.stats()['tokensSpent']! < limiter.stats()['tokensBorrowed']!) limiter.tryTake('k');
    expect(() => limiter.tryTake('k')).toThrow(expect.objectContaining({ code: 'MAC_RATE_LIMIT_STORE' }));
    expect(await clock.runUntil(limiter.take('k'))).toMatchObject({ allowed: true, source: 'memory', limit: 10 });
    expect((await central.take('k', 0, 'peek')).remaining).toBe(8);
  });

  it('what a process holds is never more than its part of maxShare', async () => {
    const clock = virtualClock();
    const limits = perSecond(4_000);
    const { store, central } = sharedStore(clock, limits, () => 0.01);
    const lease = { ttlMs: 1_000, maxShare: 0.05 };
    const limiter = createRateLimiter({ name: 'lease', limits, store: { ...store, lease }, clock });
    const held = (): number => limiter.stats()['tokensBorrowed']! - limiter.stats()['tokensSpent']!;
    for (const cost of [150, 150, 1, 200]) {
      await clock.runUntil(limiter.take('k', { cost }));
      expect(held()).toBeLessThanOrEqual(200);
    }
    await clock.advance(900);
    const fromStore = (await central.take('k', 0, 'peek')).remaining;
    expect(held() + fromStore).toBeLessThanOrEqual(4_200);
  });

  it('a grant from a lease is a grant, also if the store has denied something since', async () => {
    const clock = virtualClock();
    const limits = [
      tokenBucket({ limit: 1_000, periodMs: 3_600_000, name: 'bucket' }),
      slidingWindow({ limit: 1_000, periodMs: 3_600_000, name: 'window' }),
    ];
    const { store, central } = sharedStore(clock, limits);
    const limiter = createRateLimiter({ name: 'lease', limits, store, clock });
    for (let i = 0; i < 45; i++) await clock.runUntil(limiter.take('k'));
    await central.charge('k', 1_000, undefined);
    let spent = limiter.stats()['tokensSpent'] as number;
    let denied = 0;
    for (let i = 0; i < 40; i++) {
      const { allowed, granted, retryAfterMs, policies } = await clock.runUntil(limiter.take('k'));
      const nowSpent = limiter.stats()['tokensSpent'] as number;
      expect([allowed, granted, retryAfterMs === 0]).toEqual(nowSpent > spent ? [true, 1, true] : [false, 0, false]);
      if (allowed) expect(policies?.every((one) => one.allowed && one.retryAfterMs === 0)).toBe(true);
      else denied++;
      spent = nowSpent;
      await clock.advance(3);
    }
    expect(denied).toBeGreaterThan(0);
  });

  it.each([
    slidingLog({ limit: 1_000, periodMs: 3_600_000 }),
    slidingWindow({ limit: 1_000, periodMs: 1_000 }),
    fixedWindow({ limit: 1_000, periodMs: 3_600_000 }),
  ])(
    'a refund of leased tokens reaches the moment of the lease, whatever the store decided since: $kind',
    async (limit) => {
      const clock = virtualClock();
      const { store, central } = sharedStore(clock, [limit]);
      const lease = { ttlMs: 800, maxShare: 0.05 };
      const limiter = createRateLimiter({ name: 'lease', limits: [limit], store: { ...store, lease }, clock });
      const refundOne = async (): Promise<void> => {
        const decision = await clock.runUntil(limiter.take('k'));
        expect(decision.allowed).toBe(true);
        await clock.runUntil(limiter.refund('k', { decision }));
        await clock.advance(30);
      };
      for (let i = 0; i < 45; i++) await clock.runUntil(limiter.take('k').then(() => clock.sleep(1)));
      const used = async (): Promise<number> => 1_000 - (await central.take('k', 0, 'peek')).remaining;
      const before = (await used()) - limiter.stats()['tokensBorrowed']!;
      const penaltyAt = clock.monotonic();
      await central.charge('k', 1_000, undefined);
      await refundOne();
      await clock.advance(200);
      expect((await clock.runUntil(limiter.take('k', { cost: 40 }))).allowed).toBe(false);
      for (let i = 0; i < 4; i++) await refundOne();
      await central.charge('k', -1_000, penaltyAt);
      expect((await used()) - limiter.stats()['tokensBorrowed']!).toBe(before - 5);
    },
  );

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('close gives every lease back while requests go on: seed %d', async (seed) => {
    const clock = virtualClock();
    const random = seededRandom(seed);
    const limits = [tokenBucket({ limit: 2_000, periodMs: 315_360_000_000 })];
    const { store, central } = sharedStore(clock, limits, () => random() * 3);
    const lease = { ttlMs: 60_000, maxShare: 0.3 };
    const fleet = [1, 2, 3].map(() =>
      createRateLimiter({ name: 'lease', limits, store: { ...store, lease }, clock, expectedInstances: 3 }),
    );
    let used = 0;
    // Now and then a large one: then a lease is requested while several others still hold tokens.
    const costOf = (): number => (random() < 0.15 ? 60 : 1 + Math.floor(random() * (seed % 2 === 0 ? 3 : 20)));
    const askAll = async (): Promise<void> => {
      for (const one of fleet) {
        void one.take('k', { cost: costOf() }).then(({ granted }) => (used += granted));
      }
      await clock.advance(random() * 5);
    };
    for (let i = 0; i < 40; i++) await askAll();
    const closing = Promise.all(fleet.map((one) => one.close()));
    for (let i = 0; i < 5; i++) await askAll();
    await clock.runUntil(closing);
    await clock.advance(1_000);
    expect(2_000 - (await central.take('k', 0, 'peek')).remaining).toBe(used);
  });
});
