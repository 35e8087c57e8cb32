import type { Contender, Suite } from '../src/suite.ts';

type RateLimit = typeof import('@macadam/ratelimit');

const MANY = 100_000;
const IN_FLIGHT = 64;
/**
 * So high that nothing is ever denied, and refilled so slowly that no key is dropped. With a higher limit, one token
 * would be lost in rounding, and a key that has used it would count as unused.
 */
const PLENTY = 100_000_000;
const HOUR_MS = 3_600_000;

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `client-${i}`);

/** Returns all keys in turn. */
function rotation(count: number): () => string {
  const keys = names(count);
  let next = 0;
  return () => {
    next = next + 1 === count ? 0 : next + 1;
    return keys[next] as string;
  };
}

/** A hundred sequential requests: so many that the call of the operation itself does not matter. */
const AT_ONCE = 100;
function inTurn(count: number, decide: (key: string) => unknown): () => void {
  const next = rotation(count);
  return () => {
    for (let i = 0; i < AT_ONCE; i++) decide(next());
  };
}

/** The same for limiters that return a promise. */
function awaited(count: number, decide: (key: string) => Promise<unknown>): () => Promise<void> {
  const next = rotation(count);
  return async () => {
    for (let i = 0; i < AT_ONCE; i++) await decide(next());
  };
}

/** One request, of several that are in flight together. */
function inFlight(count: number, decide: (key: string) => Promise<unknown>): () => Promise<unknown> {
  const next = rotation(count);
  return () => decide(next());
}

const limiterOf = ({ createRateLimiter, memoryStore, tokenBucket }: RateLimit) =>
  createRateLimiter({
    name: 'bench',
    limits: [tokenBucket({ limit: 60, periodMs: HOUR_MS, burst: PLENTY })],
    store: memoryStore({ maxKeys: 2 * MANY }),
  });

const macadam = (name: string, count: number, kind: 'take' | 'tryTake'): Contender => ({
  name,
  from: '@macadam/ratelimit',
  setup: async () => {
    const limiter = limiterOf(await import('@macadam/ratelimit'));
    if (kind === 'take') return { run: awaited(count, (key) => limiter.take(key)) };
    return { run: inTurn(count, (key) => limiter.tryTake(key)) };
  },
});

const flexible = (count: number): Contender => ({
  name: 'rate-limiter-flexible memory',
  from: 'rate-limiter-flexible',
  setup: async () => {
    const { RateLimiterMemory } = await import('rate-limiter-flexible');
    const limiter = new RateLimiterMemory({ points: PLENTY, duration: HOUR_MS / 1_000 });
    return { run: awaited(count, (key) => limiter.consume(key)) };
  },
});

/** This library has no keys: several keys need a Map of limiters, as its users write it. */
const limiterPackage = (count: number): Contender => ({
  name: count === 1 ? 'limiter, no key' : 'limiter, a Map of them',
  from: 'limiter',
  setup: async () => {
    const { RateLimiter } = await import('limiter');
    const make = () => new RateLimiter({ tokensPerInterval: PLENTY, interval: 'hour' });
    const one = make();
    const all = new Map(names(count).map((key) => [key, make()]));
    if (count === 1) return { run: inTurn(1, () => one.tryRemoveTokens(1)) };
    return { run: inTurn(count, (key) => all.get(key)?.tryRemoveTokens(1)) };
  },
});

async function connect(): Promise<ReturnType<(typeof import('redis'))['createClient']>> {
  const { createClient } = await import('redis');
  const client = createClient({ url: process.env['REDIS_URL'] as string });
  await client.connect();
  return client as unknown as ReturnType<(typeof import('redis'))['createClient']>;
}

const shared = (
  name: string,
  lease: { ttlMs: number } | false,
  limit: 'fixedWindow' | 'slidingWindow' | 'tokenBucket' = 'tokenBucket',
): Contender => ({
  name,
  from: '@macadam/ratelimit',
  setup: async () => {
    const { createRateLimiter, redisStore, ...limitKinds } = await import('@macadam/ratelimit');
    const client = await connect();
    const store = redisStore(client, { timeoutMs: 5_000, lease });
    const limits = [limitKinds[limit]({ limit: 1_000_000, periodMs: 1_000 })];
    const limiter = createRateLimiter({ name: 'bench', limits, store, onStoreFailure: 'closed' });
    const close = async (): Promise<void> => {
      await limiter.close();
      client.destroy();
    };
    return { inFlight: IN_FLIGHT, run: inFlight(100, (key) => limiter.take(key)), close };
  },
});

