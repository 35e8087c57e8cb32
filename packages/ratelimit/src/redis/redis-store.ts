import { assertDurationMs, assertKnownOptions, assertNumber, assertObject, OptionsError } from '@macadam/core';
import type { LeaseOptions } from '../store/leased-table.ts';
import type { RateLimitStore } from '../store/store.ts';
import { assertRedisClient, type RedisClient } from './client.ts';
import { RedisTable } from './redis-table.ts';

/** Options of `redisStore`. */
export interface RedisStoreOptions {
  /** Prefix of all Redis keys: letters, digits, `_ . -`. Default: `mrl`. */
  prefix?: string;
  /** How long a limiter waits for the server, in milliseconds, above 0. Default: 50. */
  timeoutMs?: number;
  /**
   * Leases tokens ahead, so that most decisions about a busy key need no round trip and `tryTake` works. {@link
   * LeaseOptions} states the bound. For limits by rate; with a `concurrency` limit each request asks the server.
   * Default: false.
   */
  lease?: LeaseOptions | false;
}

/**
 * Creates a store that keeps limits in Redis (6.2 or later) or Valkey, exact across all processes: each decision is one
 * script, in the time of the server, and one round trip however many limits the limiter has. While the server does not
 * respond, the limiter decides by its `onStoreFailure`.
 *
 * Nothing is sent before the first decision, so the client may still be connecting. Use a client that fails instead of
 * queueing while it is disconnected: with ioredis `enableOfflineQueue: false` and `autoResendUnfulfilledCommands:
 * false`, with node-redis `disableOfflineQueue: true`. A command that waits for a reconnect charges the key later, when
 * nobody needs the answer.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts ignore=needs a server
 * import { createRateLimiter, redisStore, tokenBucket } from '@macadam/ratelimit';
 * import { createClient } from 'redis';
 *
 * const client = createClient({ url: 'redis://127.0.0.1:6379', disableOfflineQueue: true });
 * const limits = [tokenBucket({ limit: 100, periodMs: 1_000 })];
 * const perKey = createRateLimiter({ name: 'api', limits, store: redisStore(client), expectedInstances: 4 });
 * ```
 */
export function redisStore(client: RedisClient, options: RedisStoreOptions = {}): RateLimitStore {
  assertRedisClient('redisStore.client', client);
  assertObject('redisStore', options);
  assertKnownOptions('redisStore', options, ['prefix', 'timeoutMs', 'lease']);
  const { prefix = 'mrl', timeoutMs = 50, lease = false } = options;
  assertDurationMs('redisStore.timeoutMs', timeoutMs);
  if (!/^[\w.-]{1,64}$/.test(prefix)) {
    throw new OptionsError('redisStore.prefix', prefix, 'up to 64 letters, digits and _ . -');
  }
  return {
    kind: 'redis',
    timeoutMs,
    ...(lease === false ? {} : { lease: leaseOf(lease) }),
    open: (table) => new RedisTable(client, prefix, table),
    describe: () => `Redis, under "${prefix}"${lease === false ? '' : ', tokens leased ahead'}`,
    close: async () => {},
  };
}

function leaseOf(options: LeaseOptions): Required<LeaseOptions> {
  const path = 'redisStore.lease';
  assertObject(path, options);
  assertKnownOptions(path, options, ['ttlMs', 'maxShare']);
  const { ttlMs = 100, maxShare = 0.05 } = options;
  assertDurationMs(`${path}.ttlMs`, ttlMs, { min: 10, max: 60_000 });
  assertNumber(`${path}.maxShare`, maxShare, { above: 0, max: 0.5 });
  return { ttlMs, maxShare };
}
