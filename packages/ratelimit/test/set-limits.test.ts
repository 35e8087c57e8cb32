import { nodeRedis, type Connected } from '@macadam/test-support/redis-clients';
import { seededRandom, virtualClock } from '@macadam/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  concurrency,
  createRateLimiter,
  fixedWindow,
  memoryStore,
  redisStore,
  slidingLog,
  slidingWindow,
  tokenBucket,
  type Limit,
  type RateLimiter,
} from '../src/index.ts';

const hour = 3_600_000;
const kinds: [string, (limit: number, periodMs: number) => Limit][] = [
  ['tokenBucket', (limit, periodMs) => tokenBucket({ limit, periodMs })],
  ['fixedWindow', (limit, periodMs) => fixedWindow({ limit, periodMs })],
  ['slidingWindow', (limit, periodMs) => slidingWindow({ limit, periodMs })],
  ['slidingLog', (limit, periodMs) => slidingLog({ limit, periodMs })],
];

function bench(...limits: Limit[]) {
  const clock = virtualClock();
  const store = memoryStore({ maxKeys: 100 });
  return { clock, limiter: createRateLimiter({ name: 'test', limits, store, clock, random: seededRandom(1) }) };
}

describe('setLimits in memory', () => {
  it.each(kinds)('redisson #3260: %s keeps the ratio that was used when the limit grows or shrinks', (_, limit) => {
    const { limiter } = bench(limit(100, hour));
    limiter.tryTake('a', { cost: 80 });
    limiter.setLimits([limit(200, hour)]);
    expect(limiter.tryTake('a', { cost: 1 })).toMatchObject({ allowed: true, limit: 200, remaining: 39 });
    limiter.setLimits([limit(10, hour)]);
    expect(limiter.tryTake('a', { cost: 2 })).toMatchObject({ allowed: false, limit: 10, remaining: 1 });
    expect(limiter.tryTake('b', { cost: 10 }).allowed).toBe(true);
  });

  it.each(kinds)('%s: retryAfterMs is exact after a change', async (_, limit) => {
    const { limiter, clock } = bench(limit(10, hour));
    limiter.tryTake('a', { cost: 10 });
    limiter.setLimits([limit(10, 1_000)]);
    const { retryAfterMs } = limiter.tryTake('a');
    expect(retryAfterMs).toBeGreaterThan(0);
    expect(retryAfterMs).toBeLessThanOrEqual(1_100);
    await clock.advance(retryAfterMs - 1);
    expect(limiter.tryTake('a').allowed).toBe(false);
    await clock.advance(1);
    expect(limiter.tryTake('a').allowed).toBe(true);
  });

  it('a sliding window with other cells frees no token too early', async () => {
    const { limiter, clock } = bench(slidingWindow({ limit: 10, periodMs: 1_000, cells: 10 }));
    limiter.tryTake('a', { cost: 4 });
    await clock.advance(450);
    limiter.tryTake('a', { cost: 2 });
    limiter.setLimits([slidingWindow({ limit: 10, periodMs: 1_000, cells: 3 })]);
    expect((await limiter.peek('a')).remaining).toBe(4);
    await clock.advance(549);
    expect((await limiter.peek('a')).remaining).toBe(4);
    await clock.advance(1_000);
    expect((await limiter.peek('a')).remaining).toBe(10);
  });

  it.each([
    { one: { periodMs: 60_000, cells: 10 }, other: { periodMs: 60_000, cells: 7 } },
    { one: { periodMs: 60_000, cells: 7 }, other: { periodMs: 60_000, cells: 10 } },
    { one: { periodMs: 60_000, cells: 10 }, other: { periodMs: 61_000, cells: 10 } },
  ])(
    'counts age even while two deployments with different windows alternate: $one and $other',
    async ({ one, other }) => {
      const lists = [one, other].map((window) => [slidingWindow({ limit: 10, ...window })]);
      const { limiter, clock } = bench(...(lists[0] as Limit[]));
      limiter.tryTake('a', { cost: 10 });
      let seconds = 0;
      do {
        limiter.setLimits(lists[++seconds % 2] as Limit[]);
        await clock.advance(1_000);
      } while (!limiter.tryTake('a').allowed && seconds < 600);
      expect(seconds).toBeGreaterThanOrEqual(60);
      // A period, and the longest cell that it may have begun in the middle of.
      expect(seconds).toBeLessThanOrEqual(70);
    },
  );

  it('holders keep their permits when the limit shrinks', async () => {
    const { limiter } = bench(concurrency({ limit: 3 }));
    const held = [await limiter.take('a'), await limiter.take('a')];
    limiter.setLimits([concurrency({ limit: 1 })]);
    expect((await limiter.take('a')).allowed).toBe(false);
    expect(await limiter.release('a', held[0]!)).toBe(true);
    expect((await limiter.take('a')).allowed).toBe(false);
    expect(await limiter.release('a', held[1]!)).toBe(true);
    expect((await limiter.take('a')).allowed).toBe(true);
  });

  it('matches limits by name and kind: a moved one keeps its state, a new one starts empty', async () => {
    const second = tokenBucket({ limit: 10, periodMs: hour, name: 'second' });
    const minute = slidingLog({ limit: 20, periodMs: hour, name: 'minute' });
    const { limiter } = bench(second, minute);
    await limiter.take('a', { cost: 5 });
    limiter.setLimits([
      minute,
      tokenBucket({ limit: 20, periodMs: hour, name: 'second' }),
      fixedWindow({ limit: 7, periodMs: hour }),
    ]);
    const { policies } = await limiter.peek('a');
    expect(policies?.map(({ policy, remaining }) => [policy, remaining])).toEqual([
      ['minute', 15],
      ['second', 10],
      ['7-per-3600s', 7],
    ]);
    limiter.setLimits([fixedWindow({ limit: 20, periodMs: hour, name: 'second' })]);
    expect(await limiter.peek('a')).toMatchObject({ remaining: 20 });
  });

  it('an invalid list changes nothing', async () => {
    const { limiter } = bench(tokenBucket({ limit: 10, periodMs: hour }));
    expect(() => limiter.setLimits([])).toThrow(
      expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path: 'setLimits' }),
    );
    expect(await limiter.peek('a')).toMatchObject({ limit: 10 });
    limiter.setLimits([tokenBucket({ limit: 2, periodMs: hour })]);
    await expect(limiter.take('a', { cost: 3 })).rejects.toMatchObject({
      code: 'MAC_COST_ABOVE_CAPACITY',
      capacity: 2,
    });
    expect(limiter.describe()).toContain('"2-per-3600s"');
  });

  it('a denied key in a shared slot stays denied', () => {
    const { limiter } = bench(tokenBucket({ limit: 2, periodMs: hour }));
    for (let i = 0; i < 100; i++) limiter.tryTake(`key ${i}`, { cost: 2 });
    limiter.tryTake('late', { cost: 2 });
    limiter.setLimits([tokenBucket({ limit: 4, periodMs: hour })]);
    expect(limiter.tryTake('late').allowed).toBe(false);
    expect(limiter.tryTake('key 5').allowed).toBe(false);
  });
});

