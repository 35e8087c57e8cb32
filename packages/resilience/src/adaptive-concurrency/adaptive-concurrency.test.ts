import { TimeoutError } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { adaptiveConcurrency } from './adaptive-concurrency.ts';
import { WindowedLimit } from './windowed-limit.ts';

describe('adaptiveConcurrency', () => {
  it('admits calls up to the limit, and rejects the next', async () => {
    const clock = virtualClock();
    const policy = adaptiveConcurrency({ initial: 5, clock });
    const calls = Array.from({ length: 5 }, () => policy.execute(() => clock.sleep(10)));
    await expect(policy.execute(() => 1)).rejects.toMatchObject({
      code: 'MAC_CONCURRENCY_LIMITED',
      retryable: true,
      limit: 5,
    });
    expect(policy.stats()).toMatchObject({ limit: 5, inFlight: 5 });
    expect(policy).toMatchObject({ hasRoom: false });
    await clock.runUntil(Promise.all(calls));
    expect(policy.stats()).toMatchObject({ inFlight: 0 });
    expect(policy).toMatchObject({ hasRoom: true });
  });

  it.each(['gradient2', 'aimd'] as const)(
    '%s finds more room while calls are fast, less when they are dropped',
    async (algorithm) => {
      const clock = virtualClock();
      const policy = adaptiveConcurrency({ algorithm, initial: 20, clock });
      const limit = (): number => policy.stats()['limit'] as number;
      const wave = async (fn: () => Promise<unknown>): Promise<void> => {
        await clock.runUntil(Promise.allSettled(Array.from({ length: 20 }, () => policy.execute(fn))));
      };
      for (let i = 0; i < 60; i++) await wave(() => clock.sleep(100));
      const grown = limit();
      expect(grown).toBeGreaterThan(20);
      for (let i = 0; i < 200; i++) {
        await wave(async () => {
          await clock.sleep(100);
          throw new TimeoutError('too slow', 100);
        });
      }
      expect(limit()).toBeLessThan(grown);
      expect(limit()).toBeGreaterThanOrEqual(4);
      clock.assertNoTimers();
    },
  );

  it.each([
    { options: { algorithm: 'vegas' }, path: 'adaptiveConcurrency.algorithm' },
    { options: { initial: 0 }, path: 'adaptiveConcurrency.initial' },
    { options: { min: 0 }, path: 'adaptiveConcurrency.min' },
    { options: { min: 10, max: 5 }, path: 'adaptiveConcurrency.max' },
    { options: { limit: 5 }, path: 'adaptiveConcurrency.limit' },
  ])('rejects $options', ({ options, path }) => {
    expect(() => adaptiveConcurrency(options as never)).toThrow(expect.objectContaining({ path }));
  });
});

describe.each(['gradient2', 'aimd'] as const)('WindowedLimit with %s', (algorithm) => {
  const afterMinute = (callsPerDrop: number): number => {
    const limit = new WindowedLimit({ algorithm, initial: 20, min: 4, max: 200 });
    for (let call = 0; call < 30_000; call++) limit.measure(20, 15, call % callsPerDrop === 0, call * 2);
    return limit.value;
  };

  it('keeps the limit when one call in hundreds times out', () => {
    expect(afterMinute(500)).toBeGreaterThan(25);
    expect(afterMinute(100)).toBeGreaterThan(20);
  });

  it('falls to the minimum when a twentieth of the calls is dropped', () => {
    expect(afterMinute(20)).toBe(4);
    expect(afterMinute(1)).toBe(4);
  });
});
