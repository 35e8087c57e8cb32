import { strict as assert } from 'node:assert';
import { concurrency } from './algorithms/concurrency.ts';
import { fixedWindow } from './algorithms/fixed-window.ts';
import type { Limit } from './algorithms/limit.ts';
import { slidingLog } from './algorithms/sliding-log.ts';
import { slidingWindow } from './algorithms/sliding-window.ts';
import { tokenBucket } from './algorithms/token-bucket.ts';
import { createRateLimiter } from './create-rate-limiter.ts';
import type { RateLimiter } from './rate-limiter.ts';
import type { RateLimitStore } from './store/store.ts';
import { takeAll } from './take-all.ts';

/** One test of the contract. */
export interface StoreCase {
  /** What a store has to do, as a sentence. */
  readonly name: string;
  /** Runs the test. Rejects when the store does not do it. */
  run(): Promise<void>;
}

/** A period so long that no token flows back during a test. */
const HOUR_MS = 3_600_000;

/**
 * Returns what every {@link RateLimitStore} has to do, as named tests for any test runner. Each test creates its own
 * limiters with stores from `makeStore`; two stores created one after the other may share their keys, as two processes
 * do.
 *
 * @example
 * ```ts
 * import { memoryStore } from '@macadam/ratelimit';
 * import { storeContract } from '@macadam/ratelimit/testing';
 *
 * for (const { run } of storeContract(() => memoryStore())) await run();
 * ```
 */
export function storeContract(makeStore: () => RateLimitStore): StoreCase[] {
  let limiterCount = 0;
  const limiterOf = (...limits: Limit[]): RateLimiter =>
    createRateLimiter({ name: `contract-${++limiterCount}`, limits, store: makeStore(), onStoreFailure: 'closed' });
  const rates: Record<string, () => Limit> = {
    tokenBucket: () => tokenBucket({ limit: 10, periodMs: HOUR_MS }),
    fixedWindow: () => fixedWindow({ limit: 10, periodMs: HOUR_MS }),
    slidingWindow: () => slidingWindow({ limit: 10, periodMs: HOUR_MS }),
    'slidingWindow, interpolated': () => slidingWindow({ limit: 10, periodMs: HOUR_MS, mode: 'interpolated' }),
    slidingLog: () => slidingLog({ limit: 10, periodMs: HOUR_MS }),
  };
  const forEachRate = (name: string, run: (limiter: RateLimiter) => Promise<void>): StoreCase[] =>
    Object.entries(rates).map(([kind, limit]) => ({ name: `${kind}: ${name}`, run: () => run(limiterOf(limit())) }));
  return [
    ...forEachRate('grants exactly the limit to concurrent requests', grantsTheLimit),
    ...forEachRate('takes nothing for a denial or a peek', takesNothing),
    ...forEachRate('takeUpTo takes as many tokens as are left', takesUpTo),
    ...forEachRate('refunds at most what was taken, and penalizes beyond the limit', refunds),
    ...Object.entries(rates).map(([kind, limit]) => ({
      name: `${kind}: setLimits keeps the ratio of each key that is used up`,
      run: () => keepsUsedRatio(limiterOf(limit()), kind),
    })),
    { name: 'a limit that only watches denies nothing', run: () => onlyObserves(limiterOf) },
    { name: 'charges all of several limits or none', run: () => allOrNone(limiterOf) },
    { name: 'keeps keys with any characters apart', run: () => keysStayApart(limiterOf(rates['tokenBucket']!())) },
    { name: 'blocks and resets a key', run: () => blocks(limiterOf(rates['slidingLog']!())) },
    ...Object.entries(rates).map(([kind, limit]) => ({
      name: `${kind}: a blocked key stays blocked when the limits change`,
      run: () => staysBlocked(limiterOf(rates['tokenBucket']!()), limit()),
    })),
    { name: 'reserves tokens, and cancels a reservation', run: () => reserves(limiterOf(rates['tokenBucket']!())) },
    { name: 'releases a permit only once', run: () => permits(limiterOf(concurrency({ limit: 2 }))) },
  ];
}

