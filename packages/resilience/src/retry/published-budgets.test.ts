import { virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { retryQuota } from './retry-quota.ts';
import { retryThrottle } from './retry-throttle.ts';
import { retry } from './retry.ts';

type Status = 200 | 500 | 502;

/** Plays the answers of one call with the largest draws; tells the balance and the wait after each. */
async function play(answers: readonly Status[], capacity: number, maxAttempts = 3) {
  const clock = virtualClock();
  const budget = retryQuota(capacity > 0 ? { capacity } : { capacity: 1 });
  const steps: string[] = [];
  let failedAt = 0;
  const policy = retry({ clock, budget, maxAttempts, random: () => 1 });
  const call = policy.execute(({ attempt }) => {
    if (attempt > 1) steps.push(`${budget.stats()['balance'] as number} ${(clock.monotonic() - failedAt) / 1_000}`);
    const status = answers[attempt - 1];
    failedAt = clock.monotonic();
    if (status !== 200) throw new Error(`${status}`);
    return status;
  });
  const [settled] = await clock.runUntil(Promise.allSettled([call]));
  const end = settled.status === 'fulfilled' ? 'success' : (settled.reason as { reason: string }).reason;
  return [...steps, `${end} ${budget.stats()['balance'] as number}`];
}

describe('retryQuota, the worked examples of the AWS SDKs (quota left, wait in seconds)', () => {
  it.each<{ name: string; answers: Status[]; capacity: number; maxAttempts?: number; steps: string[] }>([
    {
      name: 'eventually succeeds',
      answers: [500, 500, 200],
      capacity: 500,
      steps: ['486 0.05', '472 0.1', 'success 486'],
    },
    {
      name: 'attempts run out',
      answers: [502, 502, 502],
      capacity: 500,
      steps: ['486 0.05', '472 0.1', 'maxAttempts 472'],
    },
    { name: 'tokens for one retry', answers: [500, 500], capacity: 14, steps: ['0 0.05', 'budget 0'] },
    { name: 'no tokens', answers: [500], capacity: 1, steps: ['budget 1'] },
    {
      name: 'five attempts',
      answers: [500, 500, 500, 500, 500],
      capacity: 500,
      maxAttempts: 5,
      steps: ['486 0.05', '472 0.1', '458 0.2', '444 0.4', 'maxAttempts 444'],
    },
  ])('$name', async ({ answers, capacity, maxAttempts, steps }) => {
    expect(await play(answers, capacity, maxAttempts)).toEqual(steps);
  });

  it('a throttled retry costs 5 and returns 5; a success at the first attempt earns 1, up to the capacity', () => {
    const quota = retryQuota();
    quota.callSucceeded(0, false);
    expect(quota.stats()).toMatchObject({ balance: 500 });
    expect(quota.tryRetry(true, 0)).toBe(true);
    expect(quota.stats()).toMatchObject({ balance: 495 });
    quota.callSucceeded(0, false);
    expect(quota.stats()).toMatchObject({ balance: 496 });
    quota.callSucceeded(1, true);
    expect(quota.stats()).toMatchObject({ balance: 500 });
  });

  it('grants 500 / 14 = 35 retries when nothing succeeds', () => {
    const quota = retryQuota();
    let granted = 0;
    while (granted < 1_000 && quota.tryRetry(false, granted * 3_600_000)) granted++;
    expect(granted).toBe(35);
  });
});

describe('retryThrottle, as in gRPC proposal A6', () => {
  it('allows retries only above half of the tokens; a failure takes one, a success earns the ratio', () => {
    const throttle = retryThrottle({ maxTokens: 10, tokenRatio: 0.5 });
    const may = (): boolean => throttle.tryRetry(false, 0);
    const steps: readonly [step: number, event: 'fail' | 'succeed', times: number, allowed: boolean][] = [
      [1, 'fail', 4, true],
      [2, 'fail', 1, false],
      [3, 'succeed', 1, true],
      [4, 'fail', 1, false],
      [5, 'fail', 100, false],
      [6, 'succeed', 10, false],
      [7, 'succeed', 1, true],
      [8, 'succeed', 1_000, true],
      [9, 'fail', 4, true],
      [10, 'fail', 1, false],
    ];
    for (const [step, event, times, allowed] of steps) {
      for (let i = 0; i < times; i++) {
        if (event === 'fail') throttle.attemptFailed();
        else throttle.callSucceeded(0, false);
      }
      expect(may(), `step ${step}`).toBe(allowed);
    }
  });

  it('keeps three decimals of tokenRatio', () => {
    const throttle = retryThrottle({ maxTokens: 1, tokenRatio: 0.1239 });
    throttle.attemptFailed();
    for (let i = 0; i < 4; i++) throttle.callSucceeded(0, false);
    expect(throttle.tryRetry(false, 0)).toBe(false);
    throttle.callSucceeded(0, false);
    expect(throttle.tryRetry(false, 0)).toBe(true);
  });
});
