import type { Operation } from '../operation.ts';

const HOUR_MS = 3_600_000;
/** A key of realistic length. Some limiters prefix keys with their name, and short strings have other costs. */
const CALLER = '203.0.113.57';
/** So high that nothing is ever denied. */
const PLENTY = 100_000_000;

export const ratelimit: Record<string, Operation> = {
  'macadam tryTake': {
    count: 15_000_000,
    make: async () => {
      const { createRateLimiter, tokenBucket } = await import('@macadam/ratelimit');
      const limits = [tokenBucket({ limit: 60, periodMs: HOUR_MS, burst: PLENTY })];
      const api = createRateLimiter({ name: 'api', limits });
      return (count) => {
        let last: unknown;
        for (let i = 0; i < count; i++) last = api.tryTake(CALLER);
        return last;
      };
    },
  },
  'rate-limiter-flexible memory': {
    count: 5_000_000,
    make: async () => {
      const { RateLimiterMemory } = await import('rate-limiter-flexible');
      const api = new RateLimiterMemory({ points: PLENTY, duration: 3_600 });
      return async (count) => {
        let last: unknown;
        for (let i = 0; i < count; i++) last = await api.consume(CALLER);
        return last;
      };
    },
  },
};
