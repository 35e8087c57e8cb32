import { ClosedError } from '@macadam/core';
import { seededRandom, virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { tokenBucket } from './algorithms/token-bucket.ts';
import { createRateLimiter } from './create-rate-limiter.ts';
import { CostAboveCapacityError, RateLimitStoreError, OverloadedError, RateLimitedError } from './errors.ts';
import { createOutboundLimiter } from './outbound/outbound-limiter.ts';
import { refusalResponse } from './refusal-response.ts';
import { createLoadShedder } from './shed/create-load-shedder.ts';

const limited = (retryAfterMs: number) =>
  new RateLimitedError('api', { policy: 'minute', limit: 10, remaining: 0, retryAfterMs }, 429);
const overloaded = (retryAfterMs: number) =>
  new OverloadedError('full', { reason: 'full', priority: 'low', retryAfterMs });

describe('refusalResponse', () => {
  it('is 429 for a used up quota and 503 for an overload, with Retry-After rounded up', () => {
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

  it('is 503 when the quota at a server that is called is used up: the caller has not exceeded any', async () => {
    const pacing = createOutboundLimiter({ clock: virtualClock() });
    const turn = await pacing.acquire('api.example.com');
    turn.settle({ status: 429, headers: { 'retry-after': '20' } });
    const error: unknown = await Promise.resolve(pacing.acquire('api.example.com', { remainingMs: 1_000 })).catch(
      (one: unknown) => one,
    );
    expect(error).toMatchObject({ code: 'MAC_RATE_LIMITED' });
    expect(error).not.toHaveProperty('refusalStatus');
    const response = refusalResponse(error);
    expect(response).toMatchObject({
      status: 503,
      problem: { type: 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity', status: 503 },
    });
    expect(Number(response?.headers['Retry-After'])).toBeGreaterThanOrEqual(20);
    expect(response?.problem).not.toHaveProperty('violated-policies');
  });

  it('has the status that the error of a rejected caller names', async () => {
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
    'is undefined for %s',
    (error) => {
      expect(refusalResponse(error)).toBeUndefined();
    },
  );

  it('has a different Retry-After for each of many rejected together, so that they do not retry together', async () => {
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
