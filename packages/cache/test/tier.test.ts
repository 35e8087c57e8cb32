// The contract suite on every tier: the memory tier, and the Redis tier on real servers with both clients.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { redisTier, type Tier, type TierSpace } from '@macadam/cache';
import { memoryTier, tierContract } from '@macadam/cache/testing';
import { clients, type Connected } from '@macadam/test-support/redis-clients';
import { servers } from '@macadam/test-support/redis-servers';

describe('memoryTier keeps the contract', () => {
  const tier = memoryTier();
  it.each(tierContract(() => tier))('$name', ({ run }) => run());
});

const combinations = servers.flatMap((server) => clients.map(([name, connect]) => ({ server, name, connect })));
describe.each(combinations)('redisTier with $name and $server.name keeps the contract', ({ server, name, connect }) => {
  if (server.url === undefined) return it.skip(`${server.name} is not available`);
  let redis: Connected;
  beforeAll(async () => void (redis = await connect(server.url)));
  afterAll(() => redis.close());
  const prefix = (mode: string): string => `tier-${process.pid}-${name}-${mode}`;
  // Long timeouts: no case is about them.
  const tier = (mode: string): Tier => redisTier(redis.client, { prefix: prefix(mode), timeoutMs: 5_000 });

  describe('log', () => {
    it.each(tierContract(() => tier('log')))('$name', ({ run }) => run());
  });
  for (const mode of ['pubsub', 'none'] as const) {
    describe(mode, () => {
      it.each(tierContract(() => tier(mode), mode))('$name', ({ run }) => run());
    });
  }
  describe('tracking', () => {
    if (name === 'node-redis') it.each(tierContract(() => tier('tracking'), 'tracking'))('$name', ({ run }) => run());
    else {
      it('ioredis DataHandler: rejects tracking with ioredis, which drops push messages', () => {
        const [anyCase] = tierContract(() => tier('tracking'), 'tracking');
        return expect(anyCase?.run()).rejects.toMatchObject({ code: 'MAC_INVALID_OPTIONS' });
      });
    }
  });
});

describe('a tier that does not', () => {
  /** The memory tier with some operations replaced. */
  const faulty = (wrong: (space: TierSpace) => Partial<TierSpace>): (() => Tier) => {
    const shared = memoryTier();
    return () => ({
      ...shared,
      open(options) {
        const space = shared.open(options);
        const changed = wrong(space);
        return new Proxy(space, {
          get(target, name: keyof TierSpace) {
            const member: unknown = changed[name] ?? target[name];
            return typeof member === 'function' ? (member as (...args: unknown[]) => unknown).bind(target) : member;
          },
        });
      },
    });
  };
  const failing = async (makeTier: () => Tier): Promise<string[]> => {
    const failed: string[] = [];
    for (const { name, run } of tierContract(makeTier)) await run().catch(() => failed.push(name));
    return failed;
  };

  it('a tier whose fill ignores the lease fails the contract', async () => {
    const unfenced = faulty((space) => ({
      fill: async (key, _lease, entry, ttlMs) => (await space.write(key, entry, ttlMs), true),
    }));
    expect(await failing(unfenced)).toEqual([
      'stores an entry that is filled under a lease, once',
      'refuses a fill after the key was removed, expired or written',
      'takes a lease away from another holder with `always`',
    ]);
  });

  it(
    'a tier that gives the lease to every reader, or reports no marks, fails the contract',
    { timeout: 20_000 },
    async () => {
      const generous = faulty((space) => ({
        read: async (keys, wantsLeases) => {
          const reads = await space.read(keys, wantsLeases);
          return reads.map((read) =>
            read.kind === 'absent' && wantsLeases === true ? { kind: 'absent', lease: 'everybody' } : read,
          );
        },
      }));
      expect(await failing(generous)).toContain('gives one lease per key at a time');
      const forgetful = faulty(() => ({ mark: async () => ({ epoch: 'memory', position: 1, floor: 0, marks: [] }) }));
      expect(await failing(forgetful)).toContain(
        'gives marks increasing positions, and returns all of them to a space opened later',
      );
    },
  );
});
