import { randomBytes } from 'node:crypto';
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createCache, devalueCodec, messagePackCodec, type Cache, type CacheOptions, type Codec } from '@macadam/cache';
import { memoryTier } from '@macadam/cache/testing';
import { fleet, type Link } from './fleet.ts';

/**
 * Stores a value with one instance, and reads it from the memory of the first and, by a second instance, from the
 * shared tier.
 */
async function bothFind<T>(
  value: T,
  options: Partial<CacheOptions<T>> = {},
): Promise<{ inMemory: T; inTier: T; caches: readonly Cache<T>[] }> {
  const { clock, caches } = fleet<T>(2, options);
  const [first, second] = caches as [Cache<T>, Cache<T>];
  await clock.runUntil(first.set('a', value));
  const inMemory = first.peek('a') as T;
  const inTier = await clock.runUntil(second.getOrLoad('a', () => Promise.reject(new Error('not in the tier'))));
  return { inMemory, inTier, caches };
}

const codecs = {
  devalue: devalueCodec,
  msgpackr: () => messagePackCodec(new Packr({ structuredClone: true })),
};

describe.each(Object.entries(codecs))('with %s', (_, codec) => {
  it.each([
    ['a plain object', { name: 'Ann', age: 41, tags: ['a', 'b'], none: null }],
    ['an absence', null],
    ['a falsy value', 0],
    [
      'what JSON does not know',
      { at: new Date(5), seen: new Set([1]), by: new Map([['k', 2n]]), nothing: undefined, n: NaN },
    ],
    ['bytes', new Uint8Array([0, 128, 255])],
    ['a large value', Array.from({ length: 2_000 }, (_, i) => ({ id: i, name: `user ${i}` }))],
    ['text of every kind', 'ä€😀\u0000\u2028'],
  ])('bentocache #42: %s is the same out of memory and out of the tier', async (_name, value) => {
    const { inMemory, inTier } = await bothFind<unknown>(value, { codec: codec() });
    expect(inMemory).toStrictEqual(value);
    expect(inTier).toStrictEqual(value);
  });

  it('a value that cannot be restored is rejected and stored in neither tier', async () => {
    const { clock, caches } = fleet<unknown>(2, { codec: codec() });
    class User {
      name = 'Ann';
    }
    const [first, second] = caches as [Cache<unknown>, Cache<unknown>];
    for (const value of [() => 1, new User(), { deep: [Symbol('s')] }]) {
      await expect(clock.runUntil(first.set('a', value))).rejects.toMatchObject({ code: 'MAC_CACHE_VALUE' });
      await expect(clock.runUntil(first.getOrLoad('b', () => value))).rejects.toMatchObject({
        code: 'MAC_CACHE_VALUE',
      });
      expect(first.peek('a') ?? first.peek('b')).toBeUndefined();
    }
    // The lease was released: the next load starts at once.
    expect(
      await clock.runUntil(
        second.getOrLoad('b', () => 'fine'),
        { limitMs: 100 },
      ),
    ).toBe('fine');
  });
});

describe('isolation is the same for values from memory and from the tier', () => {
  interface Doc {
    list: { n: number }[];
  }
  const doc = (): Doc => ({ list: [{ n: 1 }] });

  it('share: all readers of a process get the same object', async () => {
    const { inTier, caches } = await bothFind(doc());
    expect(caches[1]?.peek('a')).toBe(inTier);
  });

  it('cacheable #137, freeze: modifying a value throws', async () => {
    const { inMemory, inTier } = await bothFind(doc(), { isolation: 'freeze' });
    for (const value of [inMemory, inTier]) expect(() => value.list.push({ n: 2 })).toThrow(TypeError);
  });

  it('cacheable #174, clone: a change is not visible to other readers', async () => {
    const { inMemory, inTier, caches } = await bothFind(doc(), { isolation: 'clone' });
    inMemory.list.push({ n: 2 });
    inTier.list.push({ n: 3 });
    for (const cache of caches) expect(cache.peek('a')).toEqual(doc());
  });

  it('clone: a later change by the writer is not visible either', async () => {
    const value = doc();
    const { caches } = await bothFind(value, { isolation: 'clone' });
    value.list.length = 0;
    for (const cache of caches) expect(cache.peek('a')).toEqual(doc());
  });
});

