import { currentWork, runWork } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { tokenBucket } from './algorithms/token-bucket.ts';
import { createRateLimiter } from './create-rate-limiter.ts';
import { createLoadShedder } from './shed/create-load-shedder.ts';

const limits = [tokenBucket({ limit: 2, periodMs: 1_000, name: 'second' })];

describe('annotations of the unit of work', () => {
  it('have the last decision, but keep a denial', async () => {
    const clock = virtualClock();
    const limiter = createRateLimiter({ name: 'api', limits, clock });
    const told = (rateLimitOutcome: string, rateLimitRemaining: number) => ({
      rateLimiter: 'api',
      rateLimitPolicy: 'second',
      rateLimitRemaining,
      rateLimitOutcome,
    });
    await runWork({ clock }, async () => {
      await limiter.take('ann');
      expect(currentWork()?.annotations).toEqual(told('allowed', 1));
      await limiter.take('ann');
      limiter.tryTake('ann');
      expect(currentWork()?.annotations).toEqual(told('denied', 0));
      await limiter.take('bob');
      expect(currentWork()?.annotations).toEqual(told('denied', 0));
    });
  });

  it('mark decisions in shadow mode', async () => {
    const limiter = createRateLimiter({ name: 'api', limits, shadow: true, clock: virtualClock() });
    const annotations = runWork({}, () => {
      for (let i = 0; i < 3; i++) limiter.tryTake('ann');
      return currentWork()?.annotations;
    });
    expect(annotations).toMatchObject({ rateLimitOutcome: 'shadowed', rateLimitRemaining: 0 });
  });

  it('have the outcome and the queueing time of a load shedder', async () => {
    const clock = virtualClock();
    const shedder = createLoadShedder({ concurrency: { initial: 1, min: 1, max: 1 }, maxQueued: 2, clock });
    const work = (priority: 'background' | 'normal'): Promise<unknown> =>
      runWork({ clock, priority }, async () => {
        await shedder.run(() => clock.sleep(30)).catch(() => {});
        return currentWork()?.annotations;
      });
    const works = [work('normal'), work('normal'), work('normal'), work('background')];
    expect(await clock.runUntil(Promise.all(works))).toEqual([
      { shedOutcome: 'served', shedQueueMs: 0 },
      { shedOutcome: 'served', shedQueueMs: 30 },
      { shedOutcome: 'tooLong', shedQueueMs: 50 },
      { shedOutcome: 'full', shedQueueMs: 0 },
    ]);
  });
});
