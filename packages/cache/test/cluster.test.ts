// The shared tier on a cluster of three nodes, with both clients.
import { setTimeout as sleep } from 'node:timers/promises';
import { createCluster } from 'redis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createCache, redisTier } from '@macadam/cache';
import { tierContract } from '@macadam/cache/testing';
import { clusterClients, type Connected } from '@macadam/test-support/redis-clients';
import { startCluster, type LocalCluster } from '@macadam/test-support/redis-cluster';
import { serverPrograms } from '@macadam/test-support/redis-servers';
import { startMuteServer } from './mute-server.ts';

// If REDIS_URL is the only source of Redis, there may be no server program to start.
if (serverPrograms().length === 0) it.skip('needs a server program to start a cluster');
describe.each(serverPrograms())('bentocache 1.5.1: on a cluster of $name', { timeout: 60_000 }, (server) => {
  let cluster: LocalCluster;
  beforeAll(async () => void (cluster = await startCluster(server)), 60_000);
  afterAll(() => cluster.close());

  describe.each(clusterClients)('%s', (name, connect) => {
    let connection: Connected;
    beforeAll(async () => void (connection = await connect(cluster)));
    afterAll(() => connection.close());
    const tier = () => redisTier(connection.client, { prefix: `cluster-${name}`, timeoutMs: 5_000 });

    it.each(tierContract(tier))('$name', ({ run }) => run());

    it('full servers accept and report invalidations, serve reads, and do not prevent reloads', async () => {
      const prefix = `full-${name}`;
      const caches = [1, 2].map(() => {
        const l2 = redisTier(connection.client, { prefix, timeoutMs: 5_000, softTimeoutMs: 5_000 });
        // A long soft timeout, so that a busy machine does not cause stale values.
        const patience = { loaderSoftTimeoutMs: 5_000 };
        return createCache<string>({ name: 'users', ttlJitter: 0, earlyRefresh: false, l2, ...patience });
      });
      const [first, second] = caches as [(typeof caches)[0], (typeof caches)[0]];
      await vi.waitFor(() => expect([first, second].map((one) => one.stats().disconnected)).toEqual([0, 0]), 10_000);
      for (const key of ['old', 'over', 'there']) await first.set(key, 'v1', { tags: [`of ${key}`] });
      expect(await second.get('over')).toBe('v1');
      await first.expire('old');
      const room = (bytes: string): Promise<unknown> =>
        Promise.all(cluster.ports.map((port) => cluster.command(port, 'CONFIG', 'SET', 'maxmemory', bytes)));
      await room('1');
      try {
        expect(await first.getOrLoad('old', () => 'v2')).toBe('v2');
        expect(await second.getOrLoad('there', () => 'v2')).toBe('v1');
        expect(await second.getOrLoad('nowhere', () => 'v2')).toBe('v2');
        expect(await first.invalidate('over')).toBe(true);
        await vi.waitFor(() => expect(second.peek('over')).toBeUndefined());
        expect(await first.invalidateTags(['of there'])).toBe(true);
        await vi.waitFor(() => expect(second.peek('there')).toBeUndefined());
        expect(second.stats()).toMatchObject({ l2Errors: 0, l2Hits: 2 });
      } finally {
        await room('0');
      }
      await Promise.all(caches.map((cache) => cache.close()));
    });

    it('reads and invalidates many keys over all nodes', async () => {
      const caches = [1, 2].map(() => createCache<number>({ name: 'many', l2: tier() }));
      const [first, second] = caches as [(typeof caches)[0], (typeof caches)[0]];
      const keys = Array.from({ length: 300 }, (_, i) => `key ${i}`);
      const load = async (missing: readonly string[]) => missing.map((key) => [key, key.length] as const);
      await first.getOrLoadMany(keys, load, { tags: ['t'] });
      await vi.waitFor(() => expect(first.stats().l2Fills).toBe(300));
      expect((await second.getMany(keys)).size).toBe(300);
      expect(await first.invalidate(keys.slice(0, 100))).toBe(true);
      expect((await first.getMany(keys)).size).toBe(200);
      await first.invalidateTags(['t']);
      expect((await first.getMany(keys)).size).toBe(0);
      await Promise.all(caches.map((cache) => cache.close()));
    });
  });

  for (const coherence of ['log', 'pubsub'] as const) {
    it(`keyv #925: coherence ${coherence} leaks no connections when they break or nodes never send a greeting`, async () => {
      const ways = await Promise.all(cluster.ports.map((port) => startMuteServer(`redis://127.0.0.1:${port}`)));
      const nodeAddressMap = Object.fromEntries(
        ways.map(({ url }, i) => [
          `127.0.0.1:${cluster.ports[i]}`,
          { host: '127.0.0.1', port: Number(new URL(url).port) },
        ]),
      );
      const rootNodes = ways.map(({ url }) => ({ url }));
      const client = createCluster({ rootNodes, nodeAddressMap, defaults: { disableOfflineQueue: true } });
      client.on('error', () => {});
      await client.connect();
      const prefix = `broken-${coherence}`;
      const cache = createCache<string>({ name: 'users', coherence, l2: redisTier(client, { prefix }) });
      const state = (disconnected: number): Promise<void> =>
        vi.waitFor(() => expect(cache.stats().disconnected).toBe(disconnected), { timeout: 20_000, interval: 5 });
      const openNow = (): number => ways.reduce((sum, { open }) => sum + open.size, 0);
      const breakAll = async (): Promise<void> => {
        for (const { open } of ways) for (const socket of open) socket.destroy();
        await state(1);
      };
      await state(0);
      const before = openNow();
      await breakAll();
      await state(0);
      await vi.waitFor(() => expect(openNow()).toBeLessThanOrEqual(before), { timeout: 5_000 });
      for (const way of ways) way.mute = true;
      await breakAll();
      // Time enough to leak a connection or two.
      await sleep(700);
      expect(openNow()).toBeLessThanOrEqual(before);
      await cache.close();
      client.destroy();
      await Promise.all(ways.map((way) => way.close()));
    });
  }
});