describe('get and getMany', () => {
  it('refill the memory with a value of the tier that is newer than the entry there, fresh or not', async () => {
    const { clock, caches, links } = fleet<string>(2, { ttlMs: 1_000 });
    const [writer, reader] = caches as [Cache<string>, Cache<string>];
    const reads = (): number => (links[1] as Link).operations.filter((name) => name === 'read').length;
    for (const [i, many] of [false, true, false].entries()) {
      await clock.runUntil(writer.getOrLoad('a', () => `v${i}`, { tags: ['t'] }));
      await clock.advance(10);
      const before = reads();
      for (let read = 0; read < 3; read++) {
        if (many) expect(await clock.runUntil(reader.getMany(['a']))).toEqual(new Map([['a', `v${i}`]]));
        else expect(await clock.runUntil(reader.get('a'))).toBe(`v${i}`);
      }
      expect(reads() - before).toBe(1);
      expect(reader.peek('a')).toBe(`v${i}`);
      // The second time, the entry in memory is not over but its tag is invalidated.
      if (i === 1) await clock.runUntil(writer.invalidateTags(['t']));
      else await clock.advance(1_000);
    }
  });

  it('do not replace what a load has stored during the read, nor refill after an invalidation', async () => {
    const { clock, caches } = fleet<string>(2, { ttlMs: 1_000 }, { latencyMs: 20, lagMs: 0 });
    const [writer, reader] = caches as [Cache<string>, Cache<string>];
    await clock.runUntil(writer.set('a', 'v1'));
    expect(await clock.runUntil(reader.get('a'))).toBe('v1');
    await clock.advance(1_100);
    await clock.runUntil(writer.set('a', 'v2'));
    await clock.advance(1);
    for (const change of [() => reader.set('a', 'v3'), () => reader.invalidate('a')]) {
      const found = reader.get('a');
      await clock.advance(5);
      const changing = change();
      const peeked = reader.peek('a');
      await clock.runUntil(Promise.all([found, changing]));
      expect(reader.peek('a')).toBe(peeked);
    }
  });
});

describe('instances with different value options', () => {
  /** Two versions of a service share a tier: what the first stored, and what a read by the second returns. */
  async function across(
    before: Partial<CacheOptions>,
    after: Partial<CacheOptions>,
    value: unknown,
  ): Promise<{ found: unknown; unreadable: number }> {
    const l2 = memoryTier();
    const first = createCache<unknown>({ name: 'users', l2, ...before });
    const second = createCache<unknown>({ name: 'users', l2, ...after });
    await first.set('a', value);
    const found = await second.getOrLoad('a', () => 'loaded');
    const { l2Unreadable } = second.stats();
    // The value that it loaded is stored now, for instances with the same options.
    const third = createCache<unknown>({ name: 'users', l2, ...after });
    if (found === 'loaded') expect(await third.getOrLoad('a', () => 'loaded again')).toBe('loaded');
    await Promise.all([first, second, third].map((cache) => cache.close()));
    return { found, unreadable: l2Unreadable };
  }
  const key = (id: string): { id: string; key: Uint8Array } => ({ id, key: randomBytes(32) });
  const [one, other] = [key('one'), key('other')];
  const readable = { unreadable: 0 };
  const unreadable = { found: 'loaded', unreadable: 1 };

  it('read values of another version if the schema accepts them, and load otherwise', async () => {
    const schema = z.union([z.object({ name: z.string() }), z.literal('loaded')]);
    expect(await across({}, { schema }, { name: 'Ann' })).toMatchObject({ ...readable, found: { name: 'Ann' } });
    expect(await across({}, { schema }, { title: 'Ann' })).toEqual(unreadable);
    expect(await across({}, { schema }, null)).toMatchObject({ ...readable, found: null });
    expect(await across({ schemaVersion: '1' }, { schemaVersion: '2' }, { name: 'Ann' })).toEqual(unreadable);
    expect(await across({}, { codec: codecs.msgpackr() }, { name: 'Ann' })).toEqual(unreadable);
  });

  it('read encrypted values if they have the key, and load otherwise', async () => {
    const keys = (...list: (typeof one)[]): Partial<CacheOptions> => ({ encryption: { keys: list } });
    expect(await across(keys(one), keys(other, one), 'secret')).toMatchObject({ ...readable, found: 'secret' });
    expect(await across(keys(one), keys(other), 'secret')).toEqual(unreadable);
    expect(await across(keys(one), {}, 'secret')).toEqual(unreadable);
    expect(await across({}, keys(one), 'in the clear')).toEqual(unreadable);
  });

  it('keep values that are too large for the tier in their own memory', async () => {
    const { inMemory, caches } = await bothFindLarge();
    expect(inMemory).toHaveLength(5_000);
    expect(caches[1]?.stats()).toMatchObject({ l2Hits: 0, loads: 1 });
  });

  async function bothFindLarge(): Promise<{ inMemory: string | undefined; caches: readonly Cache<string>[] }> {
    const { clock, caches } = fleet<string>(2, { maxValueBytes: 1_000 });
    const [first, second] = caches as [Cache<string>, Cache<string>];
    await clock.runUntil(first.getOrLoad('a', () => 'x'.repeat(5_000)));
    await clock.runUntil(
      second.getOrLoad('a', () => 'y'.repeat(5_000)),
      { limitMs: 100 },
    );
    return { inMemory: first.peek('a'), caches };
  }
});

