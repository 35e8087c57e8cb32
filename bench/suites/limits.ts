import type { Case, Contender, Subject, Suite } from '../src/suite.ts';
import { bareDispatch, macadam as macadamGet } from './http/buffered.ts';

const work = async (): Promise<number> => 1;
const nowhere = { write: (line: string): number => line.length };
const five = { orderId: 17, plan: 'premium', ok: true, region: 'eu-central-1', durationMs: 12.5 };

const floor = (name: string, run: () => unknown): Contender => ({ name, setup: async () => ({ run }) });
const macadam = (name: string, from: string, run: () => Promise<Subject['run']>): Contender => ({
  ...{ name, from },
  setup: async () => ({ run: await run() }),
});

const SMALL = { bodyBytes: 70, inFlight: 1, warmUp: 40_000 };
const IN_FLIGHT = 64;

/** More keys than requests in flight, since concurrent requests for one key may share a round trip. */
function keyInTurn(): () => string {
  const keys = Array.from({ length: 100 }, (_, i) => `limits:${i}`);
  let next = 0;
  return () => keys[(next = (next + 1) % keys.length)] as string;
}

async function connect(): Promise<ReturnType<(typeof import('redis'))['createClient']>> {
  const { createClient } = await import('redis');
  const client = createClient({ url: process.env['REDIS_URL'] as string });
  await client.connect();
  return client as unknown as ReturnType<(typeof import('redis'))['createClient']>;
}

/** Needs a server: `npm run bench` brings one, or set REDIS_URL. */
const overRedis: readonly Case[] = [
  {
    name: 'a decision on Redis',
    what: 'The floor is one Redis command, with 64 in flight. In addition there are the script, its arguments and its reply.',
    contenders: [
      {
        ...{ name: 'redis GET', from: 'redis' },
        setup: async () => {
          const client = await connect();
          const next = keyInTurn();
          return { inFlight: IN_FLIGHT, run: () => client.get(next()), close: () => client.destroy() };
        },
      },
      {
        ...{ name: 'macadam take, exact', from: '@macadam/ratelimit' },
        setup: async () => {
          const { createRateLimiter, redisStore, tokenBucket } = await import('@macadam/ratelimit');
          const client = await connect();
          const limits = [tokenBucket({ limit: 1_000_000, periodMs: 1_000 })];
          const store = redisStore(client, { timeoutMs: 5_000 });
          const limiter = createRateLimiter({ name: 'limits', limits, store, onStoreFailure: 'closed' });
          const close = async (): Promise<void> => {
            await limiter.close();
            client.destroy();
          };
          const next = keyInTurn();
          return { inFlight: IN_FLIGHT, run: () => limiter.take(next()), close };
        },
      },
    ],
  },
];

