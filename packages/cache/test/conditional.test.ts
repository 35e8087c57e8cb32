// Conditional refresh: the loader sends the validator of the stale value, and the source may respond "not modified".
import { describe, expect, it } from 'vitest';
import type { Cache, LoadContext } from '@macadam/cache';
import { fleet } from './fleet.ts';
import { cacheInVirtualTime } from './sources.ts';

interface Page {
  readonly text: string;
}

/** A source with versions, which records the validators it received. */
class Origin {
  version = 1;
  readonly received: (string | undefined)[] = [];

  readonly load = ({ stale, setValidator, notModified }: LoadContext<Page>): Page => {
    this.received.push(stale?.validator);
    const validator = `"${this.version}"`;
    if (stale?.validator === validator) return notModified();
    setValidator(validator);
    return { text: `version ${this.version}` };
  };
}

describe('in memory', () => {
  it('notModified makes the same object fresh again and keeps its validator and tags', async () => {
    const { cache, clock } = cacheInVirtualTime<Page>({ ttlMs: 1_000 });
    const origin = new Origin();
    const first = await cache.getOrLoad('a', origin.load, { tags: ['t'] });
    await clock.advance(1_500);
    expect(await clock.runUntil(cache.getOrLoad('a', origin.load))).toBe(first);
    expect(cache.inspect('a')).toMatchObject({ state: 'fresh', freshForMs: 1_000, tags: ['t'] });
    await clock.advance(1_500);
    origin.version = 2;
    expect(await clock.runUntil(cache.getOrLoad('a', origin.load))).toEqual({ text: 'version 2' });
    expect(origin.received).toEqual([undefined, '"1"', '"1"']);
  });

  it('a renewed value can be invalidated by its tags; the next load has no validator', async () => {
    const { cache, clock } = cacheInVirtualTime<Page>({ ttlMs: 1_000 });
    const origin = new Origin();
    await cache.getOrLoad('a', origin.load, { tags: ['t'] });
    await clock.advance(1_500);
    await clock.runUntil(cache.getOrLoad('a', origin.load));
    await cache.invalidateTags(['t']);
    expect(cache.peek('a')).toBeUndefined();
    await cache.getOrLoad('a', origin.load);
    expect(origin.received).toEqual([undefined, '"1"', undefined]);
  });

  it('notModified can be combined with setTtl and addTags, which adds to the tags that the value has', async () => {
    const { cache, clock } = cacheInVirtualTime<Page>({ ttlMs: 1_000 });
    await cache.getOrLoad('a', new Origin().load, { tags: ['old'] });
    await clock.advance(1_500);
    await clock.runUntil(
      cache.getOrLoad('a', ({ notModified, setTtl, addTags }) => (setTtl(5_000), addTags(['new']), notModified())),
    );
    expect(cache.inspect('a')).toMatchObject({ freshForMs: 5_000, tags: ['old', 'new'] });
  });

  it('notModified keeps the tags that the loader added before, also when the options have tags', async () => {
    const { cache, clock } = cacheInVirtualTime<Page>({ ttlMs: 1_000 });
    const load = ({ stale, setValidator, addTags, notModified }: LoadContext<Page>): Page => {
      if (stale?.validator === '"1"') return notModified();
      setValidator('"1"');
      addTags(['author:ann']);
      return { text: 'about' };
    };
    await cache.getOrLoad('a', load, { tags: ['org:7'] });
    await clock.advance(1_500);
    await clock.runUntil(cache.getOrLoad('a', load, { tags: ['org:7', 'org:8'] }));
    expect(cache.inspect('a')).toMatchObject({ state: 'fresh', tags: ['org:7', 'author:ann', 'org:8'] });
    await cache.invalidateTags(['author:ann']);
    expect(cache.peek('a')).toBeUndefined();
  });

  it('does not renew a value of which a tag is invalidated during the load, whatever tags are added', async () => {
    const { cache, clock } = cacheInVirtualTime<Page>({ ttlMs: 1_000 });
    const origin = new Origin();
    await cache.getOrLoad('a', origin.load, { tags: ['t'] });
    await clock.advance(1_500);
    const slow = cache.getOrLoad('a', async (context) => {
      await clock.sleep(50);
      context.addTags(['u']);
      return origin.load(context);
    });
    await clock.advance(10);
    await cache.invalidateTags(['t']);
    await clock.runUntil(slow);
    expect(cache.stats().fenced).toBe(1);
    expect(cache.inspect('a')).toBeUndefined();
  });

  it('does not store a value that would get more than 16 tags; the next load has no stale value', async () => {
    const { cache, clock } = cacheInVirtualTime<Page>({ ttlMs: 1_000 });
    const origin = new Origin();
    const tags = (prefix: string): string[] => Array.from({ length: 9 }, (_, i) => `${prefix}${i}`);
    await cache.getOrLoad('a', origin.load, { tags: tags('one') });
    await clock.advance(1_500);
    expect(await clock.runUntil(cache.getOrLoad('a', origin.load, { tags: tags('other') }))).toEqual({
      text: 'version 1',
    });
    expect(cache.inspect('a')).toBeUndefined();
    await cache.getOrLoad('a', origin.load, { tags: tags('other') });
    expect(origin.received).toEqual([undefined, '"1"', undefined]);
    expect(cache.inspect('a')).toMatchObject({ tags: tags('other') });
  });

  it('with isolation "clone", the loader cannot change the stored value through `stale` or `notModified`', async () => {
    const { cache, clock } = cacheInVirtualTime<{ text: string }>({ ttlMs: 1_000, isolation: 'clone' });
    await cache.set('a', { text: 'kept' });
    await clock.advance(1_500);
    const load = ({ stale, notModified }: LoadContext<{ text: string }>) => {
      if (stale !== undefined) stale.value.text = 'changed';
      notModified().text = 'changed';
      return notModified();
    };
    expect(await clock.runUntil(cache.getOrLoad('a', load))).toEqual({ text: 'kept' });
  });

  it('getOrLoadMany has a validator and notModified for each key', async () => {
    const { cache, clock } = cacheInVirtualTime<Page>({ ttlMs: 1_000 });
    const received: (string | undefined)[] = [];
    const load = (keys: readonly string[]) =>
      cache.getOrLoadMany(keys, (missing, { stale, setValidator, notModified }) =>
        missing.map((key) => {
          received.push(stale(key)?.validator);
          if (key === 'a' && stale(key) !== undefined) return [key, notModified(key)] as const;
          setValidator(key, `${key}-1`);
          return [key, { text: key }] as const;
        }),
      );
    const before = await load(['a', 'b']);
    await clock.advance(1_500);
    const after = await clock.runUntil(load(['a', 'b', 'c']));
    expect(received).toEqual([undefined, undefined, 'a-1', 'b-1', undefined]);
    expect(after.get('a')).toBe(before.get('a'));
    expect(after.get('b')).not.toBe(before.get('b'));
  });

  it('rejects notModified without a stale value, and invalid validators', async () => {
    const { cache } = cacheInVirtualTime<Page>();
    const none = cache.getOrLoad('a', ({ notModified }) => notModified());
    await expect(none).rejects.toMatchObject({ code: 'MAC_CACHE_VALUE' });
    for (const wrong of ['', 'x'.repeat(1_025), '\ud800', 7 as never]) {
      const read = cache.getOrLoad('a', ({ setValidator }) => (setValidator(wrong), { text: '' }));
      await expect(read).rejects.toMatchObject({
        cause: { code: 'MAC_INVALID_OPTIONS', path: 'setValidator.validator' },
      });
    }
  });
});

