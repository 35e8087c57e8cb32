import { ClosedError } from '@macadam/core';
import { seededRandom, virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { tokenBucket } from './algorithms/token-bucket.ts';
import { createRateLimiter } from './create-rate-limiter.ts';
import { CostAboveCapacityError, RateLimitStoreError, OverloadedError, RateLimitedError } from './errors.ts';
import { refusalResponse } from './refusal-response.ts';
import { createLoadShedder } from './shed/create-load-shedder.ts';

const limited = (retryAfterMs: number) =>
  new RateLimitedError('api', { policy: 'minute', limit: 10, remaining: 0, retryAfterMs });
const overloaded = (retryAfterMs: number) =>
  new OverloadedError('full', { reason: 'full', priority: 'low', retryAfterMs });

describe('refusalResponse', () => {
  it('answers a quota with 429 and an overload with 503, never earlier than was decided', () => {
    expect(refusalResponse(limited(1_001))).toEqual({
      status: 429,
      headers: { 'Retry-After': '2' },
      problem: {
        type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
        title: 'Request cannot be satisfied as assigned quota has been exceeded',
        status: 429,
        'violated-policies': ['minute'],
      },
    });
    expect(refusalResponse(overloaded(0))).toMatchObject({ status: 503, headers: { 'Retry-After': '1' } });
    expect(refusalResponse(new RateLimitStoreError('api', 'is away'))).toMatchObject({ status: 503, headers: {} });
    expect(refusalResponse(new ClosedError('Load shedder "api"'))).toMatchObject({ status: 503, headers: {} });
  });

  it('answers a refused caller with the status that the error names itself', async () => {
    const clock = virtualClock();
    const shedder = createLoadShedder({ maxQueued: 0, concurrency: { initial: 1, min: 1, max: 1 }, clock });
    void shedder.run(() => new Promise(() => {}));
    const limiter = createRateLimiter({ name: 'api', limits: [tokenBucket({ limit: 1, periodMs: 1_000 })], clock });
    limiter.tryTake('a');
    const refused = [shedder.run(() => 0), limiter.wait('a', { maxWaitMs: 0 })];
    for (const call of refused) {
      const error: unknown = await call.catch((one: unknown) => one);
      expect(error).toMatchObject({ refusalStatus: refusalResponse(error)?.status });
    }
  });

  it.each([new Error('no'), undefined, 'MAC_OVERLOADED', new CostAboveCapacityError('api', 2, 1)])(
    'knows no answer to %s',
    (error) => {
      expect(refusalResponse(error)).toBeUndefined();
    },
  );

  it('spreads the return of those who were refused together', async () => {
    const shedder = createLoadShedder({
      maxQueued: 0,
      concurrency: { initial: 1, min: 1, max: 1 },
      retryAfterMs: 10_000,
      clock: virtualClock(),
      random: seededRandom(1),
    });
    void shedder.run(() => new Promise(() => {}));
    const seconds = new Set<string | undefined>();
    for (let i = 0; i < 100; i++) {
      const error = await shedder.run(() => 0).catch((one: unknown) => one);
      seconds.add(refusalResponse(error)?.headers['Retry-After']);
    }
    expect(seconds.size).toBeGreaterThan(8);
  });
});
