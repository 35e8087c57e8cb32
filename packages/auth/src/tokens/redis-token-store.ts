import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto';
import {
  assertClock,
  assertDurationMs,
  assertFunction,
  assertKnownOptions,
  assertObject,
  assertText,
  type Clock,
  OptionsError,
  type Random,
  systemClock,
  systemRandom,
  withheld,
  underPath,
} from '@macadam/core';
import type { StoredTokens, TokenStore } from './token-store.ts';

/** The part of a connected client of node-redis (6) or ioredis (6) that is used. It is never closed by the store. */
export type TokenRedisClient =
  | {
      evalSha: unknown;
      eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
    }
  | { evalsha: unknown; eval(script: string, keyCount: number, ...keysAndArguments: string[]): Promise<unknown> };

/** Options of {@link redisTokenStore}. */
export interface RedisTokenStoreOptions {
  /** Keys of 32 random bytes. The first encrypts, all of them decrypt: put old ones last. */
  encryptionKeys: readonly Uint8Array[];
  /** Prefix of all Redis keys. Default: `mat`. */
  prefix?: string;
  /** How long a session is kept after its last token, in milliseconds. Default: 2_592_000_000 (30 days). */
  ttlMs?: number;
  /**
   * How long the lock of a process that crashed is kept, in milliseconds. Others wait up to twice as long: for the
   * crashed process, and for whoever comes next. Must be longer than `timeoutMs` of the token client. Default: 30_000.
   */
  lockTtlMs?: number;
  /** Source of time. Default: the system clock. */
  clock?: Clock;
  /** Source of randomness, for the times between attempts to get the lock. Default: `Math.random`. */
  random?: Random;
}

const LOAD = `return redis.call('GET', KEYS[1])`;
const SAVE = `redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1`;
const LOCK = `if redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX') then return 1 end return 0`;
/** Deletes the lock only if it is still ours: after its TTL another process may hold it. */
const UNLOCK = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`;

/** Mean time between attempts to get the lock: about as long as a token request takes. */
const LOCK_RETRY_MS = 50;

/**
 * Creates a store of sessions in Redis or Valkey, for processes that share them. Entries are encrypted (AES-256-GCM)
 * and bound to their key: who can read the database, or copy entries in it, gains nothing.
 *
 * The lock is held by one server: after a failover to a replica that had not received it, two processes may refresh at
 * once, which can end the session and never mixes two.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) which never shows a key
 * @example
 * ```ts ignore=needs a server
 * import { redisTokenStore, refreshTokens } from '@macadam/auth';
 * import { randomBytes } from 'node:crypto';
 * import { createClient } from 'redis';
 *
 * const client = await createClient({ url: 'redis://127.0.0.1:6379' }).connect();
 * const store = redisTokenStore(client, { encryptionKeys: [randomBytes(32)] });
 * ```
 */
export function redisTokenStore(client: TokenRedisClient, options: RedisTokenStoreOptions): TokenStore {
  assertObject('redisTokenStore', options);
  return underPath('redisTokenStore', () => makeRedisTokenStore(client, options));
}

function makeRedisTokenStore(client: TokenRedisClient, options: RedisTokenStoreOptions): TokenStore {
  assertObject('client', client);
  assertFunction('client.eval', client.eval);
  assertKnownOptions('', options, ['encryptionKeys', 'prefix', 'ttlMs', 'lockTtlMs', 'clock', 'random']);
  const { encryptionKeys, prefix = 'mat', ttlMs = 2_592_000_000, lockTtlMs = 30_000 } = options;
  const { clock = systemClock, random = systemRandom } = options;
  assertText('prefix', prefix);
  assertClock('clock', clock);
  assertDurationMs('ttlMs', ttlMs, { min: 1_000 });
  assertDurationMs('lockTtlMs', lockTtlMs, { min: 1_000 });
  const keys = validateKeys(encryptionKeys);
  const evalScript = (script: string, key: string, args: string[] = []): Promise<unknown> =>
    'evalSha' in client ? client.eval(script, { keys: [key], arguments: args }) : client.eval(script, 1, key, ...args);
  return {
    async load(session) {
      const key = `${prefix}:{${session}}`;
      const text = await evalScript(LOAD, key);
      return typeof text === 'string' ? decrypt(keys, key, text) : undefined;
    },
    async save(session, tokens) {
      const key = `${prefix}:{${session}}`;
      await evalScript(SAVE, key, [encrypt(keys[0] as Uint8Array, key, tokens), String(Math.ceil(ttlMs))]);
    },
    async withLock(session, run, signal) {
      const key = `${prefix}:{${session}}:lock`;
      const lockOwner = randomUUID();
      const startedAt = clock.monotonic();
      const waitMs = lockTtlMs * 2;
      while ((await evalScript(LOCK, key, [lockOwner, String(Math.ceil(lockTtlMs))])) !== 1) {
        if (clock.monotonic() - startedAt >= waitMs)
          throw new Error(`The lock of the session was not free within ${waitMs} ms.`);
        await clock.sleep(LOCK_RETRY_MS * (0.5 + random()), signal);
      }
      try {
        return await run();
      } finally {
        // If this fails, the lock expires by its TTL.
        await evalScript(UNLOCK, key, [lockOwner]).catch(() => {});
      }
    },
  };
}

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const VERSION = '1.';

function validateKeys(given: unknown): readonly Uint8Array[] {
  const isKey = (one: unknown): boolean => one instanceof Uint8Array && one.byteLength === KEY_BYTES;
  if (Array.isArray(given) && given.length > 0 && given.every(isKey)) return [...given] as Uint8Array[];
  throw new OptionsError(
    'encryptionKeys',
    withheld(given),
    `a list of keys of ${KEY_BYTES} bytes (Uint8Array), not empty`,
  );
}

function encrypt(key: Uint8Array, redisKey: string, tokens: StoredTokens): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(redisKey));
  const encrypted = Buffer.concat([nonce, cipher.update(JSON.stringify(tokens)), cipher.final()]);
  return VERSION + Buffer.concat([encrypted, cipher.getAuthTag()]).toString('base64');
}

/**
 * Throws when no key decrypts the entry. Treating it as missing would start the session again with its first refresh token,
 * and the second use of that token ends the session.
 */
function decrypt(keys: readonly Uint8Array[], redisKey: string, text: string): StoredTokens {
  const bytes = Buffer.from(text.slice(VERSION.length), 'base64');
  if (text.startsWith(VERSION) && bytes.length > NONCE_BYTES + TAG_BYTES) {
    for (const key of keys) {
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(Buffer.from(redisKey)).setAuthTag(bytes.subarray(-TAG_BYTES));
      try {
        const plain = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
        return JSON.parse(plain.toString()) as StoredTokens;
      } catch {
        // Encrypted with another key, perhaps: the next one is tried.
      }
    }
  }
  throw new Error('The stored session cannot be decrypted with any of the encryptionKeys.');
}
