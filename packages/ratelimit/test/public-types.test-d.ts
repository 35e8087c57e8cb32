// What the types must and must not allow; checked by tsc.
import type { Redis } from 'ioredis';
import type { createClient, createCluster } from 'redis';
import {
  concurrency,
  createRateLimiter,
  createShaper,
  rateLimitHeaders,
  redisStore,
  slidingWindow,
  tokenBucket,
  type Decision,
  type OverloadedError,
  type OverloadSignal,
  type RateLimiter,
} from '../src/index.ts';

declare const nodeRedis: ReturnType<typeof createClient>;
declare const nodeRedisCluster: ReturnType<typeof createCluster>;
declare const ioRedis: Redis;
redisStore(nodeRedis);
redisStore(nodeRedisCluster);
redisStore(ioRedis, { prefix: 'mrl', timeoutMs: 50, lease: { ttlMs: 100, maxShare: 0.05 } });

const limiter: RateLimiter = createRateLimiter({
  name: 'types',
  limits: [tokenBucket({ limit: 1, periodMs: 1 }), concurrency({ limit: 1 })],
});
const now: Decision = limiter.tryTake('a');
const later: Promise<Decision> = limiter.take('a', { cost: 2 });
const headers: Record<string, string> = rateLimitHeaders(now, { legacy: 'x' });
const length: Promise<number> = createShaper({ ratePerSecond: 1 }).run(async () => 'text'.length);
const signal = (error: OverloadedError): OverloadSignal | undefined => error.signal;
void [later, headers, length, signal];

// @ts-expect-error -- A limit needs its period.
tokenBucket({ limit: 1 });
// @ts-expect-error -- There are two modes.
slidingWindow({ limit: 1, periodMs: 1, mode: 'exact' });
// @ts-expect-error -- At least the name and the limits are needed.
createRateLimiter({ name: 'types' });
// @ts-expect-error -- Not a client.
redisStore({ get: () => '' });
// @ts-expect-error -- Decisions cannot be changed.
now.allowed = true;
