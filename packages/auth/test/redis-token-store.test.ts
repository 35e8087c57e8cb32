// A30: sessions that processes share through Redis, with a real server and both clients.
import { randomBytes } from 'node:crypto';
import { systemClock } from '@macadam/core';
import * as connect from '@macadam/test-support/redis-clients';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { redisTokenStore, refreshTokens, type TokenRedisClient } from '../src/index.ts';
import { client, TokenEndpoint } from './token-endpoint.ts';

const connected = [await connect.nodeRedis(), await connect.ioRedis()] as const;
const [{ client: nodeRedis }, { client: ioRedis }] = connected;
const clients: [name: string, client: TokenRedisClient][] = [
  ['node-redis', nodeRedis],
  ['ioredis', ioRedis],
];
const encryptionKeys = [randomBytes(32)];
let prefix: string;
const signal = new AbortController().signal;

afterAll(() => Promise.all(connected.map((one) => one.close())));
beforeEach(() => {
  prefix = `mat-test-${randomBytes(8).toString('hex')}`;
});

/** An authorization server that ends the session when a refresh token is used for the second time. */
class RotatingServer extends TokenEndpoint {
  revoked = false;
  #number = 0;

  constructor() {
    super();
    this.respond = async ({ form }) => {
      if (form.get('refresh_token') !== `refresh-${this.#number}`) this.revoked = true;
      if (this.revoked) return Response.json({ error: 'invalid_grant' }, { status: 400 });
      this.#number++;
      const number = this.#number;
      // Long enough for the other processes to arrive.
      await systemClock.sleep(20);
      return this.plain({ access_token: `access-${number}`, refresh_token: `refresh-${number}` });
    };
  }
}

describe.each(clients)('a store in Redis, by %s', (_name, redis) => {
  it('stores tokens encrypted, with a TTL', async () => {
    const store = redisTokenStore(redis, { encryptionKeys, prefix, ttlMs: 60_000 });
    expect(await store.load('s1')).toBeUndefined();
    const accessToken = { accessToken: 'the access token', grantedAtMs: 1, lifetimeMs: 2 };
    const tokens = { refreshToken: 'the refresh token', accessTokens: { request: accessToken } };
    await store.save('s1', tokens);
    expect(await store.load('s1')).toEqual(tokens);
    const saved = (await nodeRedis.get(`${prefix}:{s1}`))!;
    expect(Buffer.from(saved.slice(2), 'base64').toString('latin1')).not.toMatch(/token/);
    const left = await nodeRedis.pTTL(`${prefix}:{s1}`);
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(60_000);
  });

  it('decrypts entries of older keys, and rejects changed, moved or foreign entries', async () => {
    const [older, newer] = [randomBytes(32), randomBytes(32)];
    const tokens = { refreshToken: 'r' };
    await redisTokenStore(redis, { encryptionKeys: [older], prefix }).save('s1', tokens);
    const store = redisTokenStore(redis, { encryptionKeys: [newer, older], prefix });
    expect(await store.load('s1')).toEqual(tokens);
    await store.save('s1', tokens);
    expect(await redisTokenStore(redis, { encryptionKeys: [newer], prefix }).load('s1')).toEqual(tokens);
    await expect(redisTokenStore(redis, { encryptionKeys: [older], prefix }).load('s1')).rejects.toThrow(
      /cannot be decrypted/,
    );
    const saved = (await nodeRedis.get(`${prefix}:{s1}`))!;
    for (const [session, text] of [
      ['s2', saved],
      ['s1', `${saved.slice(0, -6)}AAAA${saved.slice(-2)}`],
      ['s1', '1.AAAA'],
      ['s1', '{"refreshToken":"r"}'],
    ] as const) {
      await nodeRedis.set(`${prefix}:{${session}}`, text);
      await expect(store.load(session), text).rejects.toThrow(/cannot be decrypted/);
    }
  });

  it('grants the lock to one caller at a time, and after its TTL when its holder crashed', async () => {
    const stores = Array.from({ length: 5 }, () => redisTokenStore(redis, { encryptionKeys, prefix }));
    let inside = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      most = Math.max(most, ++inside);
      await systemClock.sleep(5);
      inside--;
    };
    await Promise.all(
      stores.flatMap((store) => [store.withLock('s1', work, signal), store.withLock('s1', work, signal)]),
    );
    expect(most).toBe(1);
    expect(await nodeRedis.exists(`${prefix}:{s1}:lock`)).toBe(0);
    await nodeRedis.set(`${prefix}:{s1}:lock`, 'a process that was lost', { expiration: { type: 'PX', value: 150 } });
    await stores[0]!.withLock('s1', work, signal);
    expect(await nodeRedis.exists(`${prefix}:{s1}:lock`)).toBe(0);
  });

  it('does not release the lock of another holder, and stops waiting after a while', async () => {
    const store = redisTokenStore(redis, { encryptionKeys, prefix, lockTtlMs: 1_000 });
    await store.withLock('s1', () => nodeRedis.set(`${prefix}:{s1}:lock`, 'another'), signal);
    expect(await nodeRedis.get(`${prefix}:{s1}:lock`)).toBe('another');
    await expect(store.withLock('s1', () => Promise.resolve(), signal)).rejects.toThrow(/not free within 2000 ms/);
    const leaving = AbortSignal.timeout(20);
    await expect(store.withLock('s1', () => Promise.resolve(), leaving)).rejects.toThrow('due to timeout');
  });

  it('A30: lets ten processes share a session, and the server sees each refresh token once', async () => {
    const server = new RotatingServer();
    const processes = Array.from({ length: 10 }, (_, n) =>
      refreshTokens({
        ...client,
        refreshToken: 'refresh-0',
        fetch: server.fetch,
        store: redisTokenStore(n % 2 === 0 ? nodeRedis : ioRedis, { encryptionKeys, prefix }),
      }),
    );
    for (let round = 1; round <= 3; round++) {
      const got = await Promise.all(processes.map((tokens) => tokens.getToken()));
      expect(new Set(got)).toEqual(new Set([`access-${round}`]));
      for (const tokens of processes) tokens.invalidate(`access-${round}`);
    }
    expect(server).toMatchObject({ calls: 3, revoked: false });
  });
});

it('A30: lets clients share a session for different scopes', async () => {
  const server = new RotatingServer();
  const store = redisTokenStore(nodeRedis, { encryptionKeys, prefix });
  const session = { ...client, refreshToken: 'refresh-0', fetch: server.fetch, store };
  const got = await Promise.all(['a', 'b', 'a'].map((scope) => refreshTokens({ ...session, scope }).getToken()));
  expect(got[2]).toBe(got[0]);
  expect(new Set(got)).toEqual(new Set(['access-1', 'access-2']));
  expect(server).toMatchObject({ calls: 2, revoked: false });
});

it('rejects encryption keys that are short, strings or missing', () => {
  for (const wrong of [[], [randomBytes(16)], ['x'.repeat(32)], randomBytes(32), undefined]) {
    expect(() => redisTokenStore(nodeRedis, { encryptionKeys: wrong as never })).toThrow(
      /^Option redisTokenStore.encryptionKeys is [^;]*; it must be a list of keys of 32 bytes/,
    );
  }
  expect(() => redisTokenStore({} as never, { encryptionKeys })).toThrow(/client.eval/);
});
