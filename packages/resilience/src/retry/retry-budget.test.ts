import { virtualClock } from '@macadam/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { retryBudget, unlimitedRetries, type RetryBudget } from './retry-budget.ts';

/** How many retries it grants at once. */
function drain(budget: RetryBudget, now: number): number {
  let granted = 0;
  while (granted < 10_000 && budget.tryRetry(false, now)) granted++;
  return granted;
}

function calls(budget: RetryBudget, count: number, now: number): void {
  for (let i = 0; i < count; i++) budget.callStarted(now);
}

describe('retryBudget, as Finagle documents it: a share of the calls within the ttl, and a floor', () => {
  it.each([
    { ratio: 0.2, minPerSecond: 0, callCount: 100, granted: 20 },
    { ratio: 0.2, minPerSecond: 3, callCount: 100, granted: 50 },
    { ratio: 0.2, minPerSecond: 3, callCount: 0, granted: 30 },
    { ratio: 0.2, minPerSecond: 10, callCount: 0, granted: 100 },
    { ratio: 0.2, minPerSecond: 0, callCount: 4, granted: 0 },
    { ratio: 0.2, minPerSecond: 0, callCount: 5, granted: 1 },
    { ratio: 0.3, minPerSecond: 0, callCount: 10, granted: 3 },
    { ratio: 0.1, minPerSecond: 0, callCount: 1_000, granted: 100 },
    { ratio: 1, minPerSecond: 0, callCount: 7, granted: 7 },
    { ratio: 0, minPerSecond: 3, callCount: 1_000, granted: 30 },
    { ratio: 0, minPerSecond: 0, callCount: 1_000, granted: 0 },
  ])('ratio $ratio, $minPerSecond a second, $callCount calls: $granted retries', (row) => {
    const { ratio, minPerSecond, callCount, granted } = row;
    const budget = retryBudget({ ratio, minPerSecond, clock: virtualClock() });
    calls(budget, callCount, 0);
    expect(budget.stats()).toMatchObject({ balance: granted });
    expect(drain(budget, 0)).toBe(granted);
    expect(budget.stats()).toEqual({ balance: 0, granted, refused: 1 });
  });

  it('deposits and withdrawals expire after ttlMs, in steps', () => {
    const budget = retryBudget({ ratio: 0.2, minPerSecond: 1, ttlMs: 10_000, clock: virtualClock() });
    const steps: readonly [step: number, atMs: number, newCalls: number, granted: number, why: string][] = [
      [1, 0, 0, 10, 'the floor of one a second for ten seconds'],
      [2, 500, 0, 0, 'the floor is spent'],
      [3, 1_000, 50, 10, '20 % of the new calls'],
      [4, 5_000, 5, 1, '20 % again'],
      [5, 9_999, 0, 0, 'nothing has expired'],
      [6, 10_000, 0, 10, 'the retries of step 1 have expired, so the floor is back'],
      [7, 11_000, 0, 0, 'the calls and the retries of step 3 expire together'],
      [8, 3_600_000, 0, 10, 'after an hour only the floor is there, not an hour of it'],
    ];
    for (const [step, atMs, newCalls, granted, why] of steps) {
      calls(budget, newCalls, atMs);
      expect(drain(budget, atMs), `step ${step}: ${why}`).toBe(granted);
    }
  });

  it('aws-sdk-go-v2 #3550, aws-sdk-rust #1234: it refills, however much was spent', () => {
    const budget = retryBudget({ ratio: 0.2, minPerSecond: 0, clock: virtualClock() });
    calls(budget, 10, 0);
    expect(drain(budget, 0)).toBe(2);
    calls(budget, 10, 1);
    expect(drain(budget, 1)).toBe(2);
  });

  it('never grants more than ratio and minPerSecond allow in any ttlMs', () => {
    const step = fc.record({ afterMs: fc.nat({ max: 4_000 }), calls: fc.nat({ max: 30 }), tries: fc.nat({ max: 30 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (plan) => {
        const budget = retryBudget({ ratio: 0.2, minPerSecond: 1, ttlMs: 10_000, clock: virtualClock() });
        const started: number[] = [];
        const granted: number[] = [];
        let now = 0;
        for (const { afterMs, calls: count, tries } of plan) {
          now += afterMs;
          for (let i = 0; i < count; i++) {
            budget.callStarted(now);
            started.push(now);
          }
          for (let i = 0; i < tries; i++) if (budget.tryRetry(false, now)) granted.push(now);
          // A bucket's calls may count for a tenth longer or shorter than the ttl.
          const retries = granted.filter((at) => at > now - 9_000).length;
          const base = started.filter((at) => at > now - 20_000).length;
          expect(retries).toBeLessThanOrEqual(0.2 * base + 10 + 1e-9);
        }
      }),
      { seed: 3, numRuns: 200 },
    );
  });

  it.each([
    { options: { ratio: -0.1 }, path: 'retryBudget.ratio' },
    { options: { ratio: Number.NaN }, path: 'retryBudget.ratio' },
    { options: { minPerSecond: -1 }, path: 'retryBudget.minPerSecond' },
    { options: { ttlMs: 999 }, path: 'retryBudget.ttlMs' },
    { options: { ttlMs: 60_001 }, path: 'retryBudget.ttlMs' },
    { options: { percent: 20 }, path: 'retryBudget.percent' },
  ])('refuses $path', ({ options, path }) => {
    expect(() => retryBudget(options as object)).toThrow(expect.objectContaining({ path }));
  });

  it('describes its options', () => {
    expect(retryBudget().describe()).toBe('retry budget: 20 % of the calls of the last 10000 ms, and 3 a second');
  });
});

describe('unlimitedRetries', () => {
  it('grants everything', () => {
    expect(drain(unlimitedRetries, 0)).toBe(10_000);
    expect(unlimitedRetries.describe()).toBe('no retry budget');
  });
});
