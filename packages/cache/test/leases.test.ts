// Leases with `SET … IFEQ` and with scripts, on real servers.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createCache, redisTier, type Cache, type RedisClient } from '@macadam/cache';
import { clients, type Connected } from '@macadam/test-support/redis-clients';
import { servers } from '@macadam/test-support/redis-servers';

const [{ url: redisUrl }, { url: valkeyUrl }] = servers as [(typeof servers)[0], (typeof servers)[0]];

/** A client that records the commands sent through it. `refuse` responds in place of the server. */
function watched(client: RedisClient, refuse: (words: readonly string[]) => Error | undefined = () => undefined) {
  const sent: string[] = [];
  const proxy = new Proxy(client, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]): unknown => {
        if (property === 'sendCommand' || property === 'callBuffer') {
          const words = args.flat().map(String);
          const error = refuse(words);
          if (error !== undefined) return Promise.reject(error);
          sent.push(words.includes('IFEQ') ? 'SET IFEQ' : words.includes('GET') ? 'SET NX GET' : (words[0] as string));
        }
        return (member as (...all: unknown[]) => unknown).apply(target, args);
      };
    },
  });
  return { client: proxy, sent };
}

/** The error of a server without the command. */
const unknown = (words: readonly string[]): Error | undefined =>
  words.includes('IFEQ') ? new Error('ERR syntax error') : undefined;

describe.each(clients)('leases with %s', (name, connect) => {
  const open: (Cache<string> | Connected)[] = [];
  let prefix: string;
  let made = 0;
  beforeEach(() => void (prefix = `leases-${process.pid}-${name}-${++made}`));
  afterEach(async () => void (await Promise.all(open.splice(0).map((one) => one.close()))));

  function instance(client: RedisClient): Cache<string> {
    const l2 = redisTier(client, { prefix, timeoutMs: 5_000, softTimeoutMs: 5_000 });
    const cache = createCache<string>({ name: 'users', ttlJitter: 0, earlyRefresh: false, coherence: 'none', l2 });
    open.push(cache);
    return cache;
  }
  const filled = (cache: Cache<string>, fills: number): Promise<void> =>
    vi.waitFor(() => expect(cache.stats().l2Fills).toBe(fills), { timeout: 10_000, interval: 5 });

  describe.skipIf(valkeyUrl === undefined)('on a server with SET IFEQ (Valkey)', () => {
    let server: Connected;
    beforeAll(async () => void (server = await connect(valkeyUrl)));
    afterAll(() => server.close());

    it('a miss takes its lease with SET NX GET, and fills with SET IFEQ', async () => {
      const { client, sent } = watched(server.client);
      const cache = instance(client);
      await cache.get('none');
      sent.length = 0;
      expect(await cache.getOrLoad('k', async () => 'v1')).toBe('v1');
      await filled(cache, 1);
      expect(sent).toEqual(['SET NX GET', 'PTTL', 'SET IFEQ']);
      sent.length = 0;
      expect(await instance(client).getOrLoad('k', async () => 'v2')).toBe('v1');
      expect(sent.filter((command) => command !== 'EVALSHA')).toEqual(['SET NX GET', 'PTTL']);
    });

    it('an invalidation by another process ends the lease, so the server refuses the fill', async () => {
      for (const end of ['invalidate', 'expire', 'set'] as const) {
        const [slow, other] = [instance(server.client), instance(server.client)];
        let finish: (value: string) => void = () => {};
        const begun = new Promise<void>((resolve) => {
          void slow.getOrLoad(end, () => {
            resolve();
            return new Promise<string>((done) => (finish = done));
          });
        });
        await begun;
        await (end === 'set' ? other.set(end, 'newer') : other[end](end));
        finish('older');
        await vi.waitFor(() => expect(slow.stats().fenced).toBe(1), { timeout: 10_000, interval: 5 });
        const cold = instance(server.client);
        expect(await cold.get(end)).toBe(end === 'set' ? 'newer' : undefined);
      }
    });

    it('falls back to scripts when the server is replaced by one without SET IFEQ', async () => {
      let isOld = false;
      const { client, sent } = watched(server.client, (words) => (isOld ? unknown(words) : undefined));
      const cache = instance(client);
      await cache.getOrLoad('k', async () => ((isOld = true), 'v1'));
      await filled(cache, 1);
      sent.length = 0;
      await cache.getOrLoad('k2', async () => 'v2');
      await filled(cache, 2);
      expect(sent.every((command) => command.startsWith('EVAL'))).toBe(true);
      expect(await instance(server.client).getMany(['k', 'k2'])).toEqual(new Map([['k', 'v1'], ['k2', 'v2']])); // prettier-ignore
    });

    it('processes with and without SET IFEQ end the leases of each other', async () => {
      const commands = instance(server.client);
      const scripts = instance(watched(server.client, unknown).client);
      for (const [slow, other] of [
        [commands, scripts],
        [scripts, commands],
      ] as const) {
        for (const end of ['invalidate', 'expire'] as const) {
          const { fenced } = slow.stats();
          let finish: (value: string) => void = () => {};
          await new Promise<void>((resolve) => {
            void slow.getOrLoad('mixed', () => {
              resolve();
              return new Promise<string>((done) => (finish = done));
            });
          });
          await other[end]('mixed');
          finish('older');
          await vi.waitFor(() => expect(slow.stats().fenced).toBe(fenced + 1), { timeout: 10_000, interval: 5 });
          expect(await instance(server.client).get('mixed')).toBeUndefined();
        }
      }
    });
  });

  it('uses scripts on a server without SET IFEQ (Redis 7)', async (context) => {
    context.skip(redisUrl === undefined, 'there is no Redis');
    const server = await connect(redisUrl);
    open.push(server);
    const { client, sent } = watched(server.client, unknown);
    const cache = instance(client);
    expect(await cache.getOrLoad('k', async () => 'v1')).toBe('v1');
    await filled(cache, 1);
    expect(sent.filter((command) => !command.startsWith('EVAL'))).toEqual([]);
    expect(await instance(client).get('k')).toBe('v1');
  });
});
