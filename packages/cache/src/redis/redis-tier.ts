import { assertDurationMs, assertKnownOptions, assertObject, OptionsError } from '@macadam/core';
import type { CircuitBreakerOptions } from '@macadam/resilience';
import type { Coherence, TierSpaceOptions, Tier } from '../tier.ts';
import { PubSubSource } from './pubsub-source.ts';
import { assertRedisClient, toRedis, type RedisClient } from './client.ts';
import { ChangeFeed, type ChangeSource } from './change-feed.ts';
import { LogSource } from './log-source.ts';
import { KeyNames } from './key-names.ts';
import { RedisSpace, type SpaceSettings } from './redis-space.ts';
import { capabilitiesOf } from './server-capabilities.ts';
import { TrackingSource } from './tracking-source.ts';

/** Options of `redisTier`. */
export interface RedisTierOptions {
  /** Prefix of all Redis keys: up to 64 letters, digits, `_ . -`. Default: `mc`. */
  prefix?: string;
  /**
   * How long a read waits for the server while there is a stale value to serve, in milliseconds, above 0, at most
   * `timeoutMs`. Default: 100.
   */
  softTimeoutMs?: number;
  /** Time limit of each round trip, in milliseconds, above 0. Default: 250. */
  timeoutMs?: number;
  /**
   * The circuit breaker in front of the server; an object is merged over the defaults, `false` means none. Default:
   * opens after 5 failures in a row, or half of at least 20 calls within 10 s; stays open for 1 s, doubling up to 30 s;
   * one probe.
   */
  circuitBreaker?: CircuitBreakerOptions | false;
}

/** Maximum length of the log of changes. A process that misses more starts with an empty memory. */
const MAX_LOG_LENGTH = 10_000;

/** The feeds by client, prefix and kind of coherence, so that all caches of a process share one connection. */
const feeds = new WeakMap<object, Map<string, ChangeFeed>>();

/**
 * Creates a tier that stores values in Redis (6.2 or later) or Valkey, for all processes. The client stays yours:
 * node-redis or ioredis, single or cluster. All caches of a process that share a client share one additional connection
 * with the same settings, which receives the changes of other processes and is closed with the last of them.
 *
 * Use a client that fails instead of queueing while it is disconnected: with node-redis `disableOfflineQueue: true`,
 * with ioredis `enableOfflineQueue: false` and `autoResendUnfulfilledCommands: false`.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts ignore=needs a server
 * import { createCache, redisTier } from '@macadam/cache';
 * import { createClient } from 'redis';
 *
 * const client = createClient({ url: 'redis://127.0.0.1:6379', disableOfflineQueue: true });
 * await client.connect();
 * const users = createCache<{ name: string }>({ name: 'users', l2: redisTier(client) });
 * ```
 */
export function redisTier(client: RedisClient, options: RedisTierOptions = {}): Tier {
  assertRedisClient('redisTier.client', client);
  assertObject('redisTier', options);
  assertKnownOptions('redisTier', options, ['prefix', 'softTimeoutMs', 'timeoutMs', 'circuitBreaker']);
  const { prefix = 'mc', softTimeoutMs = 100, timeoutMs = 250, circuitBreaker = {} } = options;
  assertDurationMs('redisTier.softTimeoutMs', softTimeoutMs, { above: 0 });
  assertDurationMs('redisTier.timeoutMs', timeoutMs, { above: 0 });
  if (softTimeoutMs > timeoutMs) {
    throw new OptionsError('redisTier.softTimeoutMs', softTimeoutMs, `at most timeoutMs (${timeoutMs})`);
  }
  if (circuitBreaker !== false) assertObject('redisTier.circuitBreaker', circuitBreaker);
  if (typeof prefix !== 'string' || !/^[\w.-]{1,64}$/.test(prefix)) {
    throw new OptionsError('redisTier.prefix', prefix, 'up to 64 letters, digits and _ . -');
  }
  return {
    kind: 'redis',
    softTimeoutMs,
    timeoutMs,
    circuitBreaker,
    open: (space) => openSpace(client, { prefix, timeoutMs }, space),
    describe: () => `Redis under "${prefix}", answers within ${timeoutMs} ms`,
  };
}

function openSpace(client: RedisClient, settings: SpaceSettings, options: TierSpaceOptions): RedisSpace {
  const { prefix } = settings;
  const redis = toRedis(client);
  const { coherence, clock } = options;
  if (coherence === 'tracking' && (redis.driver !== 'node-redis' || redis.cluster)) {
    throw new OptionsError(
      'createCache.coherence',
      coherence,
      'log, pubsub or none: only node-redis can track, on one node',
    );
  }
  const feedsOfClient = feeds.get(client) ?? new Map<string, ChangeFeed>();
  feeds.set(client, feedsOfClient);
  const name = `${prefix} ${coherence}`;
  let feed = feedsOfClient.get(name);
  if (feed === undefined) {
    const maxLogLength = coherence === 'log' ? MAX_LOG_LENGTH : 0;
    feed = new ChangeFeed(redis, new KeyNames(prefix, ''), clock, maxLogLength, createSource(coherence, prefix));
    feedsOfClient.set(name, feed);
  }
  return new RedisSpace(redis, settings, feed, capabilitiesOf(client), options);
}

function createSource(coherence: Coherence, prefix: string): ChangeSource | undefined {
  if (coherence === 'log') return new LogSource();
  if (coherence === 'pubsub') return new PubSubSource();
  return coherence === 'tracking' ? new TrackingSource(prefix) : undefined;
}