const flexibleShared: Contender = {
  name: 'rate-limiter-flexible Redis',
  from: 'rate-limiter-flexible',
  setup: async () => {
    const { RateLimiterRedis } = await import('rate-limiter-flexible');
    const client = await connect();
    const limiter = new RateLimiterRedis({ storeClient: client, points: PLENTY, duration: 60, useRedisPackage: true });
    return { inFlight: IN_FLIGHT, run: inFlight(100, (key) => limiter.consume(key)), close: () => client.destroy() };
  },
};

const work = async (): Promise<number> => 1;

export const suite: Suite = {
  name: 'ratelimit',
  what: 'The cost of a decision. Macadam uses a token bucket unless its name says otherwise, and returns how long to wait; rate-limiter-flexible counts in fixed windows.',
  cases: [
    {
      name: 'memory, one key',
      what: 'A hundred allowed requests, all from the same caller.',
      contenders: [
        macadam('macadam tryTake', 1, 'tryTake'),
        macadam('macadam take', 1, 'take'),
        flexible(1),
        limiterPackage(1),
      ],
      claims: [
        { of: 'macadam tryTake', to: 'rate-limiter-flexible memory', atMost: 0.5 },
        { of: 'macadam tryTake', to: 'limiter, no key', atMost: 1 },
      ],
    },
    {
      name: 'memory, 100,000 keys',
      what: 'A hundred allowed requests, each from a different caller.',
      contenders: [
        macadam('macadam tryTake', MANY, 'tryTake'),
        macadam('macadam take', MANY, 'take'),
        flexible(MANY),
        limiterPackage(MANY),
      ],
      claims: [
        { of: 'macadam tryTake', to: 'rate-limiter-flexible memory', atMost: 0.5 },
        { of: 'macadam tryTake', to: 'limiter, a Map of them', atMost: 1 },
      ],
    },
    {
      name: 'shaper, no wait',
      what: 'The cost of running a function through a shaper while its rate is not exhausted, so that no call waits.',
      contenders: [
        {
          ...{ name: 'macadam shaper', from: '@macadam/ratelimit' },
          setup: async () => {
            const { createShaper } = await import('@macadam/ratelimit');
            const shaper = createShaper({ ratePerSecond: 1_000_000, burst: 1_000_000 });
            return { run: () => shaper.run(work) };
          },
        },
        {
          ...{ name: 'bottleneck', from: 'bottleneck' },
          setup: async () => {
            const { default: Bottleneck } = await import('bottleneck');
            const bottleneck = new Bottleneck({ reservoir: PLENTY });
            return { run: () => bottleneck.schedule(work) };
          },
        },
      ],
      claims: [{ of: 'macadam shaper', to: 'bottleneck', atMost: 0.5 }],
    },
    // Needs a server: `npm run bench` brings one, or set REDIS_URL.
    ...(process.env['REDIS_URL'] === undefined
      ? []
      : [
          {
            name: 'Redis, 64 in flight',
            what: 'CPU time of this process for a decision in a shared store, with 100 keys.',
            contenders: [
              shared('macadam, exact', false),
              shared('macadam, exact fixed window', false, 'fixedWindow'),
              shared('macadam, exact sliding window', false, 'slidingWindow'),
              shared('macadam, leased', { ttlMs: 100 }),
              flexibleShared,
            ],
            claims: [
              { of: 'macadam, exact', to: 'rate-limiter-flexible Redis', atMost: 1 },
              { of: 'macadam, exact fixed window', to: 'rate-limiter-flexible Redis', atMost: 1 },
              { of: 'macadam, leased', to: 'rate-limiter-flexible Redis', atMost: 0.5 },
            ],
          },
        ]),
  ],
};
