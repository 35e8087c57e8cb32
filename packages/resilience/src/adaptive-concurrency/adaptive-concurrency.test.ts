import { runWork, TimeoutError } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import { describe, expect, it, vi } from 'vitest';
import { circuitBreaker } from '../circuit-breaker/circuit-breaker.ts';
import { pipeline } from '../pipeline.ts';
import { retry } from '../retry/retry.ts';
import { timeout } from '../timeout.ts';
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

  it('a call that cancels its group when it times out frees its place once, and counts once', async () => {
    const clock = virtualClock();
    const limiter = adaptiveConcurrency({ initial: 4, max: 4, clock });
    const breaker = circuitBreaker({ clock });
    const guarded = pipeline(
      timeout({ timeoutMs: 1_000, clock }),
      retry({ clock }),
      breaker,
      limiter,
      timeout({ timeoutMs: 50, clock }),
    );
    for (let i = 0; i < 10; i++) {
      const group = new AbortController();
      const call = guarded.execute(
        ({ signal }) => {
          signal.addEventListener('abort', () => group.abort('one of the group is late'));
          return new Promise<never>(() => {});
        },
        { signal: group.signal },
      );
      await expect(clock.runUntil(call)).rejects.toBe('one of the group is late');
    }
    expect(limiter.stats()).toMatchObject({ inFlight: 0 });
    expect(breaker.stats()).toMatchObject({ successes: 0, failures: 0, neutral: 10 });
  });

  it.each([
    { name: 'in a function that waits', nested: false },
    { name: 'in a function whose own policy fails first', nested: true },
  ])('callers with short deadlines do not lower the limit of a healthy dependency, $name', async ({ nested }) => {
    const clock = virtualClock();
    const isDrop = vi.fn(() => true);
    const limiter = adaptiveConcurrency({ initial: 100, isDrop, clock });
    const guarded = pipeline(
      timeout({ timeoutMs: 10_000, clock }),
      retry({ clock, maxAttempts: 1 }),
      limiter,
      timeout({ timeoutMs: 5_000, clock }),
    );
    const inner = timeout({ timeoutMs: 5_000, clock });
    const work = (): Promise<void> => clock.sleep(45);
    for (let wave = 0; wave < 60; wave++) {
      const calls = Array.from({ length: 20 }, () =>
        nested
          ? runWork({ timeoutMs: 40, clock }, () => limiter.execute(() => inner.execute(work)))
          : guarded.execute(work, { timeoutMs: 40 }),
      );
      await clock.advance(1_100);
      await Promise.allSettled(calls);
    }
    expect(limiter.stats()).toEqual({ limit: 100, inFlight: 0, rejected: 0 });
    expect(isDrop).not.toHaveBeenCalled();
  });

  it('passes on an error that cannot be read', async () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const settled = await adaptiveConcurrency()
      .execute(() => Promise.reject(proxy as Error))
      .then(
        () => undefined,
        (error: unknown) => error === proxy,
      );
    expect(settled).toBe(true);
  });

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
