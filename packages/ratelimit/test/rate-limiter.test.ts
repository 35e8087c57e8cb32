import { createHash } from 'node:crypto';
import { runWork } from '@macadam/core';
import { seededRandom, virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import {
  concurrency,
  createLoadShedder,
  createOutboundLimiter,
  createRateLimiter,
  createShaper,
  fixedWindow,
  memoryStore,
  slidingLog,
  slidingWindow,
  takeAll,
  tokenBucket,
  type RateLimiter,
  type RateLimiterOptions,
} from '../src/index.ts';

function bench(options: Partial<RateLimiterOptions> = {}) {
  const clock = virtualClock();
  const limiter = createRateLimiter({
    name: 'test',
    limits: [tokenBucket({ limit: 10, periodMs: 1_000 })],
    clock,
    random: seededRandom(1),
    ...options,
  });
  return { clock, limiter };
}

describe('take', () => {
  it('returns all fields of a decision, allowed or denied', async () => {
    const { limiter, clock } = bench();
    expect(await limiter.take('a', { cost: 4 })).toEqual({
      allowed: true,
      limit: 10,
      remaining: 6,
      retryAfterMs: 0,
      resetAfterMs: 400,
      policy: '10-per-1s',
      periodMs: 1_000,
      source: 'memory',
      degraded: false,
      granted: 4,
      stamp: 0,
    });
    await clock.advance(100);
    expect(limiter.tryTake('a', { cost: 8 })).toMatchObject({
      allowed: false,
      remaining: 7,
      retryAfterMs: 100,
      granted: 0,
      stamp: 100,
    });
  });

  it.each([0, -1, NaN, Infinity, '1', null])('rejects a cost of %s', async (cost) => {
    const { limiter } = bench();
    const options = { cost: cost as number };
    await expect(limiter.take('a', options)).rejects.toMatchObject({ code: 'MAC_INVALID_OPTIONS', path: 'take.cost' });
    expect(() => limiter.tryTake('a', options)).toThrow(expect.objectContaining({ code: 'MAC_INVALID_OPTIONS' }));
    expect(await limiter.peek('a')).toMatchObject({ remaining: 10 });
  });

  it('ax #631: a cost above the capacity is an error at once, also for wait and reserve', async () => {
    const { limiter } = bench({
      limits: [tokenBucket({ limit: 10, periodMs: 1_000 }), tokenBucket({ limit: 100, periodMs: 60_000, burst: 5 })],
    });
    const error = { code: 'MAC_COST_ABOVE_CAPACITY', cost: 6, capacity: 5 };
    await expect(limiter.take('a', { cost: 6 })).rejects.toMatchObject(error);
    await expect(limiter.wait('a', { cost: 6 })).rejects.toMatchObject(error);
    await expect(limiter.reserve('a', { cost: 6 })).rejects.toMatchObject(error);
    expect(() => limiter.tryTake('a', { cost: 6 })).toThrow(expect.objectContaining(error));
    expect(await limiter.peek('a')).toMatchObject({ remaining: 5 });
  });

  it('upstash #161: after 8 of 10, a request for 5 is denied and one for 2 is allowed', async () => {
    const limits = [
      tokenBucket({ limit: 10, periodMs: 1_000 }),
      fixedWindow({ limit: 10, periodMs: 1_000 }),
      slidingWindow({ limit: 10, periodMs: 1_000 }),
      slidingLog({ limit: 10, periodMs: 1_000 }),
    ];
    for (const limit of limits) {
      const { limiter } = bench({ limits: [limit] });
      await limiter.take('a', { cost: 8 });
      expect(await limiter.take('a', { cost: 5 })).toMatchObject({ allowed: false, remaining: 2 });
      expect(await limiter.take('a', { cost: 2 })).toMatchObject({ allowed: true, remaining: 0 });
    }
  });

  it.each<[string, (limiter: RateLimiter) => unknown, string]>([
    ['take', (limiter) => limiter.take('a', 'x' as never), 'take'],
    ['take', (limiter) => limiter.take('a', { costs: 2 } as never), 'take.costs'],
    ['tryTake', async (limiter) => limiter.tryTake('a', null as never), 'take'],
    ['refund', (limiter) => limiter.refund('a', null as never), 'refund'],
    ['penalize', (limiter) => limiter.penalize('a', { amount: 1 } as never), 'penalize.amount'],
    ['reserve', (limiter) => limiter.reserve('a', { maxWait: 1 } as never), 'reserve.maxWait'],
    ['wait', (limiter) => limiter.wait('a', { timeoutMs: 1 } as never), 'wait.timeoutMs'],
    ['wait', (limiter) => limiter.wait('a', { signal: 5 } as never), 'wait.signal'],
    ['wait', (limiter) => limiter.wait('a', { signal: null } as never), 'wait.signal'],
    ['refund', (limiter) => limiter.refund('a', { decision: null } as never), 'refund.decision'],
    ['release', (limiter) => limiter.release('a', undefined as never), 'release.decision'],
    ['takeAll', () => takeAll([null as never]), 'takeAll.claims[0]'],
    ['takeAll', () => takeAll([{ limiter: {} as never, key: 'a' }]), 'takeAll.claims[0].limiter'],
  ])('%s rejects unknown options', async (_, call, path) => {
    const limiter = createRateLimiter({ name: 'test', limits: [tokenBucket({ limit: 5, periodMs: 1_000 })] });
    await expect(call(limiter)).rejects.toMatchObject({ code: 'MAC_INVALID_OPTIONS', path });
    expect(limiter.tryTake('a').remaining).toBe(4);
  });

  it('rejects an empty key, and distinguishes long keys', async () => {
    const { limiter } = bench();
    await expect(limiter.take('')).rejects.toMatchObject({ path: 'key' });
    const long = 'x'.repeat(10_000);
    await limiter.take(`${long}1`, { cost: 10 });
    expect((await limiter.take(`${long}1`)).allowed).toBe(false);
    expect((await limiter.take(`${long}2`)).allowed).toBe(true);
  });

  it('no other key collides with the stored digest of a long key', async () => {
    const { limiter } = bench();
    const long = 'x'.repeat(10_000);
    const digest = createHash('sha256').update(long, 'utf16le').digest('base64url');
    const written = [7, 256, 257, 258].map((length) => `sha256:${digest}`.padEnd(length, '.'));
    for (const key of written) await limiter.take(key, { cost: 10 });
    expect((await limiter.take(long)).remaining).toBe(9);
  });
});

describe('several limits', () => {
  const limits = [
    tokenBucket({ limit: 3, periodMs: 1_000, name: 'second' }),
    slidingLog({ limit: 5, periodMs: 60_000, name: 'minute' }),
  ];

  it('rate-limiter-flexible #280: charges all limits or none', async () => {
    const { limiter, clock } = bench({ limits });
    await limiter.take('a', { cost: 3 });
    await clock.advance(1_000);
    // Three in this second would do, but not in this minute: the second is not charged.
    expect(await limiter.take('a', { cost: 3 })).toMatchObject({ allowed: false, policy: 'minute' });
    expect((await limiter.peek('a')).policies).toMatchObject([{ remaining: 3 }, { remaining: 2 }]);
  });

  it('a denial names the limit with the longest wait, a grant the one with the least left', async () => {
    const { limiter } = bench({ limits });
    expect(await limiter.take('a', { cost: 2 })).toMatchObject({ policy: 'second', remaining: 1 });
    await limiter.take('a');
    expect(await limiter.take('a', { cost: 3 })).toMatchObject({
      policy: 'minute',
      retryAfterMs: 60_000,
      policies: [
        { policy: 'second', allowed: false, retryAfterMs: 1_000 },
        { policy: 'minute', allowed: false, retryAfterMs: 60_000 },
      ],
    });
  });

  it('after a denial, limits that would have allowed it report what they really have left', async () => {
    const { limiter, clock } = bench({ limits });
    await limiter.take('a', { cost: 3 });
    await clock.advance(1_000);
    expect((await limiter.take('a', { cost: 3 })).policies?.[0]).toMatchObject({ allowed: true, remaining: 3 });
  });
});

describe('the other operations', () => {
  it('rate-limiter-flexible #350: takeUpTo takes as many tokens as are left', async () => {
    const { limiter } = bench();
    expect(await limiter.takeUpTo('a', 7)).toMatchObject({ allowed: true, granted: 7, remaining: 3 });
    expect(await limiter.takeUpTo('a', 7)).toMatchObject({ allowed: true, granted: 3, remaining: 0 });
    expect(await limiter.takeUpTo('a', 7)).toMatchObject({ allowed: false, granted: 0, retryAfterMs: 100 });
    expect(await limiter.takeUpTo('b', 1e9)).toMatchObject({ granted: 10 });
  });

  it('peek takes nothing, and creates no key', async () => {
    const { limiter } = bench();
    expect(await limiter.peek('a', { cost: 11 })).toMatchObject({ allowed: false, retryAfterMs: Infinity });
    expect(await limiter.peek('a')).toMatchObject({ allowed: true, remaining: 10, resetAfterMs: 0 });
    expect(limiter.stats()['keys']).toBe(0);
  });

  it('redisson #4813: a refund never exceeds what was taken, and a penalty has to be paid off', async () => {
    const { limiter, clock } = bench();
    const decision = await limiter.take('a', { cost: 3 });
    await limiter.refund('a', { decision });
    await limiter.refund('a', { cost: 100 });
    await limiter.refund('nobody', { cost: 100 });
    expect(await limiter.peek('a')).toMatchObject({ remaining: 10 });
    await limiter.penalize('a', { cost: 15 });
    expect(await limiter.take('a')).toMatchObject({ allowed: false, remaining: 0, retryAfterMs: 600 });
    await clock.advance(600);
    expect((await limiter.take('a')).allowed).toBe(true);
    await expect(limiter.penalize('a', { cost: -1 })).rejects.toMatchObject({ path: 'penalize.cost' });
    await expect(limiter.refund('a', { cost: -1 })).rejects.toMatchObject({ path: 'refund.cost' });
  });

  it('block denies a key for a time, and reset ends it', async () => {
    const { limiter, clock } = bench();
    await limiter.block('a', 5_000);
    expect(await limiter.take('a')).toMatchObject({ allowed: false, remaining: 0, retryAfterMs: 5_000 });
    expect(await limiter.peek('a')).toMatchObject({ allowed: false });
    expect((await limiter.take('b')).allowed).toBe(true);
    await clock.advance(5_000);
    expect((await limiter.take('a', { cost: 10 })).allowed).toBe(true);
    await limiter.block('a', 5_000);
    await limiter.reset('a');
    expect((await limiter.take('a', { cost: 10 })).allowed).toBe(true);
  });

  it('waits that begin during a block are served after it as the limit allows, not all at its end', async () => {
    const { limiter, clock } = bench();
    await limiter.block('a', 10_000);
    const servedAt: number[] = [];
    for (let i = 0; i < 50; i++) {
      void limiter.wait('a', { maxWaitMs: 60_000 }).then(() => servedAt.push(clock.monotonic()));
      await clock.advance(100);
    }
    await clock.advance(60_000);
    expect(servedAt).toEqual(Array.from({ length: 50 }, (_, i) => 10_000 + Math.max(0, i - 9) * 100));
  });

  it('a reservation made during a block can be cancelled, and refunded once it is due', async () => {
    const { limiter, clock } = bench();
    await limiter.block('a', 10_000);
    const first = await limiter.reserve('a', { cost: 10, maxWaitMs: 60_000 });
    const second = await limiter.reserve('a', { cost: 5, maxWaitMs: 60_000 });
    expect([first.waitMs, second.waitMs]).toEqual([10_000, 10_500]);
    await second.cancel();
    await clock.advance(10_000);
    expect((await limiter.peek('a')).remaining).toBe(0);
    await limiter.refund('a', { decision: first.decision });
    expect((await limiter.peek('a')).remaining).toBe(10);
  });

  it.each([
    ['tokenBucket', tokenBucket({ limit: 5, periodMs: 60_000 })],
    ['fixedWindow', fixedWindow({ limit: 5, periodMs: 60_000 })],
    ['slidingWindow', slidingWindow({ limit: 5, periodMs: 60_000 })],
    ['slidingLog', slidingLog({ limit: 5, periodMs: 60_000 })],
    ['concurrency', concurrency({ limit: 5, permitTtlMs: 60_000 })],
  ])('retryAfterMs and resetAfterMs of a blocked key are exact: %s', async (_, limit) => {
    const { limiter, clock } = bench({ limits: [limit] });
    await limiter.take('a', { cost: 5 });
    await limiter.block('a', 3_000.5);
    await limiter.block('b', 3_000.5);
    expect(await limiter.take('b', { cost: 5 })).toMatchObject({ retryAfterMs: 3_001, resetAfterMs: 3_001 });
    const { retryAfterMs, resetAfterMs } = await limiter.take('a', { cost: 2 });
    expect(resetAfterMs).toBeGreaterThanOrEqual(60_000);
    await clock.advance(retryAfterMs - 1);
    expect(await limiter.peek('a', { cost: 2 })).toMatchObject({ allowed: false, retryAfterMs: 1 });
    await clock.advance(1);
    expect(await limiter.peek('a', { cost: 2 })).toMatchObject({ allowed: true });
    await clock.advance(resetAfterMs - retryAfterMs);
    expect(await limiter.peek('a')).toMatchObject({ remaining: 5, resetAfterMs: 0 });
  });

  it('upstash resetUsedTokens: reset affects exactly the given key', async () => {
    const { limiter } = bench();
    for (const key of ['*', 'a', '[ab]', 'a:b', '{a}']) await limiter.take(key, { cost: 10 });
    await limiter.reset('*');
    await limiter.reset('[ab]');
    expect((await limiter.peek('*')).remaining).toBe(10);
    expect((await limiter.peek('a')).remaining).toBe(0);
    expect((await limiter.peek('{a}')).remaining).toBe(0);
  });

  it('permits are freed by release, and by expiry', async () => {
    const { limiter, clock } = bench({ limits: [concurrency({ limit: 2, permitTtlMs: 1_000 })] });
    const [first, second] = [await limiter.take('a'), await limiter.take('a')];
    expect((await limiter.take('a')).allowed).toBe(false);
    expect(await limiter.release('a', first)).toBe(true);
    expect(await limiter.release('a', first)).toBe(false);
    expect((await limiter.take('a')).allowed).toBe(true);
    await clock.advance(600);
    expect(await limiter.renew('a', second)).toBe(true);
    await clock.advance(500);
    expect(await limiter.peek('a')).toMatchObject({ remaining: 1 });
    for (const operation of ['refund', 'penalize'] as const) {
      await expect(limiter[operation]('a')).rejects.toMatchObject({ code: 'MAC_INVALID_OPTIONS', path: operation });
    }
  });
});

describe('reserve and wait', () => {
  it('reserves tokens for later, and takes nothing if the wait would be too long', async () => {
    const { limiter } = bench();
    expect(await limiter.reserve('a', { cost: 10 })).toMatchObject({ allowed: true, waitMs: 0 });
    expect(await limiter.reserve('a', { cost: 2 })).toMatchObject({ allowed: true, waitMs: 200 });
    expect(await limiter.reserve('a', { cost: 2, maxWaitMs: 399 })).toMatchObject({ allowed: false, waitMs: 400 });
    expect(await limiter.reserve('a', { cost: 1 })).toMatchObject({ allowed: true, waitMs: 300 });
  });

  it('cancel gives a reservation back, once', async () => {
    const { limiter } = bench();
    await limiter.take('a', { cost: 10 });
    const reservation = await limiter.reserve('a', { cost: 5 });
    await reservation.cancel();
    await reservation.cancel();
    expect(await limiter.reserve('a')).toMatchObject({ waitMs: 100 });
  });

  it('reserve rejects limits other than token buckets', async () => {
    const { limiter } = bench({ limits: [fixedWindow({ limit: 1, periodMs: 1_000 })] });
    await expect(limiter.reserve('a')).rejects.toMatchObject({ code: 'MAC_INVALID_OPTIONS' });
  });

  it('limiter #50: serves waiting calls in order, with one timer', async () => {
    const { limiter, clock } = bench();
    await limiter.take('a', { cost: 10 });
    const served: number[] = [];
    const waits = Array.from({ length: 1_000 }, (_, i) =>
      limiter.wait('a', { maxWaitMs: Infinity }).then(() => served.push(i)),
    );
    await clock.settle();
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(500);
    expect(served).toEqual([0, 1, 2, 3, 4]);
    await clock.runUntil(Promise.all(waits));
    expect(served).toEqual(Array.from({ length: 1_000 }, (_, i) => i));
    expect(clock.monotonic()).toBe(100_000);
    clock.assertNoTimers();
  });

  it('data-fair #479: an aborted wait gives its tokens back', async () => {
    const { limiter, clock } = bench();
    await limiter.take('a', { cost: 10 });
    const controller = new AbortController();
    const wait = limiter.wait('a', { cost: 5, signal: controller.signal });
    const settled = wait.catch((error: unknown) => error);
    await clock.settle();
    controller.abort(new Error('gone'));
    expect(await settled).toMatchObject({ message: 'gone' });
    expect(limiter.stats()['waiting']).toBe(0);
    expect(await limiter.peek('a', { cost: 1 })).toMatchObject({ retryAfterMs: 100 });
    clock.assertNoTimers();
  });

  it('rejects at once a wait beyond maxWaitMs or the deadline of the unit of work', async () => {
    const { limiter, clock } = bench();
    await limiter.take('a', { cost: 10 });
    const refused = { code: 'MAC_RATE_LIMITED', retryAfterMs: 500, policy: '10-per-1s', limiter: 'test' };
    await expect(limiter.wait('a', { cost: 5, maxWaitMs: 499 })).rejects.toMatchObject(refused);
    await runWork({ timeoutMs: 499, clock }, () =>
      expect(limiter.wait('a', { cost: 5 })).rejects.toMatchObject(refused),
    );
    expect(clock.monotonic()).toBe(0);
  });

  it('waits for windows and permits, too', async () => {
    const { limiter, clock } = bench({ limits: [fixedWindow({ limit: 1, periodMs: 1_000 })] });
    await limiter.take('a');
    await clock.runUntil(limiter.wait('a'));
    expect(clock.monotonic()).toBe(1_000);
    const permits = bench({ limits: [concurrency({ limit: 1, permitTtlMs: 60_000 })] });
    const held = await permits.limiter.take('a');
    const wait = permits.limiter.wait('a');
    await permits.clock.advance(250);
    await permits.limiter.release('a', held);
    await permits.clock.runUntil(wait);
    expect(permits.clock.monotonic()).toBe(300);
  });

  it('bottleneck #192: close rejects every wait and leaves no timer', async () => {
    const { limiter, clock } = bench();
    await limiter.take('a', { cost: 10 });
    const wait = limiter.wait('a').catch((error: unknown) => error);
    await clock.settle();
    await limiter.close();
    await limiter.close();
    expect(await wait).toMatchObject({ code: 'MAC_CLOSED' });
    clock.assertNoTimers();
  });

  it.each([
    ['token bucket', [tokenBucket({ limit: 1, periodMs: 60_000 })]],
    ['permits', [concurrency({ limit: 1 })]],
  ])('close rejects a wait whose request is not decided yet, and gives its tokens back: %s', async (_, limits) => {
    const { limiter, clock } = bench({ limits });
    await limiter.take('a');
    const wait = limiter.wait('a', { maxWaitMs: Infinity }).catch((error: unknown) => error);
    await limiter.close();
    expect(await wait).toMatchObject({ code: 'MAC_CLOSED' });
    expect(clock.monotonic()).toBe(0);
    clock.assertNoTimers();
    expect((await limiter.peek('a', { cost: 1 })).retryAfterMs).toBeLessThanOrEqual(60_000);
  });
});

describe('takeAll', () => {
  it('takes from all or from none', async () => {
    const clock = virtualClock();
    const make = (name: string, limit: number) =>
      createRateLimiter({ name, limits: [tokenBucket({ limit, periodMs: 1_000 })], clock });
    const [users, tenants] = [make('users', 5), make('tenants', 7)];
    const claims = (key: string, cost: number) => [
      { limiter: users, key, cost },
      { limiter: tenants, key: 'acme', cost },
    ];
    expect(await takeAll(claims('ann', 4))).toMatchObject({ allowed: true, decision: { remaining: 1 } });
    expect(await takeAll(claims('bob', 4))).toMatchObject({ allowed: false, decision: { policy: '7-per-1s' } });
    expect(await users.peek('bob')).toMatchObject({ remaining: 5 });
    expect(await tenants.peek('acme')).toMatchObject({ remaining: 3 });
    await expect(takeAll(claims('eve', 6))).rejects.toMatchObject({ code: 'MAC_COST_ABOVE_CAPACITY' });
    await expect(takeAll([])).rejects.toMatchObject({ path: 'takeAll.claims' });
  });

  it('in memory is atomic, and does not count requests that were not charged', async () => {
    const clock = virtualClock();
    const make = (name: string, limit: number) =>
      createRateLimiter({ name, limits: [slidingLog({ limit, periodMs: 1_000 })], clock });
    const [users, tenants] = [make('users', 5), make('tenants', 7)];
    await users.take('ann');
    await clock.advance(500);
    const denied = takeAll([
      { limiter: users, key: 'ann', cost: 2 },
      { limiter: tenants, key: 'acme', cost: 4 },
      { limiter: tenants, key: 'acme', cost: 4 },
    ]);
    expect(await users.peek('ann')).toMatchObject({ remaining: 4, resetAfterMs: 500 });
    const { allowed, atomic, decisions, decision } = await denied;
    expect([allowed, atomic, decision.limit]).toEqual([false, true, 7]);
    expect(decisions.map((one) => [one.allowed, one.granted, one.remaining])).toEqual([
      [true, 0, 4],
      [true, 0, 7],
      [false, 0, 3],
    ]);
    expect([users.stats()['allowed'], tenants.stats()['denied']]).toEqual([1, 1]);
    expect(await users.peek('ann')).toMatchObject({ remaining: 4, resetAfterMs: 500 });
  });

  it('names the denial with the longest wait', async () => {
    const clock = virtualClock();
    const make = (name: string, periodMs: number) =>
      createRateLimiter({ name, limits: [tokenBucket({ limit: 1, periodMs })], clock });
    const claims = [1_000, 60_000, 10].map((periodMs) => ({ limiter: make(`per-${periodMs}`, periodMs), key: 'ann' }));
    await takeAll(claims);
    expect((await takeAll(claims)).decision).toMatchObject({ allowed: false, retryAfterMs: 60_000 });
  });

  it('a limiter in shadow mode does not deny the claims of others', async () => {
    const clock = virtualClock();
    const watching = createRateLimiter({
      name: 'new',
      limits: [tokenBucket({ limit: 1, periodMs: 1_000 })],
      clock,
      shadow: true,
    });
    const old = createRateLimiter({ name: 'old', limits: [tokenBucket({ limit: 9, periodMs: 1_000 })], clock });
    const claims = [
      { limiter: watching, key: 'ann' },
      { limiter: old, key: 'ann' },
    ];
    await takeAll(claims);
    const { allowed, decisions } = await takeAll(claims);
    expect(allowed).toBe(true);
    expect(decisions[0]).toMatchObject({ allowed: true, wouldAllow: false, granted: 0 });
    expect(decisions[1]).toMatchObject({ allowed: true, remaining: 7 });
    expect(watching.stats()).toMatchObject({ allowed: 1, shadowed: 1 });
    await watching.block('ann', 1_000);
    const blocked = await takeAll(claims);
    expect(blocked).toMatchObject({ allowed: true, decisions: [{ wouldAllow: false, granted: 0 }, { remaining: 6 }] });
  });
});

describe('shadow and enforce', () => {
  it('shadow allows everything and sets wouldAllow', async () => {
    const { limiter } = bench({ shadow: true });
    await limiter.take('a', { cost: 10 });
    expect(await limiter.take('a')).toMatchObject({ allowed: true, wouldAllow: false, granted: 0, retryAfterMs: 100 });
    expect(limiter.stats()).toMatchObject({ allowed: 1, denied: 0, shadowed: 1 });
  });

  it('wait() does not wait for a limit in shadow mode, alone or with others', async () => {
    const { limiter, clock } = bench({ shadow: true });
    await limiter.take('a', { cost: 10 });
    expect(await limiter.wait('a', { cost: 5, maxWaitMs: 0 })).toMatchObject({ allowed: true, wouldAllow: false });
    expect(clock.monotonic()).toBe(0);
    expect(limiter.stats()).toMatchObject({ allowed: 1, denied: 0, shadowed: 1, waiting: 0 });
    const mixed = bench({
      limits: [
        tokenBucket({ limit: 10, periodMs: 1_000, name: 'old' }),
        tokenBucket({ limit: 10, periodMs: 60_000, name: 'new', enforce: 0 }),
      ],
    });
    await mixed.limiter.take('a', { cost: 10 });
    expect(await mixed.clock.runUntil(mixed.limiter.wait('a', { cost: 5 }))).toMatchObject({
      allowed: true,
      wouldAllow: false,
    });
    expect(mixed.clock.monotonic()).toBe(500);
  });

  it('enforces for the given ratio of keys, always the same ones', async () => {
    const { limiter } = bench({ enforce: 0.3 });
    let denied = 0;
    for (let i = 0; i < 1_000; i++) {
      limiter.tryTake(`key ${i}`, { cost: 10 });
      const { allowed } = limiter.tryTake(`key ${i}`);
      expect(limiter.tryTake(`key ${i}`).allowed).toBe(allowed);
      if (!allowed) denied++;
    }
    expect(denied).toBeGreaterThan(250);
    expect(denied).toBeLessThan(350);
  });
});

describe('a limit that only watches', () => {
  const limits = [
    tokenBucket({ limit: 10, periodMs: 1_000, name: 'old' }),
    tokenBucket({ limit: 3, periodMs: 1_000, name: 'new', enforce: 0 }),
  ];

  it('does not deny, and is charged only for what it would have allowed', async () => {
    const { limiter } = bench({ limits });
    expect(await limiter.take('a', { cost: 3 })).toMatchObject({
      allowed: true,
      granted: 3,
      policy: 'new',
      remaining: 0,
    });
    const decision = await limiter.take('a', { cost: 3 });
    expect(decision).toMatchObject({
      allowed: true,
      wouldAllow: false,
      granted: 3,
      policy: 'new',
      retryAfterMs: 1_000,
    });
    expect(decision.policies).toMatchObject([
      { allowed: true, remaining: 4 },
      { allowed: false, remaining: 0 },
    ]);
    // Of the one that watches nobody would ever have five.
    const denied = { allowed: false, granted: 0, policy: 'old', retryAfterMs: 100 };
    expect(await limiter.take('a', { cost: 5 })).toMatchObject(denied);
    expect((await limiter.peek('a')).policies).toMatchObject([{ remaining: 4 }, { remaining: 0 }]);
    expect(limiter.stats()).toMatchObject({ allowed: 1, shadowed: 1, denied: 1 });
  });

  it('takeUpTo is not bounded by what it has left', async () => {
    const { limiter } = bench({ limits });
    expect(await limiter.takeUpTo('a', 7)).toMatchObject({ allowed: true, granted: 7, wouldAllow: false });
  });

  it('is enforced for its ratio of keys, and grants permits only to those', async () => {
    const half = [tokenBucket({ limit: 100, periodMs: 1_000, name: 'old' }), concurrency({ limit: 1, enforce: 0.5 })];
    const { limiter } = bench({ limits: half });
    const denied = new Set<string>();
    for (let i = 0; i < 400; i++) {
      expect(limiter.tryTake(`key ${i}`).permit).toBeTypeOf('number');
      const again = limiter.tryTake(`key ${i}`);
      expect(again.permit).toBeUndefined();
      if (!again.allowed) denied.add(`key ${i}`);
    }
    expect(denied.size).toBeGreaterThan(150);
    expect(denied.size).toBeLessThan(250);
    expect(limiter.describe()).toContain('(concurrency) enforced for 50 % of keys');
  });

  it('is enforced for at most the ratio of its limiter', async () => {
    const { limiter } = bench({ limits: [tokenBucket({ limit: 1, periodMs: 1_000, enforce: 1 })], enforce: 0 });
    limiter.tryTake('a');
    expect(limiter.tryTake('a')).toMatchObject({ allowed: true, wouldAllow: false, granted: 0 });
    expect(() => tokenBucket({ limit: 1, periodMs: 1, enforce: 2 })).toThrow(
      expect.objectContaining({ path: 'tokenBucket.enforce' }),
    );
    expect(() => concurrency({ limit: 1, enforce: -1 })).toThrow(
      expect.objectContaining({ path: 'concurrency.enforce' }),
    );
  });
});

describe('options', () => {
  const limit = tokenBucket({ limit: 1, periodMs: 1_000 });
  it.each([
    [{ limits: [] }, 'createRateLimiter.limits'],
    [{ limits: [limit, limit] }, 'createRateLimiter.limits[1].name'],
    [{ limits: [{}] }, 'createRateLimiter.limits[0]'],
    [{ limits: [concurrency({ limit: 1 }), concurrency({ limit: 2 })] }, 'createRateLimiter.limits'],
    [{ name: '' }, 'createRateLimiter.name'],
    [{ name: 'a{b}' }, 'createRateLimiter.name'],
    [{ store: {} }, 'createRateLimiter.store'],
    [{ onStoreFailure: 'maybe' }, 'createRateLimiter.onStoreFailure'],
    [{ expectedInstances: 0 }, 'createRateLimiter.expectedInstances'],
    [{ shadow: true, enforce: 0.5 }, 'createRateLimiter.enforce'],
    [{ limit: 5 }, 'createRateLimiter.limit'],
    [{ clock: Date }, 'createRateLimiter.clock'],
    [{ random: 0.5 }, 'createRateLimiter.random'],
  ])('refuses %o', (options, path) => {
    const all = { name: 'test', limits: [limit], ...options } as RateLimiterOptions;
    expect(() => createRateLimiter(all)).toThrow(expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path }));
  });

  it.each([
    ['memoryStore', () => memoryStore({ clock: Date as never })],
    ['createShaper', () => createShaper({ ratePerSecond: 1, clock: Date as never })],
    ['createLoadShedder', () => createLoadShedder({ clock: Date as never })],
    ['createOutboundLimiter', () => createOutboundLimiter({ clock: Date as never })],
  ])('%s rejects an invalid clock', (name, make) => {
    expect(make).toThrow(expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path: `${name}.clock` }));
  });

  it('describe states limits, store and fallback', () => {
    const { limiter } = bench({ store: memoryStore({ maxKeys: 5 }), enforce: 0.5 });
    expect(limiter.describe()).toBe(
      'rate limiter "test": "10-per-1s": 10 in 1000 ms, 10 at once (token bucket); kept in memory, 5 keys at most; enforced for 50 % of keys',
    );
  });
});