async function grantsTheLimit(limiter: RateLimiter): Promise<void> {
  const decisions = await Promise.all(Array.from({ length: 30 }, () => limiter.take('a')));
  assert.equal(decisions.filter(({ allowed }) => allowed).length, 10);
  const left = decisions.filter(({ allowed }) => allowed).map(({ remaining }) => remaining);
  assert.deepEqual(
    left.sort((a, b) => b - a),
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
  );
  assert.ok(decisions.every(({ allowed, retryAfterMs }) => allowed === (retryAfterMs === 0)));
  assert.equal((await limiter.take('b')).allowed, true);
}

async function keepsUsedRatio(limiter: RateLimiter, kind: string): Promise<void> {
  await limiter.take('a', { cost: 8 });
  const options = { limit: 5, periodMs: HOUR_MS };
  const smaller = {
    tokenBucket: () => tokenBucket(options),
    fixedWindow: () => fixedWindow(options),
    slidingLog: () => slidingLog(options),
  };
  const make = smaller[kind as keyof typeof smaller] ?? (() => slidingWindow(options));
  limiter.setLimits([make()]);
  const denied = await limiter.take('a', { cost: 2 });
  assert.deepEqual([denied.allowed, denied.limit, denied.remaining], [false, 5, 1]);
  assert.equal((await limiter.take('a')).allowed, true);
  assert.equal((await limiter.take('a')).allowed, false);
  assert.equal((await limiter.take('b', { cost: 5 })).allowed, true);
}

async function onlyObserves(limiterOf: (...limits: Limit[]) => RateLimiter): Promise<void> {
  const limiter = limiterOf(
    tokenBucket({ limit: 10, periodMs: HOUR_MS, name: 'old' }),
    fixedWindow({ limit: 3, periodMs: HOUR_MS, name: 'new', enforce: 0 }),
  );
  const both = await limiter.take('a', { cost: 3 });
  assert.deepEqual([both.allowed, both.wouldAllow, both.granted], [true, undefined, 3]);
  const through = await limiter.take('a', { cost: 3 });
  assert.deepEqual([through.allowed, through.wouldAllow, through.granted, through.policy], [true, false, 3, 'new']);
  const left = (await limiter.peek('a')).policies?.map(({ remaining }) => remaining);
  assert.deepEqual(left, [4, 0]);
  const denied = await limiter.take('a', { cost: 5 });
  assert.deepEqual([denied.allowed, denied.policy, denied.retryAfterMs < HOUR_MS], [false, 'old', true]);
  const shadow = limiterOf(fixedWindow({ limit: 3, periodMs: HOUR_MS, enforce: 0 }));
  await shadow.block('a', HOUR_MS);
  for (const { allowed, granted, wouldAllow } of [
    await shadow.take('a'),
    (await takeAll([{ limiter: shadow, key: 'a' }])).decision,
  ]) {
    assert.deepEqual([allowed, granted, wouldAllow], [true, 0, false]);
  }
}

async function takesNothing(limiter: RateLimiter): Promise<void> {
  await limiter.take('a', { cost: 8 });
  const denied = await limiter.take('a', { cost: 5 });
  assert.deepEqual([denied.allowed, denied.remaining, denied.granted], [false, 2, 0]);
  assert.equal((await limiter.peek('a')).remaining, 2);
  assert.equal((await limiter.peek('a', { cost: 3 })).allowed, false);
  assert.equal((await limiter.take('a', { cost: 2 })).allowed, true);
}

async function takesUpTo(limiter: RateLimiter): Promise<void> {
  assert.equal((await limiter.takeUpTo('a', 7)).granted, 7);
  assert.equal((await limiter.takeUpTo('a', 7)).granted, 3);
  const none = await limiter.takeUpTo('a', 7);
  assert.deepEqual([none.allowed, none.granted], [false, 0]);
}

async function refunds(limiter: RateLimiter): Promise<void> {
  const decision = await limiter.take('a', { cost: 4 });
  await limiter.refund('a', { decision });
  assert.equal((await limiter.peek('a')).remaining, 10);
  await limiter.refund('a', { cost: 100 });
  assert.equal((await limiter.peek('a')).remaining, 10);
  await limiter.penalize('a', { cost: 15 });
  assert.equal((await limiter.peek('a', { cost: 1 })).allowed, false);
}

