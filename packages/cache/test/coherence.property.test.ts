import { seededRandom } from '@macadam/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cacheInVirtualTime } from './sources.ts';

const KEYS = ['a', 'b', 'c'];
const TAGS = ['s', 't'];
const key = fc.constantFrom(...KEYS);
const tag = fc.constantFrom(...TAGS);

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('read' as const), key, fresh: fc.boolean(), tags: fc.subarray(TAGS) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('readMany' as const), tags: fc.subarray(TAGS) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('change' as const),
      key,
      how: fc.constantFrom('key', 'tag', 'clear', 'set'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('expire' as const), key, tag }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 400 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('break' as const), down: fc.boolean() }) },
);

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/**
 * The model: one current version per key. A load reads it when it starts and returns it later, or fails. Whoever
 * changes a version invalidates the key in one of four ways; from then on, no read that starts may return an older
 * version.
 */
async function noReadIsOlderThanAnInvalidation(steps: readonly Step[], seed: number): Promise<void> {
  const random = seededRandom(seed);
  const { cache, clock } = cacheInVirtualTime<number>({
    ttlMs: 300,
    staleWhileRevalidateMs: 200,
    staleIfErrorMs: 2_000,
    loaderSoftTimeoutMs: 50,
    loaderTimeoutMs: 500,
    earlyRefresh: true,
    l1: { maxEntries: 2 },
    maxConcurrentLoads: 2,
    random,
  });
  const truth = new Map(KEYS.map((one) => [one, 1]));
  const oldest = new Map(KEYS.map((one) => [one, 1]));
  let down = false;
  const loadOne = async (one: string, mark: (tags: string[]) => void): Promise<number> => {
    const [version, fails] = [truth.get(one) as number, down];
    await clock.sleep(random() * 700);
    mark(TAGS);
    if (fails) throw new Error('down');
    return version;
  };
  const pending: Promise<void>[] = [];
  const check = (one: string, from: number, value: number | undefined): void => {
    if (value !== undefined) expect(value, `key ${one}`).toBeGreaterThanOrEqual(from);
  };
  const failed = (error: unknown): void => expect(error).toMatchObject({ code: 'MAC_CACHE_LOADER' });
  for (const now of steps) {
    if (now.do === 'wait') await clock.advance(now.ms);
    else if (now.do === 'break') down = now.down;
    else if (now.do === 'expire') await Promise.all([cache.expire(now.key), cache.expireTags([now.tag])]);
    else if (now.do === 'change') {
      // After a tag invalidation or clear, every key has a new version: each entry has both tags by the time it is
      // stored.
      for (const one of now.how === 'key' || now.how === 'set' ? [now.key] : KEYS) {
        truth.set(one, (truth.get(one) as number) + 1);
        oldest.set(one, truth.get(one) as number);
      }
      if (now.how === 'key') await cache.invalidate(now.key);
      else if (now.how === 'set') await cache.set(now.key, truth.get(now.key), { tags: TAGS });
      else if (now.how === 'tag') await cache.invalidateTags([TAGS[0] as string]);
      else await cache.clear();
      for (const one of KEYS) check(one, oldest.get(one) as number, cache.peek(one));
    } else if (now.do === 'read') {
      const from = oldest.get(now.key) as number;
      const load = ({ addTags }: { addTags: (tags: string[]) => void }): Promise<number> => loadOne(now.key, addTags);
      pending.push(
        cache
          .getOrLoad(now.key, load, { fresh: now.fresh, tags: now.tags })
          .then((value) => check(now.key, from, value), failed),
      );
    } else {
      const from = new Map(oldest);
      const read = cache.getOrLoadMany(
        KEYS,
        async (keys, { addTags }) =>
          Promise.all(keys.map(async (one) => [one, await loadOne(one, (tags) => addTags(one, tags))] as const)),
        { tags: now.tags },
      );
      pending.push(
        read.then((values) => {
          for (const [one, value] of values) check(one, from.get(one) as number, value);
        }, failed),
      );
    }
  }
  await clock.runUntil(Promise.all(pending));
  await clock.advance(2_000);
  expect(cache.stats()).toMatchObject({ inFlight: 0 });
  expect(cache.stats().entries).toBeLessThanOrEqual(2);
  clock.assertNoTimers();
}

describe('the coherence property', () => {
  it('no read that starts after an invalidation returns an older value, and every read settles', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: 1, max: 2 ** 31 - 1 }),
        noReadIsOlderThanAnInvalidation,
      ),
      { numRuns: 300 },
    );
  });
});
