// The shared tier on a cluster of three nodes, through both clients.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createCache, redisTier } from '@macadam/cache';
import { tierContract } from '@macadam/cache/testing';
import { clusterClients, type Connected } from '@macadam/test-support/redis-clients';
import { startCluster, type LocalCluster } from '@macadam/test-support/redis-cluster';
import { serverPrograms } from '@macadam/test-support/redis-servers';

// Where Redis is brought by REDIS_URL alone, there may be no server to start.
if (serverPrograms().length === 0) it.skip('there is a server to start a cluster of');
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

    it('many keys at once, over all nodes', async () => {
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
});
