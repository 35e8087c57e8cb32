import type { Operation } from '../operation.ts';

const answer = async (): Promise<number> => 1;

export const resilience: Record<string, Operation> = {
  'macadam standardPipeline': {
    count: 2_500_000,
    make: async () => {
      const { standardPipeline } = await import('@macadam/resilience');
      const db = standardPipeline({ name: 'db', timeoutMs: 2_000, attemptTimeoutMs: 500 });
      return async (count) => {
        let last: unknown;
        for (let i = 0; i < count; i++) last = await db.execute(answer);
        return last;
      };
    },
  },
  'cockatiel wrap(retry, breaker, timeout)': {
    count: 200_000,
    make: async () => {
      const c = await import('cockatiel');
      const retry = c.retry(c.handleAll, { maxAttempts: 3 });
      const breaker = c.circuitBreaker(c.handleAll, { halfOpenAfter: 5_000, breaker: new c.ConsecutiveBreaker(5) });
      const db = c.wrap(retry, breaker, c.timeout(500, c.TimeoutStrategy.Cooperative));
      return async (count) => {
        let last: unknown;
        for (let i = 0; i < count; i++) last = await db.execute(answer);
        return last;
      };
    },
  },
};
