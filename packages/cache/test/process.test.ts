import { afterEach, describe, expect, it, vi } from 'vitest';
import { createCache } from '@macadam/cache';
import { runText } from '@macadam/test-support/processes';
import { redisUrl } from '@macadam/test-support/redis-servers';

const runs = (program: string): Promise<string> => runText(program, import.meta.dirname);

describe('the process', () => {
  it('bentocache #26: exits when its work is done although caches are open', async () => {
    const program = `
      import { createCache } from '@macadam/cache';
      import { memoryTier } from '@macadam/cache/testing';
      const here = createCache({ name: 'here', ttlMs: 3_600_000 });
      const shared = createCache({ name: 'shared', ttlMs: 3_600_000, staleWhileRevalidateMs: 1_000, l2: memoryTier() });
      for (const cache of [here, shared]) {
        await cache.getOrLoad('a', async () => 1, { tags: ['t'] });
        await cache.expire('a');
        await cache.getOrLoad('a', async () => 2);
        cache.peek('a');
        await cache.invalidateTags(['t']);
      }
      console.log('done');
    `;
    expect(await runs(program)).toBe('done');
  });

  it('parse-server #10635: does not crash when background work fails', async () => {
    const program = `
      import { createCache } from '@macadam/cache';
      import { memoryTier } from '@macadam/cache/testing';
      const up = memoryTier();
      const down = { ...up, open: (options) => new Proxy(up.open(options), {
        get: (space, name) => name === 'close' ? () => space.close() : typeof space[name] === 'function' ? async () => { throw new Error('down'); } : space[name],
      }) };
      for (const l2 of [up, down]) {
        const cache = createCache({ name: 'users', staleWhileRevalidateMs: 1_000, maxConcurrentLoads: 1, l2 });
        await cache.set('a', 'old', { ttlMs: 1 });
        await new Promise((resolve) => setTimeout(resolve, 5));
        const seen = [await cache.getOrLoad('a', () => Promise.reject(new Error('refresh failed'))), await cache.get('b')];
        await cache.getOrLoad('b', () => { throw new Error('load failed'); }).catch(() => {});
        await cache.getOrLoadMany(['c', 'd'], () => Promise.reject(new Error('bulk failed'))).catch(() => {});
        const aborted = AbortSignal.abort(new Error('left'));
        await cache.getOrLoad('e', () => new Promise(() => {}), { signal: aborted }).catch(() => {});
        const late = cache.getOrLoad('f', () => new Promise(() => {}));
        await cache.close();
        await late.catch(() => {});
        console.log(seen[0], seen[1]);
      }
    `;
    expect(await runs(program)).toBe('old undefined\nold undefined');
  });
});

describe('fake timers', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('lru-cache: fake timers that are installed after a cache was used control its expiry', async () => {
    const cache = createCache<string>({ name: 'faked', ttlMs: 60_000, ttlJitter: 0, staleIfErrorMs: 0 });
    await cache.set('real', 'v');
    for (let i = 0; i < 10; i++) expect(cache.peek('real')).toBe('v');
    vi.useFakeTimers();
    await cache.set('a', 'v');
    expect(cache.peek('a')).toBe('v');
    vi.advanceTimersByTime(59_999);
    expect(cache.peek('a')).toBe('v');
    expect(await cache.getOrLoad('a', () => 'anew')).toBe('v');
    vi.advanceTimersByTime(1);
    expect(cache.peek('a')).toBeUndefined();
    expect(vi.getTimerCount()).toBe(0);
    expect(await cache.getOrLoad('a', () => 'anew')).toBe('anew');
  });

  it.each(['log', 'pubsub', 'tracking'])(
    'bentocache #26: exits when its client is closed, although a cache with coherence %s is open',
    async (coherence) => {
      const program = `
        import { createCache, redisTier } from '@macadam/cache';
        import { createClient } from 'redis';
        const client = createClient({ url: '${redisUrl()}', disableOfflineQueue: true });
        await client.connect();
        const l2 = redisTier(client, { prefix: 'process-${process.pid}', timeoutMs: 5_000 });
        const cache = createCache({ name: 'open', coherence: '${coherence}', l2 });
        while (cache.stats().disconnected > 0) await new Promise((resolve) => setTimeout(resolve, 5));
        await cache.getOrLoad('a', () => 1);
        client.destroy();
        console.log('done');
      `;
      expect(await runs(program)).toBe('done');
    },
  );
});
