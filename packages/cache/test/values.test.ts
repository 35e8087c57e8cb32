import { describe, expect, it } from 'vitest';
import { expectNoUnhandledRejections } from './unhandled.ts';
import { cacheInVirtualTime } from './sources.ts';

interface Doc {
  list: { n: number }[];
  at: Date;
}
const doc = (): Doc => ({ list: [{ n: 1 }], at: new Date(5) });

describe('isolation', () => {
  it('share: all readers get the same object', async () => {
    const { cache } = cacheInVirtualTime<Doc>();
    const value = doc();
    expect(await cache.getOrLoad('a', () => value)).toBe(value);
    expect(cache.peek('a')).toBe(value);
  });

  it('cacheable #137: clone: a change by a reader or the writer is not visible to others', async () => {
    const { cache } = cacheInVirtualTime<Doc>({ isolation: 'clone' });
    const value = doc();
    await cache.set('a', value);
    value.list[0]!.n = 2;
    cache.peek('a')!.list.push({ n: 3 });
    expect(cache.peek('a')).toEqual(doc());
    const [first, second] = await Promise.all([
      cache.getOrLoad('b', async () => doc()),
      cache.getOrLoad('b', async () => doc()),
    ]);
    first.list.length = 0;
    expect(second).toEqual(doc());
    expect(await cache.getOrLoad('b', doc)).toEqual(doc());
    expect((await cache.getMany(['b'])).get('b')).not.toBe(cache.peek('b'));
  });

  it('clone: rejects a value that cannot be cloned when it is stored', async () => {
    const { cache } = cacheInVirtualTime<unknown>({ isolation: 'clone' });
    const call = { run: () => 1 };
    await expect(cache.set('a', call)).rejects.toMatchObject({ code: 'MAC_CACHE_VALUE' });
    await expect(cache.getOrLoad('a', () => call)).rejects.toMatchObject({ code: 'MAC_CACHE_VALUE' });
    expect(cache.stats()).toMatchObject({ entries: 0, inFlight: 0 });
  });

  it('freeze: freezes deeply, within frozen objects and cycles, but leaves class instances alone', async () => {
    const { cache } = cacheInVirtualTime<Record<string, unknown>>({ isolation: 'freeze' });
    class Counter {
      count = 0;
    }
    const cycle: Record<string, unknown> = {
      inner: Object.freeze({ list: [{ n: 1 }] }),
      counter: new Counter(),
      bytes: new Uint8Array(3),
      none: undefined,
    };
    cycle['self'] = cycle;
    const value = (await cache.getOrLoad('a', () => cycle)) as { inner: Doc; counter: Counter; bytes: Uint8Array };
    expect(() => (value.inner.list[0]!.n = 2)).toThrow(TypeError);
    expect(() => value.inner.list.push({ n: 2 })).toThrow(TypeError);
    value.counter.count++;
    value.bytes[0] = 1;
    expect(value.counter.count).toBe(1);
  });
});

describe('bounds', () => {
  it('maxBytes: evicts the least recently used value; returns a value that is too large without storing it', async () => {
    const { cache } = cacheInVirtualTime<string>({ l1: { maxEntries: 1_000, maxBytes: 10_000 } });
    for (let i = 0; i < 10; i++) await cache.set(`${i}`, 'x'.repeat(1_000));
    expect(cache.stats().bytes).toBeLessThanOrEqual(10_000);
    expect(cache.stats()).toMatchObject({ entries: 4, evictions: 6 });
    cache.peek('6');
    await cache.set('new', 'x'.repeat(1_000));
    expect(cache.peek('6')).toBeDefined();
    expect(cache.peek('7')).toBeUndefined();
    await cache.set('6', 'y'.repeat(10_000));
    expect(cache.peek('6')).toBeUndefined();
    expect(await cache.getOrLoad('big', () => 'y'.repeat(10_000))).toHaveLength(10_000);
    expect(cache.stats()).toMatchObject({ entries: 3, oversized: 2 });
  });

  it('keeps similar keys of any length apart', async () => {
    const { cache } = cacheInVirtualTime<string>();
    const long = 'x'.repeat(5_000);
    const keys = [
      'a',
      'A',
      '__proto__',
      'constructor',
      'a b',
      'ä',
      'a\u0308',
      '\u0000',
      '\ud800',
      '\ud801',
      long,
      `${long}y`,
    ];
    for (const key of keys) await cache.set(key, `value of ${key}`);
    for (const key of keys) expect(cache.peek(key)).toBe(`value of ${key}`);
    await cache.invalidate(keys);
    expect(cache.stats().entries).toBe(0);
  });
});

