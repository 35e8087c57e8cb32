// The hot paths: code that runs for every request. Each is counted and has a budget.
import { createSecretKey, createHmac } from 'node:crypto';
import { stubDispatcher } from './stub-dispatcher.ts';

export interface HotPath {
  name: string;
  /** Number of counted operations: enough that the cost of counting does not matter. */
  operations: number;
  setup(): Promise<() => unknown>;
}

const QUICK = 20_000;
const USUAL = 2_000;
const WHOLE = 500;
/** Long, since counting takes minutes on a busy machine, and an entry that is about to expire takes another path. */
const LONG_MS = 86_400_000;

const work = async (): Promise<number> => 1;
const nowhere = { write: (line: string): number => line.length };

export const hotPaths: readonly HotPath[] = [
  {
    name: 'core: runWork',
    operations: USUAL,
    setup: async () => {
      const { runWork } = await import('@macadam/core');
      return () => runWork({ priority: 'high' }, work);
    },
  },
  ...(['retry', 'circuitBreaker', 'timeout', 'bulkhead'] as const).map((policy): HotPath => ({
    name: `resilience: ${policy}, success`,
    operations: USUAL,
    setup: async () => {
      const { bulkhead, circuitBreaker, retry, timeout } = await import('@macadam/resilience');
      const policies = { retry, circuitBreaker, timeout: () => timeout({ timeoutMs: 2_000 }), bulkhead };
      const guarded = policies[policy]();
      return () => guarded.execute(work);
    },
  })),
  {
    name: 'resilience: standardPipeline, success',
    operations: USUAL,
    setup: async () => {
      const { standardPipeline } = await import('@macadam/resilience');
      const guarded = standardPipeline({ name: 'db', timeoutMs: 2_000, attemptTimeoutMs: 500 });
      return () => guarded.execute(work);
    },
  },
  {
    name: 'http: get of small JSON, no socket',
    operations: WHOLE,
    setup: async () => {
      const { createHttpClient } = await import('@macadam/http');
      const dispatcher = stubDispatcher('{"id":1,"name":"Lyon","country":"FR"}');
      const client = createHttpClient({ name: 'budget', baseUrl: 'http://127.0.0.1:1', dispatcher });
      return () => client.get('/items/{id}', { params: { id: 1 } });
    },
  },
  {
    name: 'cache: peek, hit',
    operations: QUICK,
    setup: async () => {
      const { createCache } = await import('@macadam/cache');
      const cache = createCache<number>({ name: 'budget', ttlMs: LONG_MS });
      await cache.set('key', 1);
      return () => cache.peek('key');
    },
  },
  {
    name: 'cache: peek, hits of many keys',
    operations: QUICK,
    setup: async () => {
      const { createCache } = await import('@macadam/cache');
      const cache = createCache<number>({ name: 'budget', ttlMs: LONG_MS });
      const keys = Array.from({ length: 1_000 }, (_, i) => `user:${i}`);
      for (const key of keys) await cache.set(key, 1);
      let next = 0;
      return () => cache.peek(keys[(next = (next + 1) % keys.length)] as string);
    },
  },
  {
    name: 'cache: getOrLoad, hit',
    operations: USUAL,
    setup: async () => {
      const { createCache } = await import('@macadam/cache');
      const cache = createCache<number>({ name: 'budget', ttlMs: LONG_MS });
      await cache.set('key', 1);
      return () => cache.getOrLoad('key', work);
    },
  },
  {
    name: 'ratelimit: tryTake, token bucket in memory',
    operations: QUICK,
    setup: async () => {
      const { createRateLimiter, tokenBucket } = await import('@macadam/ratelimit');
      const limits = [tokenBucket({ limit: 60, periodMs: 3_600_000, burst: 100_000_000 })];
      const limiter = createRateLimiter({ name: 'budget', limits });
      return () => limiter.tryTake('key');
    },
  },
  ...(
    [
      ['a line with five fields', { orderId: 17, plan: 'premium', ok: true, region: 'eu-central-1', durationMs: 12.5 }],
      ['a line with a token to redact', { user: 'u-17', authorization: 'Bearer abc.def.ghi', note: 'by card' }],
    ] as const
  ).map(([name, fields]): HotPath => ({
    name: `telemetry: ${name}`,
    operations: USUAL,
    setup: async () => {
      const { createLogger } = await import('@macadam/telemetry');
      const log = createLogger({ destination: nowhere });
      return () => log.info(fields, 'order placed');
    },
  })),
  {
    name: 'telemetry: a line below the level',
    operations: QUICK,
    setup: async () => {
      const { createLogger } = await import('@macadam/telemetry');
      const log = createLogger({ destination: nowhere });
      return () => log.debug('never');
    },
  },
  {
    name: 'telemetry: withCanonicalLine',
    operations: USUAL,
    setup: async () => {
      const { createLogger, withCanonicalLine } = await import('@macadam/telemetry');
      const { currentWork } = await import('@macadam/core');
      const log = createLogger({ destination: nowhere });
      const annotated = async (): Promise<void> => currentWork()?.annotate({ attempts: 1, cacheHits: 2 });
      return () => withCanonicalLine(log, { name: 'orders.place' }, annotated);
    },
  },
  {
    name: 'telemetry: withSpan, no SDK',
    operations: USUAL,
    setup: async () => {
      const { withSpan } = await import('@macadam/telemetry');
      return () => withSpan('orders.place', work);
    },
  },
  {
    name: 'auth: verify of a cached JWT',
    operations: USUAL,
    setup: async () => {
      const { createHmacJwtVerifier } = await import('@macadam/auth');
      const secret = Buffer.alloc(32, 7);
      const [issuer, audience] = ['https://id.example.com', 'https://orders.example.com'];
      const verifier = createHmacJwtVerifier({ issuer, audience, algorithm: 'HS256', secrets: [{ secret }] });
      const token = tokenOf(secret, { iss: issuer, aud: audience, sub: 'u1' });
      await verifier.verify(token);
      return () => verifier.verify(token);
    },
  },
  {
    name: 'auth: permission of 1,000 rules',
    operations: USUAL,
    setup: async () => {
      const { definePermissions } = await import('@macadam/auth');
      const rules = Array.from({ length: 1_000 }, (_, i) => ({
        id: `rule ${i}`,
        actions: [`thing${i}:read`],
        roles: ['reader'],
      }));
      const can = definePermissions<{ subject: string; roles: string[] }>({ rules });
      const principal = { subject: 'u1', roles: ['reader'] };
      return () => can(principal, 'thing500:read');
    },
  },
];

function tokenOf(secret: Uint8Array, claims: object): string {
  const now = Math.floor(Date.now() / 1_000);
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const payload = { ...claims, client_id: 'shop', jti: '1', iat: now, exp: now + 3_600 };
  const input = `${part({ alg: 'HS256', typ: 'at+jwt' })}.${part(payload)}`;
  return `${input}.${createHmac('sha256', createSecretKey(secret)).update(input).digest('base64url')}`;
}
