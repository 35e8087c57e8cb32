// The script and the algorithms are two writings of one rule: on random traces they agree to the last bit.
import { nodeRedis, type Connected } from '@macadam/test-support/redis-clients';
import { seededRandom, virtualClock } from '@macadam/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  concurrency,
  fixedWindow,
  slidingLog,
  slidingWindow,
  tokenBucket,
  type Decision,
  type Limit,
} from '../src/index.ts';
import type { TakeRequest, LimitTable } from '../src/store/store.ts';
import { RedisTable } from '../src/redis/redis-table.ts';
import { MemoryTable } from '../src/store/memory-table.ts';

const period = fc.integer({ min: 20, max: 2_000 });
const size = fc.integer({ min: 1, max: 20 });
const rates: Record<string, fc.Arbitrary<Limit>> = {
  tokenBucket: fc.record({ limit: size, periodMs: period, burst: size }).map((options) => tokenBucket(options)),
  fixedWindow: fc.record({ limit: size, periodMs: period }).map((options) => fixedWindow(options)),
  slidingWindow: fc
    .record({
      limit: size,
      periodMs: period,
      cells: fc.integer({ min: 1, max: 12 }),
      mode: fc.constantFrom('conservative' as const, 'interpolated' as const),
    })
    .map((options) => slidingWindow(options)),
  slidingLog: fc.record({ limit: size, periodMs: period }).map((options) => slidingLog(options)),
};
const permits = fc.record({ limit: size, permitTtlMs: period }).map((options) => concurrency(options));

const operation = fc.record({
  kind: fc.constantFrom(
    'take',
    'take',
    'take',
    'upTo',
    'peek',
    'refund',
    'refundLast',
    'penalize',
    'block',
    'reset',
    'change',
  ),
  watching: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(15) }),
  amount: fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 1, max: 6 }) },
    { weight: 8, arbitrary: fc.double({ min: 0.1, max: 6, noNaN: true }) },
    { weight: 1, arbitrary: fc.constant(1e17) },
  ),
  afterMs: fc.oneof(fc.constant(0), fc.integer({ min: -50, max: 400 }), fc.double({ min: 0, max: 30, noNaN: true })),
});
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

let redis: Connected;
let traces = 0;
beforeAll(async () => void (redis = await nodeRedis()));
afterAll(async () => {
  // Other tests may be at work in the same database.
  const keys = (await redis.command('KEYS', `parity-${process.pid}:*`)) as string[];
  for (let i = 0; i < keys.length; i += 500) await redis.command('DEL', ...keys.slice(i, i + 500));
  await redis.close();
});

/** The same limits in memory and in Redis, with one clock. */
function twins(limits: readonly Limit[], start: number) {
  const time = { now: start, read: () => time.now };
  const [memory, shared] = more(time, limits);
  return { time, memory, shared };
}

function more(time: { now: number; read: () => number }, limits: readonly Limit[]): [MemoryTable, RedisTable] {
  const clock = { ...virtualClock(), monotonic: () => time.now };
  const options = { name: `parity-${process.pid}-${++traces}`, limits, clock, random: seededRandom(1) };
  const memory = new MemoryTable(options, 1_000);
  const shared = new RedisTable(
    redis.client,
    `parity-${process.pid}`,
    { ...options, random: seededRandom(2) },
    time.read,
  );
  return [memory, shared];
}

function comparable({ source: _, permit, ...rest }: Decision): object {
  return { ...rest, permit: permit !== undefined };
}

