import { runWork } from '@macadam/core';
import { describe, expect, test } from 'vitest';
import { protectedAdmission, unlimitedAdmission, type RateLimitedError } from '../src/admission.ts';

const answer = async () => 'done';

describe('protected admission', () => {
  test('admits a key up to its limit, then rejects it with Retry-After; other keys are not affected', async () => {
    const admission = protectedAdmission();
    const refused: RateLimitedError[] = [];
    for (let i = 0; i < 130; i++)
      await admission.admit('greedy', answer).catch((error: RateLimitedError) => refused.push(error));
    // The burst is 100; some permits are refilled meanwhile.
    expect(refused.length).toBeGreaterThan(0);
    for (const { status, headers } of refused) {
      expect(status).toBe(429);
      expect(Number(Object.entries(headers).find(([name]) => name.toLowerCase() === 'retry-after')?.[1])).toBe(1);
    }
    expect(await admission.admit('modest', answer)).toBe('done');
    await admission.close();
  });

  test('rejects background requests under overload, and admits critical ones', async () => {
    const admission = protectedAdmission();
    const held = Promise.withResolvers<void>();
    const hold = (i: number) => admission.admit(`key-${i}`, () => held.promise);
    const background = Array.from({ length: 200 }, (_, i) => runWork({ priority: 'background' }, () => hold(i)));
    const outcomes = Promise.allSettled(background);
    const critical = runWork({ priority: 'critical' }, () => admission.admit('checkout', answer));
    expect(await critical).toBe('done');
    held.resolve();
    const reasons = (await outcomes).flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    expect(reasons.length).toBeGreaterThan(0);
    for (const reason of reasons) expect(reason).toMatchObject({ code: 'MAC_OVERLOADED', refusalStatus: 503 });
    await admission.close();
  });

  test('rejects with the error of the work', async () => {
    const admission = protectedAdmission();
    await expect(admission.admit('key', () => Promise.reject(new Error('no such table')))).rejects.toThrow(
      'no such table',
    );
    await admission.close();
  });
});

test('unlimited admission admits every request', async () => {
  expect(await Promise.all(Array.from({ length: 500 }, () => unlimitedAdmission.admit('greedy', answer)))).toHaveLength(
    500,
  );
});
