// What every decision guarantees, for each algorithm and each source: in memory, by a shared store, from leased tokens, from the deny
// cache, or from the fallback. lua-parity.test.ts compares real servers with the algorithms.
import type { Clock } from '@macadam/core';
import { seededRandom, virtualClock, type VirtualClock } from '@macadam/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  concurrency,
  createRateLimiter,
  fixedWindow,
  memoryStore,
  slidingLog,
  slidingWindow,
  tokenBucket,
  type Decision,
  type Limit,
  type RateLimiter,
  type RateLimitStore,
} from '../src/index.ts';
import { KeySlots } from '../src/store/key-slots.ts';
import { sharedStore } from './fleet.ts';

const LIMIT = 40;
const options = { limit: LIMIT, periodMs: 900 };
const limits: Record<string, () => Limit> = {
  tokenBucket: () => tokenBucket(options),
  'tokenBucket, strict': () => tokenBucket({ ...options, strict: true, burst: 20 }),
  fixedWindow: () => fixedWindow(options),
  slidingWindow: () => slidingWindow(options),
  'slidingWindow, interpolated': () => slidingWindow({ ...options, mode: 'interpolated' }),
  slidingLog: () => slidingLog(options),
  concurrency: () => concurrency({ limit: LIMIT, permitTtlMs: 900 }),
};

interface Bench {
  readonly clock: VirtualClock;
  readonly limiter: RateLimiter;
  /** Where decisions come from, once something was denied. */
  readonly source: Decision['source'];
}

/** Without latency, so that the tests control all of the time. */
function storeOf(clock: VirtualClock, limit: Limit): ReturnType<typeof sharedStore> {
  return sharedStore(clock, [limit], () => 0);
}

function limiterOf(clock: Clock, limit: Limit, store: RateLimitStore): RateLimiter {
  return createRateLimiter({ name: 'laws', limits: [limit], store, clock, random: seededRandom(1) });
}

/** Denials of permits are not cached, since a release ends them; the store of the tests is one in memory. */
function deniedBy({ kind }: Limit): Decision['source'] {
  return kind === 'concurrency' ? 'memory' : 'denyCache';
}

const places: Record<string, (limit: Limit) => Bench> = {
  'in memory': (limit) => {
    const clock = virtualClock({ startMs: 5_000 });
    return { clock, limiter: limiterOf(clock, limit, memoryStore()), source: 'memory' };
  },
  'by a shared store, and repeated from memory': (limit) => {
    const clock = virtualClock({ startMs: 5_000 });
    const { lease: _, ...store } = storeOf(clock, limit).store;
    const source = deniedBy(limit);
    return { clock, limiter: limiterOf(clock, limit, store), source };
  },
  'from leased tokens': (limit) => {
    const clock = virtualClock({ startMs: 5_000 });
    const { store } = storeOf(clock, limit);
    const leasing = { ...store, lease: { ttlMs: 100, maxShare: 0.2 } };
    const source = deniedBy(limit);
    return { clock, limiter: limiterOf(clock, limit, leasing), source };
  },
  'without the store': (limit) => {
    const clock = virtualClock({ startMs: 5_000 });
    const { store, counts } = storeOf(clock, limit);
    counts.away = true;
    return { clock, limiter: limiterOf(clock, limit, store), source: 'fallback' };
  },
};

const rows = Object.keys(places).flatMap((place) => Object.keys(limits).map((kind) => ({ place, kind })));

function set({ place, kind }: { place: string; kind: string }): Bench & { take(cost?: number): Promise<Decision> } {
  const bench = (places[place] as (limit: Limit) => Bench)((limits[kind] as () => Limit)());
  return { ...bench, take: (cost = 1) => bench.clock.runUntil(bench.limiter.take('k', { cost })) };
}

describe.each(rows)('$kind, $place', (row) => {
  it('a retry is allowed exactly after retryAfterMs, and not a millisecond earlier', async () => {
    const { clock, take } = set(row);
    await take(3);
    await clock.advance(7);
    let decision = await take();
    while (decision.allowed) decision = await take();
    const { retryAfterMs } = decision;
    expect(retryAfterMs).toBeGreaterThan(0);
    expect(Number.isInteger(retryAfterMs)).toBe(true);
    await clock.advance(retryAfterMs - 1);
    expect(await take(), 'a millisecond before').toMatchObject({ allowed: false, retryAfterMs: 1 });
    await clock.advance(1);
    expect(await take()).toMatchObject({ allowed: true });
  });

  it('denials take nothing', async () => {
    const { clock, take, limiter, source } = set(row);
    const capacity = (await clock.runUntil(limiter.peek('k'))).remaining;
    const most = row.kind === 'tokenBucket, strict' ? 20 : LIMIT;
    expect(capacity).toBe(most);
    await take(most - 2);
    for (let i = 0; i < 20; i++) {
      expect(await take(3)).toMatchObject({ allowed: false, remaining: 2, granted: 0 });
    }
    expect((await take(3)).source).toBe(source);
    expect(await take(2)).toMatchObject({ allowed: true, remaining: 0 });
    expect((await take()).allowed).toBe(false);
  });

  it('concurrent requests are granted exactly the limit', async () => {
    const { clock, limiter } = set(row);
    const decisions = await clock.runUntil(Promise.all(Array.from({ length: 70 }, () => limiter.take('k'))));
    const most = row.kind === 'tokenBucket, strict' ? 20 : LIMIT;
    const allowed = decisions.filter((one) => one.allowed);
    // What flows back while the requests are on their way, at most one.
    expect(allowed.length).toBeGreaterThanOrEqual(most);
    expect(allowed.length).toBeLessThanOrEqual(most + 1);
    for (const { remaining, limit } of decisions) {
      expect(remaining).toBeGreaterThanOrEqual(0);
      expect(remaining).toBeLessThanOrEqual(limit);
    }
  });

  it('a cost above the capacity is an error, and changes nothing', async () => {
    const { clock, limiter, take } = set(row);
    const error = { code: 'MAC_COST_ABOVE_CAPACITY' };
    await expect(limiter.take('k', { cost: LIMIT + 1 })).rejects.toMatchObject(error);
    expect((await clock.runUntil(limiter.peek('k'))).resetAfterMs).toBe(0);
    expect((await take()).allowed).toBe(true);
  });
});

