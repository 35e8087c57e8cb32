// A cluster that changes while caches use it: slots move, and a replica replaces its primary.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createCache, redisTier, type Cache } from '@macadam/cache';
import { clusterClients, type Connected } from '@macadam/test-support/redis-clients';
import { startCluster, type LocalCluster } from '@macadam/test-support/redis-cluster';
import { serverPrograms } from '@macadam/test-support/redis-servers';
import { expectNoUnhandledRejections } from './unhandled.ts';

expectNoUnhandledRejections();

// If REDIS_URL is the only source of Redis, there may be no server program to start.
if (serverPrograms().length === 0) it.skip('needs a server program to start a cluster');
describe.each(serverPrograms())('a cluster of $name that changes', { timeout: 90_000 }, (server) => {
  describe.each(clusterClients)('%s', (name, connect) => {
    let cluster: LocalCluster;
    let connection: Connected;
    let other: Connected;
    let prefix: string;
    let made = 0;
    const open: Cache<string>[] = [];

    // One cluster per driver, since a primary that was killed stays down.
    beforeAll(async () => {
      cluster = await startCluster(server, { replicas: 1 });
      [connection, other] = [await connect(cluster), await connect(cluster)];
    }, 60_000);
    afterAll(async () => {
      await Promise.all([connection.close(), other.close()]);
      await cluster.close();
    });
    beforeEach(() => void (prefix = `change-${name}-${++made}`));
    afterEach(async () => void (await Promise.all(open.splice(0).map((cache) => cache.close()))));

    function instance({ client }: Connected): Cache<string> {
      const cache = createCache<string>({
        name: 'users',
        ttlJitter: 0,
        earlyRefresh: false,
        l2: redisTier(client, { prefix, timeoutMs: 500, circuitBreaker: { maxOpenMs: 1_000 } }),
      });
      open.push(cache);
      return cache;
    }
    const soon = (check: () => Promise<void> | void): Promise<void> =>
      vi.waitFor(check, { timeout: 30_000, interval: 20 });
    /** The primary that owns a slot. */
    const ownerOf = async (slot: number): Promise<number> => {
      const ranges = (await cluster.command(cluster.ports[1] as number, 'CLUSTER', 'SLOTS')) as [
        number,
        number,
        [unknown, number],
      ][];
      const range = ranges.find(([first, last]) => first <= slot && slot <= last);
      return (range as (typeof ranges)[0])[2][1];
    };
    const slotOf = async (key: string): Promise<number> =>
      Number(await cluster.command(cluster.ports[1] as number, 'CLUSTER', 'KEYSLOT', key));

    /** Reads continuously. Returns the errors and the number of reads. */
    function reading(cache: Cache<string>, keys: readonly string[], load: (key: string) => string) {
      const errors: unknown[] = [];
      let [reads, isOver] = [0, false];
      const run = async (): Promise<void> => {
        while (!isOver) {
          for (const key of keys) {
            await cache.getOrLoad(key, () => load(key)).then(() => reads++, (error: unknown) => errors.push(error)); // prettier-ignore
          }
          // A hit in memory would not reach the cluster.
          await cache.expire(keys[reads % keys.length] as string);
          await sleep(1);
        }
      };
      const over = run();
      return { errors, count: () => reads, end: async () => ((isOver = true), await over) };
    }

    /** Checks for each key that a change by one instance is visible to the other. */
    async function converge(one: Cache<string>, two: Cache<string>, keys: readonly string[]): Promise<void> {
      await soon(() => expect([one.stats().unsettled, two.stats().unsettled]).toEqual([0, 0]));
      await soon(() => expect([one.stats().disconnected, two.stats().disconnected]).toEqual([0, 0]));
      for (const [i, key] of keys.entries()) {
        await soon(async () => expect(await one.set(key, `new ${i}`)).toBe(true));
        await soon(async () => expect(await two.getOrLoad(key, () => 'loaded')).toBe(`new ${i}`));
        await soon(async () => expect(await two.invalidate(key)).toBe(true));
        await soon(() => expect(one.peek(key)).toBeUndefined());
      }
    }

    it('while slots move, including those of log and marks, no read rejects and both instances stay coherent', async () => {
      const [one, two] = [instance(connection), instance(other)];
      const keys = ['a', 'b', 'c', 'd', 'e', 'f'];
      for (const key of keys) await soon(async () => expect(await one.set(key, 'v')).toBe(true));
      const readers = [one, two].map((cache) => reading(cache, keys, (key) => `loaded ${key}`));
      const slots = new Set([await slotOf(`{${prefix}}:log`), ...(await Promise.all(keys.map(slotOf)))]);
      for (const slot of slots) await moveSlot(slot);
      const errorStats = cluster.ports.map(async (port) => String(await cluster.command(port, 'INFO', 'errorstats')));
      expect((await Promise.all(errorStats)).join()).toMatch(/errorstat_(MOVED|ASK)/);
      const before = readers.map(({ count }) => count());
      await soon(() => expect(readers.every(({ count }, i) => count() > (before[i] as number) + 50)).toBe(true));
      for (const reader of readers) {
        await reader.end();
        expect(reader.errors).toEqual([]);
      }
      await converge(one, two, keys);
    });

    /** Moves a slot like `redis-cli --cluster reshard`, and pauses while keys are in two places (ASK redirects). */
    async function moveSlot(slot: number): Promise<void> {
      const from = await ownerOf(slot);
      const to = cluster.ports.slice(0, 3).find((port) => port !== from) as number;
      const [fromId, toId] = [await cluster.command(from, 'CLUSTER', 'MYID'), await cluster.command(to, 'CLUSTER', 'MYID')].map(String) as [string, string]; // prettier-ignore
      await cluster.command(to, 'CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', fromId);
      await cluster.command(from, 'CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', toId);
      await sleep(30);
      for (;;) {
        const keys = (await cluster.command(from, 'CLUSTER', 'GETKEYSINSLOT', String(slot), '10')) as string[];
        if (keys.length === 0) break;
        await cluster.command(from, 'MIGRATE', '127.0.0.1', String(to), '', '0', '5000', 'REPLACE', 'KEYS', ...keys.map(String)); // prettier-ignore
      }
      await sleep(30);
      for (const port of [to, from]) await cluster.command(port, 'CLUSTER', 'SETSLOT', String(slot), 'NODE', toId);
    }

    it('after a replica replaces its dead primary, no read rejects and both instances become coherent again', async () => {
      const [one, two] = [instance(connection), instance(other)];
      const [master, , , replica] = cluster.ports as [number, number, number, number];
      const all = Array.from({ length: 60 }, (_, i) => `key ${i}`);
      const owners = await Promise.all(all.map(async (key) => await ownerOf(await slotOf(`{${key}}`))));
      // Some keys are on that primary, some on others.
      const keys = [
        ...all.filter((_, i) => owners[i] === master).slice(0, 4),
        ...all.filter((_, i) => owners[i] !== master).slice(0, 2),
      ];
      for (const key of keys) await soon(async () => expect(await one.set(key, 'v')).toBe(true));
      const readers = [one, two].map((cache) => reading(cache, keys, (key) => `loaded ${key}`));
      await sleep(50);
      await cluster.kill(master);
      await soon(async () => expect(String(await cluster.command(replica, 'ROLE'))).toMatch(/^master/));
      const before = readers.map(({ count }) => count());
      await soon(() => expect(readers.every(({ count }, i) => count() > (before[i] as number) + 50)).toBe(true));
      for (const reader of readers) {
        await reader.end();
        expect(reader.errors).toEqual([]);
      }
      await converge(one, two, keys);
    });
  });
});