async function allOrNone(limiterOf: (...limits: Limit[]) => RateLimiter): Promise<void> {
  const wide = fixedWindow({ limit: 10, periodMs: HOUR_MS, name: 'wide' });
  const narrow = tokenBucket({ limit: 4, periodMs: HOUR_MS, name: 'narrow' });
  const limiter = limiterOf(wide, narrow);
  await limiter.take('a', { cost: 3 });
  const denied = await limiter.take('a', { cost: 2 });
  assert.deepEqual([denied.allowed, denied.policy], [false, 'narrow']);
  assert.deepEqual(
    denied.policies?.map(({ remaining }) => remaining),
    [7, 1],
  );
  assert.deepEqual(
    (await limiter.peek('a')).policies?.map(({ remaining }) => remaining),
    [7, 1],
  );
}

async function keysStayApart(limiter: RateLimiter): Promise<void> {
  const keys = [
    'a',
    'A',
    'a:b',
    'a}:b',
    '{a}',
    '%7b',
    '*',
    '?',
    '[ab]',
    'a b',
    'ä',
    '\u0000',
    'a\r\nb',
    'x'.repeat(5_000),
  ];
  for (const key of keys) assert.equal((await limiter.take(key, { cost: 10 })).allowed, true, key);
  for (const key of keys) assert.equal((await limiter.take(key)).allowed, false, key);
  await limiter.reset('*');
  assert.equal((await limiter.take('*')).allowed, true);
  assert.equal((await limiter.take('a')).allowed, false);
}

async function blocks(limiter: RateLimiter): Promise<void> {
  await limiter.take('a', { cost: 10 });
  await limiter.block('b', HOUR_MS);
  const denied = await limiter.take('b');
  assert.deepEqual([denied.allowed, denied.remaining, denied.retryAfterMs > HOUR_MS / 2], [false, 0, true]);
  await limiter.reset('a');
  await limiter.reset('b');
  assert.equal((await limiter.take('a', { cost: 10 })).allowed, true);
  assert.equal((await limiter.take('b', { cost: 10 })).allowed, true);
}

async function staysBlocked(limiter: RateLimiter, other: Limit): Promise<void> {
  const own = tokenBucket({ limit: 5, periodMs: HOUR_MS, name: 'own' });
  await limiter.take('a');
  for (const limits of [[own], [other], [own, other], [other, own]]) {
    await limiter.block('a', HOUR_MS);
    limiter.setLimits(limits);
    const denied = await limiter.take('a');
    assert.deepEqual([denied.allowed, denied.remaining, denied.retryAfterMs > HOUR_MS / 2], [false, 0, true]);
    assert.equal((await limiter.peek('a')).allowed, false);
    assert.equal((await limiter.takeUpTo('a', 2)).granted, 0);
  }
  limiter.setLimits([other]);
  await limiter.reset('a');
  assert.equal((await limiter.take('a')).allowed, true);
}

async function reserves(limiter: RateLimiter): Promise<void> {
  await limiter.take('a', { cost: 10 });
  const first = await limiter.reserve('a', { cost: 2, maxWaitMs: HOUR_MS });
  assert.ok(first.allowed && first.waitMs > HOUR_MS / 6 && first.waitMs <= HOUR_MS / 5);
  await first.cancel();
  const second = await limiter.reserve('a', { cost: 1, maxWaitMs: HOUR_MS });
  assert.ok(second.waitMs <= HOUR_MS / 10, `${second.waitMs}`);
  assert.equal((await limiter.reserve('a', { cost: 1, maxWaitMs: 1_000 })).allowed, false);
}

async function permits(limiter: RateLimiter): Promise<void> {
  const [first, second] = [await limiter.take('a'), await limiter.take('a')];
  assert.notEqual(first.permit, second.permit);
  assert.equal((await limiter.take('a')).allowed, false);
  assert.equal(await limiter.renew('a', second), true);
  assert.equal(await limiter.release('a', first), true);
  assert.equal(await limiter.release('a', first), false);
  assert.equal((await limiter.take('a')).allowed, true);
}