describe('many keys', () => {
  it('loads the missing keys with one call and returns all values in the order of the keys', async () => {
    const { cache, clock } = cacheInVirtualTime<number>();
    await cache.set('b', 2);
    const requested: (readonly string[])[] = [];
    const load = async (keys: readonly string[]): Promise<Map<string, number>> => {
      requested.push(keys);
      await clock.sleep(10);
      return new Map(keys.filter((key) => key !== 'none').map((key) => [key, key.charCodeAt(0)]));
    };
    const values = await clock.runUntil(cache.getOrLoadMany(['a', 'b', 'none', 'a', 'c'], load));
    expect([...values]).toEqual([['a', 97], ['b', 2], ['c', 99]]); // prettier-ignore
    expect(requested).toEqual([['a', 'none', 'c']]);
    expect([...(await cache.getMany(['c', 'none', 'a']))]).toEqual([['c', 99], ['a', 97]]); // prettier-ignore
    expect(cache.stats()).toMatchObject({ loads: 3 });
  });

  it('accepts pairs and objects from a bulk loader, and rejects an array of values', async () => {
    const { cache } = cacheInVirtualTime<number>();
    expect([...(await cache.getOrLoadMany(['a'], () => [['a', 1]]))]).toEqual([['a', 1]]);
    expect([...(await cache.getOrLoadMany(['b'], () => ({ b: 2, c: 3 })))]).toEqual([['b', 2]]);
    expect(cache.peek('c')).toBeUndefined();
    const wrong = cache.getOrLoadMany(['d'], () => [4] as never);
    await expect(wrong).rejects.toMatchObject({ code: 'MAC_CACHE_VALUE' });
  });

  it('a bulk load joins loads of single keys, and they join it', async () => {
    const { cache, clock } = cacheInVirtualTime<string>();
    const single = cache.getOrLoad('a', () => clock.sleep(20).then(() => 'single'));
    const many = cache.getOrLoadMany(['a', 'b'], async (keys) => {
      expect(keys).toEqual(['b']);
      await clock.sleep(10);
      return { b: 'bulk' };
    });
    const joined = cache.getOrLoad('b', () => 'not called');
    expect(Object.fromEntries(await clock.runUntil(many))).toEqual({ a: 'single', b: 'bulk' });
    expect(await joined).toBe('bulk');
    expect(await single).toBe('single');
  });

  it('fencing, lifetime and tags apply per key', async () => {
    const { cache, clock } = cacheInVirtualTime<string>();
    const many = cache.getOrLoadMany(['a', 'b', 'c', 'd'], async (keys, { setTtl, addTags, skip }) => {
      await clock.sleep(10);
      setTtl('b', 500);
      addTags('c', ['t']);
      skip('d');
      return keys.map((key) => [key, 'v1'] as const);
    });
    await clock.advance(5);
    await cache.invalidate('a');
    await cache.invalidateTags(['t']);
    expect((await clock.runUntil(many)).size).toBe(4);
    expect(['a', 'b', 'c', 'd'].map((key) => cache.peek(key))).toEqual([undefined, 'v1', undefined, undefined]);
    expect(cache.inspect('b')).toMatchObject({ freshForMs: 500 });
  });

  it('getOrLoadMany after an invalidation does not return values loaded before it', async () => {
    const { cache, clock } = cacheInVirtualTime<string>();
    let version = 1;
    const load = async (keys: readonly string[], { addTags }: { addTags: (key: string, tags: string[]) => void }) => {
      const value = `v${version}`;
      await clock.sleep(10);
      for (const key of keys) addTags(key, ['t']);
      return keys.map((key) => [key, value] as const);
    };
    const before = cache.getOrLoadMany(['a', 'b'], load);
    await clock.advance(5);
    version = 2;
    await cache.invalidateTags(['t']);
    const after = cache.getOrLoadMany(['a', 'b'], load);
    expect([...(await clock.runUntil(before)).values()]).toEqual(['v1', 'v1']);
    expect([...(await clock.runUntil(after)).values()]).toEqual(['v2', 'v2']);
  });

  it('a failing bulk load serves stale values or rejects; a hanging one times out and frees its slot', async () => {
    const { cache, clock } = cacheInVirtualTime<string>({ maxConcurrentLoads: 1 });
    await cache.set('a', 'old');
    await cache.expire('a');
    const down = (): never => {
      throw new Error('down');
    };
    expect([...(await cache.getOrLoadMany(['a'], down)).values()]).toEqual(['old']);
    await expect(cache.getOrLoadMany(['a', 'b'], down)).rejects.toMatchObject({ code: 'MAC_CACHE_LOADER' });
    let aborted: AbortSignal | undefined;
    const hanging = cache.getOrLoadMany(['x', 'y'], (_, { signal }) => {
      aborted = signal;
      return new Promise<never>(() => {});
    });
    await expect(clock.runUntil(hanging)).rejects.toMatchObject({ reason: 'timeout' });
    expect(aborted?.aborted).toBe(true);
    expect((await clock.runUntil(cache.getOrLoadMany(['z'], () => ({ z: 'z' })))).get('z')).toBe('z');
    clock.assertNoTimers();
  });

  it('warm counts loaded values, even of a batch in which one value cannot be stored', async () => {
    const { cache } = cacheInVirtualTime<unknown>({ isolation: 'clone' });
    const load = (missing: readonly string[]): Record<string, unknown> =>
      Object.fromEntries(missing.map((key) => [key, key === 'b' ? () => {} : key]));
    expect(await cache.warm(['a', 'b', 'c'], load)).toEqual({ present: 0, loaded: 2, failed: 1 });
  });

  it('rejects a string or undefined as a list of keys', async () => {
    const { cache } = cacheInVirtualTime<string>();
    const load = (): Record<string, string> => ({});
    for (const keys of ['abc', null, undefined, 5, {}] as never[]) {
      const refused = (path: string): object => ({ code: 'MAC_INVALID_OPTIONS', path });
      await expect(cache.getMany(keys)).rejects.toMatchObject(refused('getMany.keys'));
      await expect(cache.getOrLoadMany(keys, load)).rejects.toMatchObject(refused('getOrLoadMany.keys'));
      await expect(cache.warm(keys, load)).rejects.toMatchObject(refused('warm.keys'));
      if (keys === 'abc') continue;
      await expect(cache.invalidate(keys)).rejects.toMatchObject(refused('invalidate.keys'));
      await expect(cache.expire(keys)).rejects.toMatchObject(refused('expire.keys'));
    }
  });

  it('warm continues with the next batch after a failure', async () => {
    const { cache } = cacheInVirtualTime<string>();
    await cache.set('k3', 'here');
    const requested: number[] = [];
    const keys = async function* (): AsyncGenerator<string> {
      for (let i = 0; i < 25; i++) yield `k${i}`;
    };
    const load = (missing: readonly string[]): Record<string, string> => {
      requested.push(missing.length);
      if (requested.length === 2) throw new Error('down');
      return Object.fromEntries(missing.map((key) => [key, 'v']));
    };
    expect(await cache.warm(keys(), load, { batchSize: 10 })).toEqual({ present: 1, loaded: 14, failed: 10 });
    expect(requested).toEqual([9, 10, 5]);
    await expect(cache.warm(['a'], load, { batch: 1 } as object)).rejects.toMatchObject({ path: 'warm.batch' });
  });
});

describe('values that cannot be inspected', () => {
  expectNoUnhandledRejections();
  const lazy = {
    get owner(): string {
      throw new Error('not loaded');
    },
    text: 'x'.repeat(1_000),
  };
  const hidden = { inside: new Proxy({}, { ownKeys: () => [undefined as never] }) };

  it.each([
    ['a getter that throws', lazy],
    ['a proxy that hides its fields', hidden],
  ])('%s: is stored like any other value, and neither fails the load nor crashes the process', async (_, value) => {
    const { cache } = cacheInVirtualTime<unknown>();
    expect(await cache.getOrLoad('loaded', () => value)).toBe(value);
    expect(await cache.set('set', value)).toBe(true);
    expect(cache.peek('loaded')).toBe(value);
  });

  it('counts the size of the other fields', async () => {
    const { cache } = cacheInVirtualTime<unknown>();
    await cache.set('lazy', lazy);
    expect(cache.stats().bytes).toBeGreaterThan(2_000);
  });
});
