// A limiter whose shared store fails or responds late, in virtual time.
import { seededRandom, virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import {
  concurrency,
  createRateLimiter,
  fixedWindow,
  slidingWindow,
  takeAll,
  tokenBucket,
  type Limit,
  type RateLimiterOptions,
} from '../src/index.ts';
import { sharedStore } from './fleet.ts';

const HOUR_MS = 3_600_000;
const aThousand = tokenBucket({ limit: 1_000, periodMs: HOUR_MS });

function setUp(limits: readonly Limit[], options: Partial<RateLimiterOptions> = {}, latencyMs = () => 1) {
  const clock = virtualClock();
  const { store, central, counts } = sharedStore(clock, limits, latencyMs);
  const { lease: _, ...exact } = store;
  const limiter = createRateLimiter({ name: 'test', limits, store: exact, clock, random: seededRandom(1), ...options });
  const left = async (): Promise<number> => (await central.take('k', 0, 'peek')).remaining;
  return { clock, limiter, store, central, counts, left };
}

describe('what was taken without the store is not given back to it', () => {
  it.each([
    ['local', 600],
    ['open', 1_000],
  ] as const)('by refund: %s', async (onStoreFailure, remaining) => {
    const { clock, limiter, counts, left } = setUp([aThousand], { onStoreFailure });
    await clock.runUntil(limiter.take('k', { cost: 900 }));
    counts.away = true;
    const decision = await clock.runUntil(limiter.take('k', { cost: 800 }));
    counts.away = false;
    await clock.runUntil(limiter.refund('k', { decision, cost: 400 }));
    expect(await left()).toBe(100);
    counts.away = true;
    expect(await clock.runUntil(limiter.peek('k'))).toMatchObject({ degraded: true, remaining });
  });

  it('by cancel', async () => {
    const { clock, limiter, counts, left } = setUp([aThousand]);
    await clock.runUntil(limiter.take('k', { cost: 900 }));
    counts.away = true;
    await clock.runUntil(limiter.reserve('k', { cost: 1_000 }));
    const reservation = await clock.runUntil(limiter.reserve('k', { cost: 800, maxWaitMs: HOUR_MS }));
    expect(reservation).toMatchObject({ allowed: true, decision: { degraded: true } });
    counts.away = false;
    await clock.runUntil(reservation.cancel());
    expect(await left()).toBe(100);
  });

  it('by takeAll', async () => {
    const { clock, limiter, counts, left } = setUp([aThousand]);
    const other = createRateLimiter({ name: 'other', limits: [fixedWindow({ limit: 1, periodMs: HOUR_MS })], clock });
    await other.take('k');
    await clock.runUntil(limiter.take('k', { cost: 900 }));
    counts.away = true;
    const all = takeAll([
      { limiter, key: 'k', cost: 800 },
      { limiter: other, key: 'k' },
    ]);
    await clock.advance(1);
    counts.away = false;
    expect(await clock.runUntil(all)).toMatchObject({ allowed: false, decisions: [{ degraded: true }, {}] });
    expect(await left()).toBe(100);
  });

  it('by closing a limiter with leases, or by refunding what was spent from them', async () => {
    const { clock, store, counts, central, left } = setUp([aThousand]);
    const lease = { ttlMs: 60_000, maxShare: 0.05 };
    const limiter = createRateLimiter({ name: 'lease', limits: [aThousand], store: { ...store, lease }, clock });
    counts.away = true;
    for (let i = 0; i < 10; i++) await clock.runUntil(limiter.take('k'));
    expect(limiter.stats()['tokensBorrowed']).toBeGreaterThan(limiter.stats()['tokensSpent'] as number);
    counts.away = false;
    await central.charge('k', 500, undefined);
    const decision = limiter.tryTake('k');
    expect(decision).toMatchObject({ degraded: true, source: 'fallback' });
    await clock.runUntil(limiter.refund('k', { decision }));
    await clock.runUntil(limiter.close());
    expect(limiter.stats()).toMatchObject({ storeAway: 0 });
    expect(await left()).toBe(500);
  });

  it('and what was taken from the store is not given back to the fallback', async () => {
    const { clock, limiter, counts } = setUp([aThousand]);
    const decision = await clock.runUntil(limiter.take('k', { cost: 500 }));
    const reservation = await clock.runUntil(limiter.reserve('k', { cost: 600, maxWaitMs: HOUR_MS }));
    counts.away = true;
    await clock.runUntil(limiter.take('k', { cost: 900 }));
    await clock.runUntil(limiter.refund('k', { decision }));
    await clock.runUntil(reservation.cancel());
    expect(await clock.runUntil(limiter.peek('k'))).toMatchObject({ degraded: true, remaining: 100 });
  });
});

it('takeAll gives back without an error what a limiter with permits granted without one', async () => {
  const clock = virtualClock();
  const denying = createRateLimiter({ name: 'denying', limits: [fixedWindow({ limit: 1, periodMs: HOUR_MS })], clock });
  await denying.take('k');
  for (const limits of [[concurrency({ limit: 5 })], [aThousand, concurrency({ limit: 5 })]]) {
    const { store, counts } = sharedStore(clock, limits);
    const open = createRateLimiter({ name: 'open', limits, store, clock, onStoreFailure: 'open' });
    counts.away = true;
    const all = takeAll([
      { limiter: open, key: 'k' },
      { limiter: denying, key: 'k' },
    ]);
    expect(await clock.runUntil(all)).toMatchObject({ allowed: false, atomic: false });
  }
});

it('onStoreFailure open: the grant has the decisions of all limits', async () => {
  const limits = [aThousand, concurrency({ limit: 5 })];
  const { clock, limiter, counts } = setUp(limits, { onStoreFailure: 'open' });
  counts.away = true;
  const decision = await clock.runUntil(limiter.take('k'));
  expect(decision).toMatchObject({ allowed: true, degraded: true, source: 'fallback', granted: 1 });
  expect(decision.policies).toMatchObject([
    { allowed: true, policy: '1000-per-3600s', remaining: 1_000 },
    { allowed: true, periodMs: 0, remaining: 5 },
  ]);
});

it('an outage does not end the block of a key, and reset does', async () => {
  const { clock, limiter, counts } = setUp([aThousand]);
  await clock.runUntil(limiter.block('k', HOUR_MS));
  counts.away = true;
  expect(await clock.runUntil(limiter.take('k'))).toMatchObject({ allowed: false, degraded: true });
  expect(await clock.runUntil(limiter.take('other'))).toMatchObject({ allowed: true, degraded: true });
  counts.away = false;
  await clock.runUntil(limiter.reset('k'));
  counts.away = true;
  expect(await clock.runUntil(limiter.take('k'))).toMatchObject({ allowed: true, degraded: true });
});

it('a denial is not repeated for a higher cost, which has to wait longer', async () => {
  const { clock, limiter } = setUp([tokenBucket({ limit: 10, periodMs: 1_000 })]);
  await clock.runUntil(limiter.take('k', { cost: 10 }));
  expect((await clock.runUntil(limiter.take('k'))).retryAfterMs).toBeLessThanOrEqual(100);
  const { source, retryAfterMs } = await clock.runUntil(limiter.take('k', { cost: 10 }));
  expect(source).not.toBe('denyCache');
  await clock.advance(retryAfterMs);
  expect(await clock.runUntil(limiter.take('k', { cost: 10 }))).toMatchObject({ allowed: true });
});

describe('wait', () => {
  it('an aborted wait rejects with the reason of the signal, also if the store cannot take the tokens back', async () => {
    const limits = [tokenBucket({ limit: 1, periodMs: 10_000 })];
    const { clock, limiter, counts } = setUp(limits, { onStoreFailure: 'closed' });
    await clock.runUntil(limiter.take('k'));
    const controller = new AbortController();
    const waiting = limiter.wait('k', { signal: controller.signal }).catch((error: unknown) => error);
    await clock.advance(1_000);
    counts.away = true;
    controller.abort(new Error('gone'));
    expect(await clock.runUntil(waiting)).toMatchObject({ message: 'gone' });
  });

  it('a cost above the share of this process waits for the store, or is rejected at once', async () => {
    const { clock, limiter, counts } = setUp([slidingWindow({ limit: 100, periodMs: 1_000 })], {
      expectedInstances: 4,
    });
    counts.away = true;
    const refused = await clock.runUntil(limiter.wait('k', { cost: 50 }).catch((error: unknown) => error));
    expect(refused).toMatchObject({ code: 'MAC_RATE_LIMITED', retryAfterMs: Infinity });
    expect((refused as Error).message).toContain('only when its store responds');
    const waiting = limiter.wait('k', { cost: 50, maxWaitMs: Infinity });
    await clock.advance(10_000);
    expect(limiter.stats()).toMatchObject({ waiting: 1 });
    counts.away = false;
    expect(await clock.runUntil(waiting)).toMatchObject({ allowed: true, degraded: false });
    expect(clock.monotonic()).toBeLessThan(11_000);
  });
});

it('after reset or refund, a denial that was still on its way is not repeated', async () => {
  const latencies: number[] = [];
  const { clock, limiter } = setUp([aThousand], {}, () => latencies.shift() ?? 1);
  for (const update of ['reset', 'refund'] as const) {
    await clock.runUntil(limiter.take('k', { cost: update === 'reset' ? 1_000 : 999 }));
    // There: the request, the update. Back: the denial, which is slow; the update.
    latencies.push(1, 2, 5, 1);
    const denied = limiter.take('k', { cost: 10 });
    await clock.runUntil(limiter[update]('k', update === 'refund' ? { cost: 500 } : undefined));
    expect(await clock.runUntil(denied)).toMatchObject({ allowed: false });
    expect(await clock.runUntil(limiter.take('k', { cost: 10 }))).toMatchObject({ allowed: true });
    // Later denials are repeated again.
    await clock.runUntil(limiter.take('k', { cost: 1_000 }));
    expect(await clock.runUntil(limiter.take('k', { cost: 1_000 }))).toMatchObject({ source: 'denyCache' });
    await clock.runUntil(limiter.reset('k'));
  }
});