describe('through the shared tier', () => {
  it('an instance with an empty memory sends the validator that another instance stored', async () => {
    const { caches, clock } = fleet<Page>(2, { ttlMs: 1_000 });
    const [one, other] = caches as [Cache<Page>, Cache<Page>];
    const origin = new Origin();
    await clock.runUntil(one.getOrLoad('a', origin.load, { tags: ['t'] }));
    await clock.advance(1_500);
    expect(await clock.runUntil(other.getOrLoad('a', origin.load))).toEqual({ text: 'version 1' });
    await clock.advance(100);
    expect(origin.received).toEqual([undefined, '"1"']);
    // The renewed value was stored for the other instances too.
    expect(other.stats()).toMatchObject({ l2Fills: 1, fenced: 0 });
    expect(await clock.runUntil(one.get('a'))).toEqual({ text: 'version 1' });
    expect(origin.received).toHaveLength(2);
  });

  it('does not renew a value of which another instance invalidates a tag, although its mark arrives late', async () => {
    const { caches, clock } = fleet<Page>(2, { ttlMs: 1_000 }, { latencyMs: 1, lagMs: 500 });
    const [one, other] = caches as [Cache<Page>, Cache<Page>];
    const origin = new Origin();
    await clock.runUntil(one.getOrLoad('a', origin.load, { tags: ['t'] }));
    await clock.advance(1_500);
    const slow = one.getOrLoad('a', async (context) => {
      await clock.sleep(50);
      context.addTags(['u']);
      return origin.load(context);
    });
    await clock.advance(10);
    expect(await clock.runUntil(other.invalidateTags(['t']))).toBe(true);
    await clock.runUntil(slow);
    await clock.advance(100);
    // Not known to the first instance yet.
    expect(one.peek('a')).toEqual({ text: 'version 1' });
    expect(await clock.runUntil(other.get('a'))).toBeUndefined();
    await clock.advance(500);
    expect(one.peek('a')).toBeUndefined();
  });

  it('does not renew a value that is invalidated during the conditional request', async () => {
    const { caches, clock } = fleet<Page>(2, { ttlMs: 1_000 });
    const [one, other] = caches as [Cache<Page>, Cache<Page>];
    const origin = new Origin();
    await clock.runUntil(one.getOrLoad('a', origin.load));
    await clock.advance(1_500);
    const slow = one.getOrLoad('a', async (context) => (await clock.sleep(50), origin.load(context)));
    await clock.advance(10);
    await clock.runUntil(other.invalidate('a'));
    await clock.runUntil(slow);
    await clock.advance(100);
    expect(one.stats().fenced).toBe(1);
    expect(one.peek('a')).toBeUndefined();
    expect(await clock.runUntil(other.get('a'))).toBeUndefined();
  });
});