describe('clocks of the memory store', () => {
  it.each(Object.entries(limits))(
    'spring-cloud-gateway #1117: a clock that jumps back grants nothing: %s',
    (_, limit) => {
      let now = 50_000;
      const jumping: Clock = Object.assign(virtualClock(), { monotonic: () => now });
      const limiter = limiterOf(jumping, limit(), memoryStore());
      while (limiter.tryTake('k').allowed);
      const { retryAfterMs } = limiter.tryTake('k');
      now -= 20_000;
      const denied = limiter.tryTake('k');
      expect(denied.allowed).toBe(false);
      expect(denied.retryAfterMs).toBeGreaterThanOrEqual(retryAfterMs);
      now = 50_000 + retryAfterMs - 1;
      expect(limiter.tryTake('k').allowed).toBe(false);
      now++;
      expect(limiter.tryTake('k').allowed).toBe(true);
    },
  );

  it.each(Object.entries(limits))('rate-limiter-flexible #238: needs no timer: %s', (_, limit) => {
    let now = 50_000;
    const stopped = { monotonic: () => now, setTimer: () => ({ cancel() {} }) };
    const frozen: Clock = Object.assign(virtualClock(), stopped);
    const limiter = limiterOf(frozen, limit(), memoryStore());
    for (let round = 0; round < 3; round++) {
      let decision = limiter.tryTake('k');
      expect(decision.allowed, `round ${round + 1}`).toBe(true);
      while (decision.allowed) decision = limiter.tryTake('k');
      expect(decision.retryAfterMs).toBeGreaterThanOrEqual(0);
      now += 100_000;
    }
  });
});

it('fastify-rate-limit #344: keys that are added and removed are decided independently', () => {
  const step = fc.record({
    key: fc.nat(30),
    cost: fc.integer({ min: 1, max: 4 }),
    afterMs: fc.nat(300),
    forget: fc.nat(20),
  });
  const makers = ['tokenBucket', 'fixedWindow', 'slidingWindow', 'slidingLog'].map(
    (kind) => limits[kind] as () => Limit,
  );
  fc.assert(
    fc.property(fc.constantFrom(...makers), fc.array(step, { maxLength: 300 }), (make, steps) => {
      const limit = make();
      const slots = new KeySlots([limit], 40);
      const alone = new Map<number, readonly number[]>();
      let now = 0;
      for (const { key, cost, afterMs, forget } of steps) {
        now += afterMs;
        if (forget === 0) {
          slots.delete(`key ${key}`);
          alone.delete(key);
        }
        const slot = slots.claim(`key ${key}`, now);
        const [states] = slots.states;
        const decision = states!.look(slot, now, cost);
        if (decision.allowed) states!.commit(slot, now, cost, 1);
        const expected = limit.step(alone.get(key) ?? [], now, cost);
        alone.set(key, expected.next);
        expect(decision).toEqual(expected.decision);
      }
    }),
    { numRuns: 60 },
  );
});

describe('fastify-rate-limit #84: a store that never responds', () => {
  it('delays a decision by 50 ms, by nothing once the breaker is open, and gets one probe per half second', async () => {
    const clock = virtualClock();
    let calls = 0;
    const { store } = storeOf(clock, tokenBucket(options));
    const silent: RateLimitStore = {
      ...store,
      open: (table) => ({
        ...store.open(table),
        take: () => {
          calls++;
          return new Promise<never>(() => {});
        },
      }),
    };
    const unhandled: unknown[] = [];
    const listen = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', listen);
    const { lease: _, ...exact } = silent;
    const limiter = limiterOf(clock, tokenBucket({ limit: 10_000, periodMs: 900 }), exact);
    const waits: number[] = [];
    for (let i = 0; i < 200; i++) {
      const before = clock.monotonic();
      expect(await clock.runUntil(limiter.take(`k${i}`))).toMatchObject({ allowed: true, degraded: true });
      waits.push(clock.monotonic() - before);
      await clock.advance(1);
    }
    expect(waits.slice(0, 5)).toEqual([50, 50, 50, 50, 50]);
    expect(Math.max(...waits.slice(5))).toBe(0);
    expect(calls).toBe(5);
    await clock.advance(1_000);
    await clock.runUntil(Promise.all(Array.from({ length: 50 }, (_, i) => limiter.take(`later ${i}`))));
    expect(calls).toBe(6);
    await limiter.close();
    await new Promise<void>((done) => setImmediate(done));
    process.off('unhandledRejection', listen);
    expect(unhandled).toEqual([]);
  });
});
