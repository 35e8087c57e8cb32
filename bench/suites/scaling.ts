import type { Case, Contender, Suite } from '../src/suite.ts';

type Setup = (size: number) => Promise<() => unknown>;

/** One subject at growing sizes. */
function sizes(of: readonly number[], setup: Setup, from?: string): Contender[] {
  return of.map((size) => ({
    name: size.toLocaleString('en'),
    ...(from !== undefined && { from }),
    setup: async () => ({ run: await setup(size) }),
  }));
}

/** Claims, unless `atMost` is undefined, that the largest size costs at most `atMost` times as much as the smallest. */
function curve(
  name: string,
  what: string,
  from: string,
  of: readonly number[],
  atMost: number | undefined,
  setup: Setup,
): Case {
  const contenders = sizes(of, setup, from);
  const [first, last] = [contenders[0]?.name ?? '', contenders.at(-1)?.name ?? ''];
  return { name, what, contenders, curve: true, claims: atMost === undefined ? [] : [{ of: last, to: first, atMost }] };
}

/** Returns every key in turn, in an order that the processor cannot prefetch. */
function keysInTurn(size: number): () => string {
  const keys = Array.from({ length: size }, (_, i) => `key-${i}`);
  // Coprime to every power of ten, so that every key is used.
  const stride = Math.max(1, Math.floor(size * 0.618_034)) | 1;
  let at = 0;
  return () => {
    at = (at + stride) % size;
    return keys[at] as string;
  };
}

const MILLION = 1_000_000;
const KEYS = [10, 1_000, 100_000, MILLION];
const FEW = [1, 10, 100, 1_000];
const work = async (): Promise<number> => 1;

async function peek(size: number): Promise<() => unknown> {
  const { createCache } = await import('@macadam/cache');
  const l1 = { maxEntries: size, maxBytes: 1_073_741_824 };
  const cache = createCache<number>({ name: 'scaling', ttlMs: 86_400_000, l1 });
  const next = keysInTurn(size);
  for (let i = 0; i < size; i++) await cache.set(next(), i);
  return () => cache.peek(next());
}

async function tryTake(size: number): Promise<() => unknown> {
  const { createRateLimiter, memoryStore, tokenBucket } = await import('@macadam/ratelimit');
  const limits = [tokenBucket({ limit: 60, periodMs: 3_600_000, burst: 100_000_000 })];
  const limiter = createRateLimiter({ name: 'scaling', limits, store: memoryStore({ maxKeys: 2 * size }) });
  const next = keysInTurn(size);
  for (let i = 0; i < size; i++) limiter.tryTake(next());
  return () => limiter.tryTake(next());
}

export const suite: Suite = {
  name: 'scaling',
  what: 'The cost of an operation as the number of keys, breakers, rules or calls in flight grows. A flat line is the aim; the remaining slope comes from cache misses of the processor.',
  cases: [
    {
      name: 'a bare Map, keys',
      what: 'A lookup in a plain Map with this many keys. It shows how much of the other slopes is the cost of memory access.',
      curve: true,
      contenders: sizes(KEYS, async (size) => {
        const next = keysInTurn(size);
        const map = new Map(Array.from({ length: size }, (_, i) => [next(), { value: i }]));
        return () => map.get(next());
      }),
    },
    curve('cache peek, keys', 'A hit in memory with this many keys.', '@macadam/cache', KEYS, undefined, peek),
    {
      name: 'a hit among a million keys',
      what: 'At this size, memory access costs more than the work of the cache itself.',
      contenders: [
        { name: 'macadam peek', from: '@macadam/cache', setup: async () => ({ run: await peek(MILLION) }) },
        {
          name: 'lru-cache get',
          from: 'lru-cache',
          setup: async () => {
            const { LRUCache } = await import('lru-cache');
            const cache = new LRUCache<string, { value: number }>({ max: MILLION });
            const next = keysInTurn(MILLION);
            for (let i = 0; i < MILLION; i++) cache.set(next(), { value: i });
            return { run: () => cache.get(next()) };
          },
        },
      ],
      // The same limit as with a thousand keys, in suites/cache.ts.
      claims: [{ of: 'macadam peek', to: 'lru-cache get', atMost: 2 }],
    },
    curve(
      'rate limit, keys',
      'A token bucket in memory, with this many keys.',
      '@macadam/ratelimit',
      KEYS,
      undefined,
      tryTake,
    ),
    {
      name: 'a limit among a million keys',
      what: 'At this size, memory access costs more than the work of the limiter itself. The simplest limiter looks up an entry in a Map, reads the clock and updates the entry.',
      contenders: [
        { name: 'macadam tryTake', from: '@macadam/ratelimit', setup: async () => ({ run: await tryTake(MILLION) }) },
        {
          name: 'a bare Map and a clock',
          setup: async () => {
            // Reading the clock through the global object costs several times as much.
            const { performance } = await import('node:perf_hooks');
            const next = keysInTurn(MILLION);
            const map = new Map(Array.from({ length: MILLION }, () => [next(), { at: 0 }]));
            const run = (): number => ((map.get(next()) as { at: number }).at = performance.now());
            return { run };
          },
        },
      ],
      claims: [{ of: 'macadam tryTake', to: 'a bare Map and a clock', atMost: 2 }],
    },
    curve(
      ...(['circuit breakers', 'A call through one of this many circuit breakers, all of them in use.'] as const),
      ...(['@macadam/resilience', [1, 10, 100, 1_000, 10_000], 4] as const),
      async (size) => {
        const { circuitBreakers } = await import('@macadam/resilience');
        const breakers = circuitBreakers({ maxKeys: size });
        const next = keysInTurn(size);
        return () => breakers.for(next()).execute(work);
      },
    ),
    curve('permission rules', 'One decision with this many rules.', '@macadam/auth', FEW, 2, async (size) => {
      const { definePermissions } = await import('@macadam/auth');
      const rules = Array.from({ length: size }, (_, i) => ({
        ...{ id: `rule ${i}`, actions: [`thing${i}:read`], roles: ['reader'] },
      }));
      const can = definePermissions<{ subject: string; roles: string[] }>({ rules });
      const principal = { subject: 'u1', roles: ['reader'] };
      // Created once, like an action that is a literal in code.
      const action = rules.at(-1)?.actions[0] as string;
      return () => can(principal, action);
    }),
    {
      name: 'calls in flight',
      what: 'A call through the standard pipeline with this many calls in flight.',
      curve: true,
      contenders: [1, 4, 16, 64, 256].map((inFlight): Contender => ({
        name: String(inFlight),
        from: '@macadam/resilience',
        setup: async () => {
          const { standardPipeline } = await import('@macadam/resilience');
          const guarded = standardPipeline({ name: 'scaling', timeoutMs: 2_000, attemptTimeoutMs: 500 });
          const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
          return { inFlight, run: () => guarded.execute(turn) };
        },
      })),
      claims: [{ of: '256', to: '1', atMost: 1 }],
    },
  ],
};