/** `others` are what `limits` become with each change. */
async function compare(
  limits: readonly Limit[],
  start: number,
  steps: readonly Operation[],
  others: readonly Limit[] = limits,
): Promise<void> {
  const { time, memory, shared } = twins(limits, start);
  let last: Decision | undefined;
  let current = limits;
  for (const [i, { kind, amount, afterMs, watching: bits }] of steps.entries()) {
    const watching = bits % (1 << limits.length);
    time.now = Math.max(start, time.now + afterMs);
    const what = `step ${i + 1}: ${kind} ${amount} at ${time.now}`;
    if (kind === 'take' || kind === 'upTo' || kind === 'peek') {
      const mode = kind === 'take' ? 'all' : kind;
      const cost = kind === 'upTo' ? Math.ceil(amount) : amount;
      const expected = memory.take('key', cost, mode, watching);
      expect(comparable(await shared.take('key', cost, mode, watching)), what).toEqual(comparable(expected));
      if (expected.allowed && kind !== 'peek') last = expected;
    } else if (kind === 'change') {
      current = current === limits ? others : limits;
      memory.setLimits(current);
      shared.setLimits(current);
      // In memory all keys change at once, in Redis each when it is next asked for.
      memory.charge('key', 0, undefined);
      await shared.charge('key', 0, undefined);
    } else if (kind === 'block' || kind === 'reset') {
      const blockMs = Math.min(amount * 10, 1e9);
      if (kind === 'block') memory.block('key', blockMs);
      else memory.reset('key');
      await (kind === 'block' ? shared.block('key', blockMs) : shared.reset('key'));
    } else {
      const sign = kind === 'penalize' ? 1 : -1;
      const stamp = kind === 'refundLast' ? last?.stamp : undefined;
      memory.charge('key', sign * amount, stamp);
      await shared.charge('key', sign * amount, stamp);
    }
  }
}

const starts = fc.constantFrom(0, 12_345.678, 1_767_225_600_000.25);

