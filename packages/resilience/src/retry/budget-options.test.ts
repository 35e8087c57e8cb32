import { describe, expect, it } from 'vitest';
import { concurrentRetryBudget } from './concurrent-retry-budget.ts';
import { retryBudget } from './retry-budget.ts';
import { retryQuota } from './retry-quota.ts';
import { retryThrottle } from './retry-throttle.ts';

const makers = { retryBudget, retryQuota, retryThrottle, concurrentRetryBudget } as const;
type Kind = keyof typeof makers;
const make = (kind: Kind, options: unknown) => makers[kind](options as object);

describe('options of every kind of budget', () => {
  it.each(Object.keys(makers) as Kind[])('%s rejects anything but an object, and unknown options', (kind) => {
    for (const options of [null, 'fast', 7, []]) {
      expect(() => make(kind, options)).toThrow(expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path: kind }));
    }
    expect(() => make(kind, { percent: 20 })).toThrow(expect.objectContaining({ path: `${kind}.percent` }));
  });

  it.each<{ kind: Kind; name: string; good: readonly number[]; bad: readonly number[] }>([
    { kind: 'retryBudget', name: 'ratio', good: [0, 1], bad: [-0.001, 1.1, 20, Number.NaN] },
    { kind: 'retryBudget', name: 'minPerSecond', good: [0, 1e6], bad: [-1, Infinity] },
    { kind: 'retryBudget', name: 'ttlMs', good: [1_000, 60_000], bad: [999, 60_001] },
    { kind: 'retryQuota', name: 'capacity', good: [0.5, 1e6], bad: [0, -1] },
    { kind: 'retryQuota', name: 'cost', good: [0.5, 1e6], bad: [0, -1] },
    { kind: 'retryQuota', name: 'throttledCost', good: [0.5, 1e6], bad: [0, -1] },
    { kind: 'retryQuota', name: 'successCredit', good: [0, 1e6], bad: [-0.5] },
    { kind: 'retryThrottle', name: 'maxTokens', good: [1, 1_000], bad: [0, 1_001, 1.5] },
    { kind: 'retryThrottle', name: 'tokenRatio', good: [0.001, 10], bad: [0.0009, 0] },
    { kind: 'concurrentRetryBudget', name: 'ratio', good: [0, 1], bad: [-0.1, 1.1] },
    { kind: 'concurrentRetryBudget', name: 'minConcurrent', good: [0, 9], bad: [-1, 0.5] },
  ])('$kind.$name: from $good', ({ kind, name, good, bad }) => {
    for (const value of good) expect(() => make(kind, { [name]: value }), `${value}`).not.toThrow();
    for (const value of bad) {
      expect(() => make(kind, { [name]: value }), `${value}`).toThrow(
        expect.objectContaining({ path: `${kind}.${name}` }),
      );
    }
  });
});

describe('stats of every kind of budget', () => {
  it('retryQuota charges a retry, and returns the charge of the last one', () => {
    const quota = retryQuota({ capacity: 20, cost: 8, throttledCost: 3, successCredit: 2 });
    const steps: readonly [step: number, act: () => unknown, balance: number, granted: number, refused: number][] = [
      [1, () => quota.tryRetry(false, 0), 12, 1, 0],
      [2, () => quota.tryRetry(true, 0), 9, 2, 0],
      [3, () => quota.tryRetry(false, 0), 1, 3, 0],
      [4, () => quota.tryRetry(true, 0), 1, 3, 1],
      [5, () => quota.callSucceeded(0, true), 3, 3, 1],
      [6, () => quota.tryRetry(true, 0), 0, 4, 1],
      [7, () => quota.callSucceeded(1, false), 8, 4, 1],
      [8, () => quota.callSucceeded(2, true), 11, 4, 1],
      [9, () => [1, 2, 3].forEach(() => quota.callSucceeded(1, false)), 20, 4, 1],
    ];
    for (const [step, act, balance, granted, refused] of steps) {
      act();
      expect(quota.stats(), `step ${step}`).toEqual({ balance, granted, refused });
    }
  });

  it('retryThrottle reports tokens with three decimals, from 0 to maxTokens', () => {
    const throttle = retryThrottle({ maxTokens: 2, tokenRatio: 0.25 });
    const steps: readonly [step: number, act: () => unknown, balance: number, granted: number, refused: number][] = [
      [1, () => throttle.tryRetry(false, 0), 2, 1, 0],
      [2, () => throttle.attemptFailed(), 1, 1, 0],
      [3, () => throttle.tryRetry(false, 0), 1, 1, 1],
      [4, () => throttle.callSucceeded(0, false), 1.25, 1, 1],
      [5, () => throttle.tryRetry(false, 0), 1.25, 2, 1],
      [6, () => [1, 2].forEach(() => throttle.attemptFailed()), 0, 2, 1],
      [7, () => Array.from({ length: 99 }, () => throttle.callSucceeded(0, false)), 2, 2, 1],
    ];
    for (const [step, act, balance, granted, refused] of steps) {
      act();
      expect(throttle.stats(), `step ${step}`).toEqual({ balance, granted, refused });
    }
  });

  it('concurrentRetryBudget grants a ratio of the calls in flight, and at least minConcurrent', () => {
    const budget = concurrentRetryBudget({ ratio: 0.5, minConcurrent: 1 });
    const retries = (): boolean => budget.tryRetry(false, 0);
    const figures = { balance: 1, calls: 0, retries: 0, granted: 0, refused: 0 };
    expect(budget.stats()).toEqual(figures);
    expect([retries(), retries()], 'the floor').toEqual([true, false]);
    expect(budget.stats()).toEqual({ ...figures, balance: 0, retries: 1, granted: 1, refused: 1 });
    for (let i = 0; i < 5; i++) budget.callStarted(0);
    expect([retries(), retries()], 'half of five, rounded down').toEqual([true, false]);
    expect(budget.stats()).toEqual({ balance: 0, calls: 5, retries: 2, granted: 2, refused: 2 });
    for (let i = 0; i < 4; i++) budget.callEnded();
    expect(budget.stats(), 'more in flight than may be now').toMatchObject({ balance: 0, calls: 1, retries: 2 });
    budget.retryEnded();
    expect(retries()).toBe(false);
    budget.retryEnded();
    expect(budget.stats()).toEqual({ balance: 1, calls: 1, retries: 0, granted: 2, refused: 3 });
    expect(retries()).toBe(true);
  });

  it('the defaults of Envoy: a fifth of the calls in flight, at least three', () => {
    const budget = concurrentRetryBudget();
    for (let i = 0; i < 24; i++) budget.callStarted(0);
    expect(budget.stats()).toMatchObject({ balance: 4 });
    for (let i = 0; i < 20; i++) budget.callEnded();
    expect(budget.stats()).toMatchObject({ balance: 3 });
  });
});
