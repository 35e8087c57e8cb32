// The store on three servers that share the slots: every key of a decision has to be on one of them.
import { clusterClients, ioRedis, type Connected } from '@macadam/test-support/redis-clients';
import { startCluster, type LocalCluster } from '@macadam/test-support/redis-cluster';
import { serverPrograms } from '@macadam/test-support/redis-servers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRateLimiter, redisStore, slidingWindow, takeAll, tokenBucket, type Limit } from '../src/index.ts';
import { storeContract } from '../src/testing.ts';

const hour = 3_600_000;

// Without the program of a server (REDIS_URL on another machine) there is nothing to make a cluster of.
if (serverPrograms().length === 0) it.skip('there is a server to start a cluster of');
describe.each(serverPrograms())('wurk #92: a Redis cluster of three: $name', (server) => {
  let cluster: LocalCluster;
  beforeAll(async () => void (cluster = await startCluster(server)), 60_000);
  afterAll(() => cluster?.close());

  describe.each(clusterClients)('with %s', (name, connect) => {
    let redis: Connected;
    beforeAll(async () => void (redis = await connect(cluster)));
    afterAll(() => redis.close());
    const store = () => redisStore(redis.client, { prefix: `cluster-${name}`, timeoutMs: 5_000 });
    const limiterOf = (called: string, ...limits: Limit[]) =>
      createRateLimiter({ name: called, limits, store: store(), onStoreFailure: 'closed' });

    it.each(storeContract(() => store()))('$name', ({ run }) => run());

    it('spreads keys over all nodes, and counts each exactly', async () => {
      const limiter = limiterOf('spread', tokenBucket({ limit: 2, periodMs: hour }));
      const keys = Array.from({ length: 60 }, (_, i) => `key ${i}`);
      const decisions = await Promise.all(keys.flatMap((key) => [1, 2, 3].map(() => limiter.take(key))));
      expect(decisions.filter(({ allowed }) => allowed)).toHaveLength(120);
      for (const port of cluster.ports) {
        expect(await cluster.command(port, 'DBSIZE')).toBeGreaterThan(0);
      }
    });

    it('takeAll is atomic for claims of one key, and takes from all or none for others', async () => {
      const users = limiterOf('users', tokenBucket({ limit: 3, periodMs: hour }));
      const logins = limiterOf('logins', slidingWindow({ limit: 2, periodMs: hour }));
      const same = [
        { limiter: users, key: 'ann' },
        { limiter: logins, key: 'ann' },
      ];
      expect(await takeAll(same)).toMatchObject({ allowed: true, atomic: true });
      await takeAll(same);
      expect(await takeAll(same)).toMatchObject({ allowed: false, atomic: true });
      expect((await users.peek('ann')).remaining).toBe(1);
      const apart = [
        { limiter: users, key: 'bob' },
        { limiter: logins, key: 'ann' },
      ];
      expect(await takeAll(apart)).toMatchObject({ allowed: false, atomic: false });
      expect((await users.peek('bob')).remaining).toBe(3);
    });
  });

  it('with a client that does not know of the cluster, sends a batch one by one, and loses or counts twice none', async () => {
    const [port] = cluster.ports as [number];
    const node = await ioRedis(`redis://127.0.0.1:${port}`);
    const limits = [tokenBucket({ limit: 2, periodMs: hour })];
    const limiter = createRateLimiter({
      name: 'plain',
      limits,
      store: redisStore(node.client, { prefix: 'plain', timeoutMs: 5_000 }),
      onStoreFailure: 'closed',
    });
    // Two keys in slots of the first server.
    const keys: string[] = [];
    for (let i = 0; keys.length < 2; i++) {
      if (Number(await node.command('CLUSTER', 'KEYSLOT', `{key ${i}}`)) < 5_000) keys.push(`key ${i}`);
    }
    const decisions = await Promise.all([...keys, ...keys, ...keys].map((key) => limiter.take(key)));
    expect(decisions.map(({ allowed }) => allowed)).toEqual([true, true, true, true, false, false]);
    expect(limiter.stats()).toMatchObject({ storeFailures: 0 });
    const [a, b] = keys as [string, string];
    await limiter.reset(a);
    expect(
      await takeAll([
        { limiter, key: a },
        { limiter, key: b },
      ]),
    ).toMatchObject({ allowed: false, atomic: false });
    expect((await limiter.peek(a)).remaining).toBe(2);
    await node.close();
  });
});