describe('setLimits in Redis', () => {
  let redis: Connected;
  beforeAll(async () => void (redis = await nodeRedis()));
  afterAll(() => redis.close());
  let made = 0;
  const fleetOf = (...lists: Limit[][]): RateLimiter[] => {
    const prefix = `set-limits-${process.pid}-${++made}`;
    return lists.map((limits) =>
      createRateLimiter({
        name: 'test',
        limits,
        store: redisStore(redis.client, { prefix, timeoutMs: 5_000 }),
        onStoreFailure: 'closed',
      }),
    );
  };

  it.each(kinds)('bucket4j #417: %s: processes that change at different times share one count', async (_, limit) => {
    const [early, late] = fleetOf([limit(100, hour)], [limit(100, hour)]) as [RateLimiter, RateLimiter];
    await late.take('a', { cost: 50 });
    early.setLimits([limit(200, hour)]);
    expect(await early.take('a', { cost: 50 })).toMatchObject({ allowed: true, remaining: 50 });
    expect(await late.take('a', { cost: 5 })).toMatchObject({ allowed: true, remaining: 20 });
    late.setLimits([limit(200, hour)]);
    expect(await late.take('a', { cost: 1 })).toMatchObject({ allowed: true, remaining: 39 });
  });

  it('a process that starts with new numbers continues the count of the old ones', async () => {
    const [old, fresh] = fleetOf(
      [tokenBucket({ limit: 10, periodMs: hour }), slidingWindow({ limit: 100, periodMs: hour })],
      [tokenBucket({ limit: 20, periodMs: hour }), slidingWindow({ limit: 50, periodMs: hour })],
    ) as [RateLimiter, RateLimiter];
    await old.take('a', { cost: 5 });
    expect((await fresh.take('a')).policies).toMatchObject([{ remaining: 9 }, { remaining: 46 }]);
  });

  it.each([
    { from: 'a bucket', to: 'two lists' },
    { from: 'two lists', to: 'a bucket' },
    { from: 'two lists', to: 'three windows' },
    { from: 'three windows', to: 'two lists' },
  ] as const)(
    'requests in flight are decided by the limits under which they were sent: from $from to $to',
    async (change) => {
      const lists = {
        'a bucket': [tokenBucket({ limit: 10, periodMs: hour })],
        'two lists': [slidingLog({ limit: 10, periodMs: hour }), slidingLog({ limit: 20, periodMs: hour })],
        'three windows': [10, 20, 30].map((limit) => slidingWindow({ limit, periodMs: hour })),
      };
      const [limiter] = fleetOf(lists[change.from]) as [RateLimiter];
      const asked = [limiter.take('a'), limiter.peek('a'), limiter.takeUpTo('a', 2)];
      await new Promise<void>((sent) => process.nextTick(sent));
      limiter.setLimits(lists[change.to]);
      for (const decision of await Promise.all(asked)) {
        expect(decision).toMatchObject({ allowed: true, limit: 10, degraded: false });
        expect(decision.remaining).toBeGreaterThanOrEqual(7);
        expect(decision.policies?.length ?? 1).toBe(lists[change.from].length);
      }
    },
  );

  it('a denial in flight during the change is neither repeated nor enforced afterwards', async () => {
    const [limiter] = fleetOf([tokenBucket({ limit: 1, periodMs: hour })]) as [RateLimiter];
    await limiter.take('a');
    const denied = limiter.take('a');
    await new Promise<void>((sent) => process.nextTick(sent));
    limiter.setLimits([tokenBucket({ limit: 100, periodMs: hour, name: 'more' })]);
    expect((await denied).allowed).toBe(false);
    expect((await limiter.take('a')).allowed).toBe(true);

    const store = redisStore(redis.client, { prefix: `set-limits-${process.pid}-${++made}`, timeoutMs: 5_000 });
    const limits = [tokenBucket({ limit: 1, periodMs: hour })];
    const watching = createRateLimiter({ name: 'test', limits, store, shadow: true });
    await watching.take('a');
    const watched = watching.take('a');
    await new Promise<void>((sent) => process.nextTick(sent));
    watching.setLimits([...limits, slidingLog({ limit: 5, periodMs: hour })]);
    expect(await watched).toMatchObject({ allowed: true, wouldAllow: false });
  });

  it('a block stays in effect after a change', async () => {
    const [limiter] = fleetOf([tokenBucket({ limit: 10, periodMs: hour })]) as [RateLimiter];
    await limiter.take('a');
    await limiter.block('a', 60_000);
    limiter.setLimits([tokenBucket({ limit: 20, periodMs: hour })]);
    expect((await limiter.take('a')).allowed).toBe(false);
    expect(await limiter.take('a')).toMatchObject({ allowed: false, remaining: 0 });
  });
});