describe('user-supplied codecs and schemas', () => {
  it('a codec that throws or returns no bytes rejects the value, and the tier is not called', async () => {
    const encodes: (() => unknown)[] = [
      () => {
        throw new TypeError('cannot');
      },
      () => 'a text',
      async () => Buffer.from('later'),
      () => undefined,
    ];
    for (const encode of encodes) {
      const codec = { id: 'odd', encode, decode: (bytes: Uint8Array) => bytes } as Codec;
      const { clock, caches, links } = fleet<number>(1, { codec });
      const [cache] = caches as [Cache<number>];
      await expect(cache.set('k', 1)).rejects.toMatchObject({ code: 'MAC_CACHE_VALUE' });
      const load = clock.runUntil(cache.getOrLoad('k', () => 1));
      await expect(load).rejects.toMatchObject({ code: 'MAC_CACHE_VALUE' });
      expect(cache.stats().unsettled).toBe(0);
      expect(links[0]?.operations).not.toContain('write');
    }
  });

  it('a schema that never settles does not block reads', async () => {
    const validate = (): Promise<never> => new Promise(() => {});
    const schema = { '~standard': { version: 1, vendor: 'test', validate } } as const;
    const { clock, caches, links } = fleet<number>(1, { schema, l1: false });
    const [cache] = caches as [Cache<number>];
    await clock.runUntil(cache.set('k', 1));
    const limitMs = 2 * (links[0] as Link).tier(memoryTier()).timeoutMs;
    expect(await clock.runUntil(cache.get('k'), { limitMs })).toBeUndefined();
    expect(
      await clock.runUntil(
        cache.getOrLoad('k', () => 2),
        { limitMs },
      ),
    ).toBe(2);
  });
});

describe('without a memory', () => {
  it('every read goes to the tier, and concurrent reads share a load', async () => {
    const { clock, caches } = fleet<number>(2, { l1: false });
    let loads = 0;
    const load = (): number => ++loads;
    const all = Promise.all(caches.flatMap((cache) => Array.from({ length: 20 }, () => cache.getOrLoad('a', load))));
    expect(new Set(await clock.runUntil(all))).toEqual(new Set([1]));
    expect(await clock.runUntil(caches[1]!.getOrLoad('a', load))).toBe(1);
    expect(caches[1]!.peek('a')).toBeUndefined();
    expect(caches[1]!.stats()).toMatchObject({ entries: 0, bytes: 0, oversized: 0 });
    await clock.runUntil(caches[0]!.invalidate('a'));
    expect(await clock.runUntil(caches[1]!.getOrLoad('a', load))).toBe(2);
  });

  it('rejects l1: false without l2', () => {
    expect(() => createCache({ name: 'nothing', l1: false })).toThrow(
      expect.objectContaining({ path: 'createCache.l1' }),
    );
  });
});

it('describe() states the encoding and shows no encryption key', () => {
  const schema = z.string();
  const encryption = { keys: [{ id: 'new', key: Buffer.alloc(32, 'k') }, { id: 'old', key: randomBytes(32) }] }; // prettier-ignore
  const l1 = { maxEntries: 5, eviction: 's3-fifo' as const };
  const text = createCache({ name: 'a', l1, l2: memoryTier(), schema, schemaVersion: '3', encryption }).describe();
  expect(text).toContain('5 entries and 67108864 bytes at most, S3-FIFO');
  expect(text).toContain(
    'values as json-devalue-6, schema version "3", compressed above 4096 bytes, at most 1048576 bytes, validated by zod, encrypted with new (of new, old)',
  );
  expect(text).not.toContain('kkkk');
  expect(createCache({ name: 'a', l1: false, l2: memoryTier() }).describe()).toContain('nothing in memory');
});
