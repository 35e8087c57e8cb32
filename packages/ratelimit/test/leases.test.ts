// A fleet on one store, in virtual time, with a network between: what leases save, and what they may cost.
import type { Clock } from '@macadam/core';
import { seededRandom, virtualClock, type VirtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { createRateLimiter, memoryStore, tokenBucket, type LimitTable, type RateLimitStore } from '../src/index.ts';

/** One store for all, `latencyMs` away both ways. Counts the commands. */
function sharedStore(clock: VirtualClock, limitOf: () => ReturnType<typeof tokenBucket>, latencyMs = 1) {
  const limit = limitOf();
  const memory = memoryStore({ clock });
  const central = memory.open({ name: 'central', limits: [limit], clock, random: seededRandom(1) });
  const counts = { commands: 0, away: false };
  const far =
    <A extends unknown[], R>(call: (...args: A) => R) =>
    async (...args: A): Promise<Awaited<R>> => {
      counts.commands++;
      await clock.sleep(latencyMs);
      if (counts.away) throw new Error('away');
      const result = await call(...args);
      await clock.sleep(latencyMs);
      return result;
    };
  const table: LimitTable = {
    synchronous: false,
    take: far(central.take.bind(central)),
    reserve: far(central.reserve.bind(central)),
    cancel: far(central.cancel.bind(central)),
    charge: far(central.charge.bind(central)),
    block: far(central.block.bind(central)),
    reset: far(central.reset.bind(central)),
    release: far(central.release.bind(central)),
    renew: far(central.renew.bind(central)),
    setLimits: (limits) => central.setLimits(limits),
    stats: () => ({}),
  };
  const lease = { ttlMs: 100, maxShare: 0.05 };
  const store: RateLimitStore = {
    kind: 'test',
    lease,
    open: () => table,
    describe: () => 'test',
    close: async () => {},
  };
  return { counts, central, store, limit };
}

/** The instance's own idea of the time: another origin, and a little too fast or slow. */
function skewed(clock: VirtualClock, offsetMs: number, drift: number): Clock {
  return {
    ...clock,
    monotonic: () => offsetMs + clock.monotonic() * drift,
    setTimer: clock.setTimer.bind(clock),
    sleep: clock.sleep.bind(clock),
    now: () => clock.now(),
  };
}

interface Fleet {
  instances: number;
  perSecond: (instance: number, atMs: number) => number;
  limit: number;
  burst?: number;
  durationMs: number;
  crashEveryMs?: number;
}

async function runFleet({ instances, perSecond, limit, burst = limit, durationMs, crashEveryMs = Infinity }: Fleet) {
  const clock = virtualClock();
  const random = seededRandom(5);
  const { store, counts } = sharedStore(clock, () => tokenBucket({ limit, periodMs: 1_000, burst }));
  const make = (i: number) =>
    createRateLimiter({
      name: 'fleet',
      limits: [tokenBucket({ limit, periodMs: 1_000, burst })],
      store,
      expectedInstances: instances,
      clock: skewed(clock, i * 10_000, 1 + (random() - 0.5) * 1e-4),
      random,
    });
  const admitted: number[] = [];
  let decisions = 0;
  let denied = 0;
  for (let i = 0; i < instances; i++) {
    let limiter = make(i);
    let crashAt = crashEveryMs * (1 + random());
    const arrive = (): void => {
      const now = clock.monotonic();
      if (now >= durationMs) return;
      // A process that dies takes what it had borrowed with it.
      if (now > crashAt) {
        limiter = make(i);
        crashAt = now + crashEveryMs * (1 + random());
      }
      decisions++;
      void limiter.take('key').then(({ allowed }) => {
        if (allowed) admitted.push(clock.monotonic());
        else denied++;
      });
      clock.setTimer(arrive, (-Math.log(1 - random()) / perSecond(i, now)) * 1_000);
    };
    clock.setTimer(arrive, random());
  }
  await clock.advance(durationMs + 1_000);
  return { admitted, decisions, denied, commands: counts.commands };
}

function mostInAnyWindow(admitted: readonly number[], windowMs: number): number {
  let most = 0;
  let first = 0;
  admitted.forEach((at, i) => {
    while ((admitted[first] as number) <= at - windowMs) first++;
    most = Math.max(most, i - first + 1);
  });
  return most;
}

describe('leases', () => {
  it('four instances of a thousand a second: at most one command for ten decisions, and hardly any denial', async () => {
    const fleet = { instances: 4, limit: 4_000, durationMs: 6_000, perSecond: () => 990 };
    const { decisions, denied, commands, admitted } = await runFleet(fleet);
    expect(commands / decisions).toBeLessThanOrEqual(0.1);
    expect(denied / decisions).toBeLessThan(0.01);
    for (const windowMs of [100, 500, 1_000]) {
      expect(mostInAnyWindow(admitted, windowMs)).toBeLessThanOrEqual((4_000 + 4 * windowMs) * 1.05);
    }
  });

  it.each([
    { title: 'more demand than tokens', instances: 4, limit: 400, durationMs: 6_000, perSecond: () => 300 },
    {
      title: 'twenty instances, one of them greedy',
      instances: 20,
      limit: 2_000,
      durationMs: 4_000,
      perSecond: (i: number) => (i === 0 ? 2_000 : 50),
    },
    {
      title: 'demand in waves, and crashes',
      instances: 8,
      limit: 1_600,
      durationMs: 6_000,
      perSecond: (_: number, at: number) => (at % 1_000 < 300 ? 900 : 20),
      crashEveryMs: 700,
    },
  ])('overshoots by no more than what is held: $title', async (fleet) => {
    const { admitted, decisions } = await runFleet(fleet);
    const { limit, instances } = fleet;
    const held = instances * Math.floor((0.05 * limit) / instances);
    for (const windowMs of [1, 10, 100, 333, 1_000, 2_000]) {
      const most = mostInAnyWindow(admitted, windowMs);
      // A decision arrives up to a round trip after its tokens were taken.
      expect(most, `${windowMs} ms`).toBeLessThanOrEqual(limit + (limit * (windowMs + 4)) / 1_000 + held + 1);
      expect(most, `${windowMs} ms`).toBeLessThanOrEqual(limit + (limit * (windowMs + 104)) / 1_000 + 1);
    }
    expect(admitted.length).toBeLessThanOrEqual(decisions);
  });

  it('with more demand than tokens, nearly all tokens are used', async () => {
    const { admitted } = await runFleet({ instances: 4, limit: 400, durationMs: 10_000, perSecond: () => 300 });
    const late = admitted.filter((at) => at > 2_000 && at <= 10_000);
    expect(late.length).toBeGreaterThanOrEqual(0.98 * 8 * 400);
  });

  it('a small limit is not lent at all', async () => {
    const { decisions, commands, denied } = await runFleet({
      instances: 4,
      limit: 70,
      durationMs: 3_000,
      perSecond: () => 15,
    });
    expect([commands, denied]).toEqual([decisions, 0]);
  });

  it('tryTake spends what was borrowed; close gives the rest back', async () => {
    const clock = virtualClock();
    const { store, central } = sharedStore(clock, () => tokenBucket({ limit: 1_000, periodMs: 3_600_000 }));
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

  it('a loan outlives the store for its time, then decisions are degraded', async () => {
    const clock = virtualClock();
    const { store, counts } = sharedStore(clock, () => tokenBucket({ limit: 1_000, periodMs: 3_600_000 }));
    const limits = [tokenBucket({ limit: 1_000, periodMs: 3_600_000 })];
    const limiter = createRateLimiter({ name: 'lease', limits, store, clock });
    for (let i = 0; i < 20; i++) await clock.runUntil(limiter.take('k'));
    counts.away = true;
    expect(await clock.runUntil(limiter.take('k'))).toMatchObject({ source: 'lease', degraded: false });
    await clock.advance(200);
    expect(await clock.runUntil(limiter.take('k'))).toMatchObject({ source: 'fallback', degraded: true });
  });

  it('a block is felt at once by the process that made it', async () => {
    const clock = virtualClock();
    const { store } = sharedStore(clock, () => tokenBucket({ limit: 1_000, periodMs: 3_600_000 }));
    const limits = [tokenBucket({ limit: 1_000, periodMs: 3_600_000 })];
    const limiter = createRateLimiter({ name: 'lease', limits, store, clock });
    for (let i = 0; i < 20; i++) await clock.runUntil(limiter.take('k'));
    await clock.runUntil(limiter.block('k', 60_000));
    expect((await clock.runUntil(limiter.take('k'))).allowed).toBe(false);
  });
});