describe('the Lua scripts agree with the algorithms on random requests', () => {
  it.each(Object.entries(rates))('%s', async (_, limit) => {
    const steps = fc.array(operation, { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(limit, limit, starts, steps, (one, other, start, trace) =>
        compare([one], start, trace, [other]),
      ),
      { numRuns: 60 },
    );
  });

  it('several limits', async () => {
    const some = fc
      .tuple(...Object.values(rates))
      .map((all) => all.filter((one, i) => all.findIndex(({ name }) => name === one.name) === i));
    const steps = fc.array(operation, { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(some, starts, steps, (limits, start, trace) => compare(limits, start, trace)),
      { numRuns: 40 },
    );
  });

  it('several limits that are replaced by others of the same kinds', async () => {
    const four = fc.tuple(...Object.values(rates));
    const steps = fc.array(operation, { maxLength: 40 });
    const distinct = (limits: readonly Limit[]) => new Set(limits.map(({ name }) => name)).size === limits.length;
    await fc.assert(
      fc.asyncProperty(four.filter(distinct), four.filter(distinct), starts, steps, (limits, others, start, trace) =>
        compare(limits, start, trace, others),
      ),
      { numRuns: 40 },
    );
  });

  it.each(Object.entries({ ...rates, permits }))(
    'many requests in one script, independent or all or none: %s',
    async (_, limit) => {
      const ask = fc.record({ key: fc.constantFrom('a', 'b', 'c'), cost: fc.constantFrom(1, 1, 1, 2, 0.5, 3) });
      const round = fc.record({
        how: fc.constantFrom('takeEach', 'takeEach', 'takeTogether', 'takeTogether', 'block'),
        asks: fc.array(ask, { minLength: 1, maxLength: 8 }),
        // Back in time, the memory store may have forgotten a key that it swept while it asked for another.
        afterMs: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.double({ min: 0, max: 30, noNaN: true })),
      });
      await fc.assert(
        fc.asyncProperty(
          limit,
          limit,
          starts,
          fc.array(round, { maxLength: 25 }),
          async (one, other, start, rounds) => {
            const { time, memory, shared } = twins([one], start);
            const [secondInMemory, second] = more(time, [other]);
            for (const { how, asks, afterMs } of rounds) {
              time.now = Math.max(start, time.now + afterMs);
              if (how === 'block') {
                memory.block('b', 40 + afterMs);
                await shared.block('b', 40 + afterMs);
                continue;
              }
              if (how === 'takeEach') {
                const got = await shared.takeEach!(asks.map((one) => ({ ...one, table: shared, watching: 0 })));
                const expected = asks.map(({ key, cost }) => memory.take(key, cost, 'all'));
                expect(got.map(comparable)).toEqual(expected.map(comparable));
                continue;
              }
              const from = (first: LimitTable, other: LimitTable): TakeRequest[] =>
                asks.map((one, i) => ({ ...one, table: i % 2 === 0 ? first : other, watching: 0 }));
              const expected = memory.takeTogether(from(memory, secondInMemory))!;
              const got = (await shared.takeTogether(from(shared, second)))!;
              expect(got.map(comparable)).toEqual(expected.map(comparable));
            }
          },
        ),
        { numRuns: 40 },
      );
    },
  );

  it('reservations and their cancellation, also of a blocked key', async () => {
    const step = fc.record({
      kind: fc.constantFrom('reserve', 'reserve', 'reserve', 'cancel', 'cancel', 'take', 'block'),
      cost: fc.integer({ min: 1, max: 5 }),
      afterMs: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.double({ min: 0, max: 30, noNaN: true })),
    });
    const some = fc.array(rates['tokenBucket']!, { minLength: 1, maxLength: 2 });
    await fc.assert(
      fc.asyncProperty(
        some.filter(([one, other]) => one!.name !== other?.name),
        starts,
        fc.array(step, { maxLength: 30 }),
        async (limits, start, steps) => {
          const { time, memory, shared } = twins(limits, start);
          const held: { cost: number; actAt: number }[] = [];
          for (const { kind, cost, afterMs } of steps) {
            time.now += afterMs;
            if (kind === 'reserve') {
              const expected = memory.reserve('key', cost, 1_500);
              const got = await shared.reserve('key', cost, 1_500);
              expect({ ...got, decision: comparable(got.decision) }).toEqual({
                ...expected,
                decision: comparable(expected.decision),
              });
              if (expected.decision.allowed) held.push({ cost, actAt: expected.actAt });
            } else if (kind === 'block') {
              memory.block('key', cost * 100 + afterMs);
              await shared.block('key', cost * 100 + afterMs);
            } else if (kind === 'take') {
              expect(comparable(await shared.take('key', cost, 'all'))).toEqual(
                comparable(memory.take('key', cost, 'all')),
              );
            } else {
              const one = held.splice(Math.floor(held.length / 2), 1)[0];
              if (one === undefined) continue;
              memory.cancel('key', one.cost, one.actAt);
              await shared.cancel('key', one.cost, one.actAt);
            }
            expect(comparable(await shared.take('key', 0, 'peek'))).toEqual(comparable(memory.take('key', 0, 'peek')));
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('permits', async () => {
    const step = fc.record({
      kind: fc.constantFrom('take', 'take', 'release', 'renew'),
      afterMs: fc.integer({ min: 0, max: 400 }),
      which: fc.nat(20),
    });
    await fc.assert(
      fc.asyncProperty(permits, starts, fc.array(step, { maxLength: 40 }), async (limit, start, steps) => {
        const { time, memory, shared } = twins([limit], start);
        const held: [number, number][] = [];
        for (const { kind, afterMs, which } of steps) {
          time.now += afterMs;
          if (kind === 'take') {
            const [expected, got] = [memory.take('key', 1, 'all'), await shared.take('key', 1, 'all')];
            expect(comparable(got)).toEqual(comparable(expected));
            if (expected.permit !== undefined) held.push([expected.permit, got.permit as number]);
            continue;
          }
          const [inMemory, inRedis] = held[which % Math.max(1, held.length)] ?? [1, 1];
          expect(await shared[kind]('key', inRedis), kind).toBe(memory[kind]('key', inMemory));
        }
      }),
      { numRuns: 60 },
    );
  });
});