function cases(): Case[] {
  const map = new Map([['key', { value: 1, freshUntil: Infinity }]]);
  const buckets = new Map([['key', 0]]);
  const roles = new Map([['order:read', new Set(['reader'])]]);
  return [
    {
      name: 'a value in memory',
      what: 'The floor is one lookup in a Map. In addition, peek updates the order of use and compares the expiry with the clock; getOrLoad adds the promise that its caller awaits.',
      contenders: [
        floor('Map.get', () => map.get('key')?.value),
        {
          ...{ name: 'lru-cache get', from: 'lru-cache' },
          setup: async () => {
            const { LRUCache } = await import('lru-cache');
            const cache = new LRUCache<string, { value: number }>({ max: 10_000 });
            cache.set('key', { value: 1 });
            return { run: () => cache.get('key')?.value };
          },
        },
        macadam('macadam peek', '@macadam/cache', async () => {
          const { createCache } = await import('@macadam/cache');
          const cache = createCache<number>({ name: 'limits' });
          await cache.set('key', 1);
          return () => cache.peek('key');
        }),
        macadam('macadam getOrLoad', '@macadam/cache', async () => {
          const { createCache } = await import('@macadam/cache');
          const cache = createCache<number>({ name: 'limits' });
          await cache.set('key', 1);
          return () => cache.getOrLoad('key', work);
        }),
      ],
    },
    {
      name: 'a decision in memory',
      what: 'The floor is a clock reading, a lookup and the arithmetic of GCRA. In addition, tryTake validates its arguments, bounds the number of keys and returns a complete decision.',
      contenders: [
        floor('GCRA by hand', () => {
          const now = performance.now();
          const at = Math.max(buckets.get('key') ?? 0, now) + 0.001;
          if (at - now > 1_000) return false;
          buckets.set('key', at);
          return true;
        }),
        macadam('macadam tryTake', '@macadam/ratelimit', async () => {
          const { createRateLimiter, tokenBucket } = await import('@macadam/ratelimit');
          const limits = [tokenBucket({ limit: 60, periodMs: 3_600_000, burst: 100_000_000 })];
          const limiter = createRateLimiter({ name: 'limits', limits });
          return () => limiter.tryTake('key');
        }),
      ],
    },
    {
      name: 'a guarded call',
      what: 'The floor is awaiting an async function. In addition, the pipeline has five layers: bulkhead, timeout, retry, circuit breaker and attempt timeout.',
      contenders: [
        floor('async function', work),
        macadam('macadam standardPipeline', '@macadam/resilience', async () => {
          const { standardPipeline } = await import('@macadam/resilience');
          const guarded = standardPipeline({ name: 'limits', timeoutMs: 2_000, attemptTimeoutMs: 500 });
          return () => guarded.execute(work);
        }),
      ],
    },
    {
      name: 'a unit of work',
      what: 'The floor is AsyncLocalStorage.run, which makes the context of the request available to everything called within it.',
      contenders: [
        {
          name: 'AsyncLocalStorage.run',
          setup: async () => {
            const { AsyncLocalStorage } = await import('node:async_hooks');
            const storage = new AsyncLocalStorage();
            return { run: () => storage.run({}, work) };
          },
        },
        macadam('macadam runWork', '@macadam/core', async () => {
          const { runWork } = await import('@macadam/core');
          return () => runWork({ priority: 'high' }, work);
        }),
      ],
    },
    {
      name: 'a log line',
      what: 'The floor is JSON.stringify, which redacts nothing, limits nothing, and throws on a cycle or a BigInt.',
      contenders: [
        floor('JSON.stringify', () =>
          JSON.stringify({ level: 30, time: Date.now(), pid: 1, ...five, msg: 'order placed' }),
        ),
        macadam('macadam info', '@macadam/telemetry', async () => {
          const { createLogger } = await import('@macadam/telemetry');
          const log = createLogger({ destination: nowhere });
          return () => log.info(five, 'order placed');
        }),
      ],
    },
    {
      name: 'a cached token',
      what: 'The floor is hashing the token: the cache is keyed by hashes, because a cache keyed by tokens would be a store of credentials.',
      contenders: [
        {
          name: 'SHA-256 of the token',
          setup: async () => {
            const { hash } = await import('node:crypto');
            const token = await signedToken();
            return { run: () => hash('sha256', token, 'base64') };
          },
        },
        macadam('macadam verify', '@macadam/auth', async () => {
          const { createHmacJwtVerifier } = await import('@macadam/auth');
          const token = await signedToken();
          const verifier = createHmacJwtVerifier({ issuer, audience, algorithm: 'HS256', secrets: [{ secret }] });
          await verifier.verify(token);
          return () => verifier.verify(token);
        }),
      ],
    },
    {
      name: 'a permission',
      what: 'The floor is a lookup of the action and one of the role. In addition, the decision carries an explanation, and rules that might deny are evaluated.',
      contenders: [
        floor('Map and Set', () => roles.get('order:read')?.has('reader')),
        macadam('macadam can', '@macadam/auth', async () => {
          const { definePermissions } = await import('@macadam/auth');
          const rules = [{ id: 'read', actions: ['order:read'], roles: ['reader'] }];
          const can = definePermissions<{ subject: string; roles: string[] }>({ rules });
          const principal = { subject: 'u1', roles: ['reader'] };
          return () => can(principal, 'order:read');
        }),
      ],
    },
    {
      name: 'a call over a socket',
      what: 'The floor is `dispatch` of undici with a handler that concatenates the chunks and parses them.',
      contenders: [bareDispatch(SMALL), macadamGet(SMALL)],
    },
    ...(process.env['REDIS_URL'] === undefined ? [] : overRedis),
  ];
}

const issuer = 'https://id.example.com';
const audience = 'https://orders.example.com';
const secret = Buffer.alloc(32, 7);

async function signedToken(): Promise<string> {
  const { SignJWT } = await import('jose');
  return await new SignJWT({ client_id: 'shop', jti: '1' })
    .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject('u1')
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(secret);
}

export const suite: Suite = {
  name: 'limits',
  what: 'Where the time goes: each operation compared with its floor, the minimum that any implementation has to do.',
  cases: cases(),
};
