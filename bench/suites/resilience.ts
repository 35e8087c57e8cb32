import type { Contender, Suite } from '../src/suite.ts';

const work = async (): Promise<number> => 1;
const fail = async (): Promise<never> => {
  throw new Error('down');
};

const bare: Contender = { name: 'no policy', setup: async () => ({ run: work }) };

const macadam = (name: string, setup: (m: typeof import('@macadam/resilience')) => () => unknown): Contender => ({
  name,
  from: '@macadam/resilience',
  setup: async () => ({ run: setup(await import('@macadam/resilience')) }),
});

const cockatiel = (name: string, setup: (c: typeof import('cockatiel')) => () => unknown): Contender => ({
  name,
  from: 'cockatiel',
  setup: async () => ({ run: setup(await import('cockatiel')) }),
});

const opossum = (name: string, options: object, fn: () => Promise<unknown>, open = false): Contender => ({
  name,
  from: 'opossum',
  setup: async () => {
    const { default: CircuitBreaker } = await import('opossum');
    const breaker = new CircuitBreaker(fn, options);
    if (open) await breaker.fire().catch(() => {});
    if (breaker.opened !== open) throw new Error(`opossum should be ${open ? 'open' : 'closed'}`);
    return { run: open ? () => breaker.fire().catch(() => {}) : () => breaker.fire(), close: () => breaker.shutdown() };
  },
});

export const suite: Suite = {
  name: 'resilience',
  what: 'The cost that a policy adds to a successful call, and the cost of a rejected call. The guarded function does nothing.',
  cases: [
    {
      name: 'five layers, success',
      what: 'Bulkhead, timeout, retry, circuit breaker and attempt timeout around a successful call. Peers use those of these policies that they have.',
      contenders: [
        bare,
        macadam('macadam standardPipeline', ({ standardPipeline }) => {
          const guarded = standardPipeline({ name: 'db', timeoutMs: 2_000, attemptTimeoutMs: 500 });
          return () => guarded.execute(work);
        }),
        cockatiel('cockatiel wrap(retry, breaker, timeout)', (c) => {
          const guarded = c.wrap(
            c.retry(c.handleAll, { maxAttempts: 3 }),
            c.circuitBreaker(c.handleAll, { halfOpenAfter: 5_000, breaker: new c.ConsecutiveBreaker(5) }),
            c.timeout(500, c.TimeoutStrategy.Cooperative),
          );
          return () => guarded.execute(work);
        }),
        cockatiel('cockatiel circuitBreaker alone', (c) => {
          const breaker = c.circuitBreaker(c.handleAll, { halfOpenAfter: 5_000, breaker: new c.ConsecutiveBreaker(5) });
          return () => breaker.execute(work);
        }),
        opossum('opossum with timeout', { timeout: 500 }, work),
        {
          name: 'effect retry + timeout',
          from: 'effect',
          setup: async () => {
            const { Effect, Schedule } = await import('effect');
            const guarded = Effect.tryPromise(work).pipe(
              Effect.timeout('500 millis'),
              Effect.retry({ schedule: Schedule.exponential('50 millis'), times: 2 }),
            );
            return { run: () => Effect.runPromise(guarded) };
          },
        },
      ],
      claims: [
        { of: 'macadam standardPipeline', to: 'cockatiel wrap(retry, breaker, timeout)', atMost: 0.1 },
        { of: 'macadam standardPipeline', to: 'cockatiel circuitBreaker alone', atMost: 4 },
      ],
    },
    {
      name: 'retry, success',
      what: 'A retry around a call that succeeds on the first attempt.',
      contenders: [
        bare,
        macadam('macadam retry', ({ retry }) => {
          const guarded = retry();
          return () => guarded.execute(work);
        }),
        cockatiel('cockatiel retry', (c) => {
          const guarded = c.retry(c.handleAll, { maxAttempts: 3 });
          return () => guarded.execute(work);
        }),
        {
          name: 'p-retry',
          from: 'p-retry',
          setup: async () => {
            const { default: pRetry } = await import('p-retry');
            return { run: () => pRetry(work, { retries: 2 }) };
          },
        },
      ],
    },
    {
      name: 'circuit breaker, closed',
      what: 'A circuit breaker with a failure-rate window around a successful call.',
      contenders: [
        bare,
        macadam('macadam circuitBreaker', ({ circuitBreaker, failureRate }) => {
          const breaker = circuitBreaker({ trip: [failureRate()] });
          return () => breaker.execute(work);
        }),
        cockatiel('cockatiel circuitBreaker', (c) => {
          const window = new c.SamplingBreaker({ threshold: 0.5, duration: 30_000 });
          const breaker = c.circuitBreaker(c.handleAll, { halfOpenAfter: 5_000, breaker: window });
          return () => breaker.execute(work);
        }),
        opossum('opossum', { timeout: false }, work),
      ],
    },
    {
      name: 'circuit breaker, open',
      what: 'The cost of a rejected call, including catching the error.',
      contenders: [
        macadam('macadam circuitBreaker', ({ circuitBreaker }) => {
          const breaker = circuitBreaker();
          breaker.isolate();
          return () => breaker.execute(work).catch(() => {});
        }),
        cockatiel('cockatiel circuitBreaker', (c) => {
          const breaker = c.circuitBreaker(c.handleAll, { halfOpenAfter: 5_000, breaker: new c.ConsecutiveBreaker(5) });
          breaker.isolate();
          return () => breaker.execute(work).catch(() => {});
        }),
        opossum('opossum', { timeout: false, resetTimeout: 1e9, errorThresholdPercentage: 1 }, fail, true),
      ],
      claims: [{ of: 'macadam circuitBreaker', to: 'opossum', atMost: 0.2 }],
    },
    {
      name: 'timeout, success',
      what: 'A timeout around a call that completes in time.',
      contenders: [
        bare,
        macadam('macadam timeout', ({ timeout }) => {
          const guarded = timeout({ timeoutMs: 1_000 });
          return () => guarded.execute(work);
        }),
        cockatiel('cockatiel timeout', (c) => {
          const guarded = c.timeout(1_000, c.TimeoutStrategy.Cooperative);
          return () => guarded.execute(work);
        }),
        {
          name: 'AbortSignal.timeout',
          setup: async () => ({
            run: () =>
              new Promise((resolve, reject) => {
                const signal = AbortSignal.timeout(1_000);
                signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
                void work().then(resolve, reject);
              }),
          }),
        },
      ],
    },
    {
      name: 'bulkhead, success',
      what: 'A concurrency limit around a call that gets a slot at once.',
      contenders: [
        bare,
        macadam('macadam bulkhead', ({ bulkhead }) => {
          const guarded = bulkhead({ maxConcurrent: 10, maxQueued: 10 });
          return () => guarded.execute(work);
        }),
        cockatiel('cockatiel bulkhead', (c) => {
          const guarded = c.bulkhead(10, 10);
          return () => guarded.execute(work);
        }),
      ],
    },
  ],
};
