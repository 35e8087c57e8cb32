import { describe, expect, test } from 'vitest';
import type { Outcome } from '../src/caller.ts';
import { type Call, longestHangMs, percentile, recoveryMs, successRatio, arrivalOf, endOf } from '../src/statistics.ts';

const call = (atMs: number, waitedMs: number, outcome: Outcome = 'succeeded'): Call => ({
  ...{ phase: 'recovery', group: 'everybody', atMs, waitedMs, outcome },
});

describe('percentile, nearest rank', () => {
  const tens = [100, 90, 80, 70, 60, 50, 40, 30, 20, 10];
  test.each([
    [0, 10],
    [0.1, 10],
    [0.5, 50],
    [0.51, 60],
    [0.99, 100],
    [1, 100],
  ])('of share %d', (share, expected) => {
    expect(percentile(tens, share)).toBe(expected);
  });

  test('of no values is NaN', () => {
    expect(percentile([], 0.5)).toBeNaN();
  });
});

test('successRatio counts only calls that succeeded', () => {
  const calls = [call(0, 1), call(0, 1, 'failed'), call(0, 1, 'connectionError'), call(0, 1, 'abandoned')];
  expect(successRatio(calls)).toBe(0.25);
});

test('longestHangMs ignores long waits of calls that succeeded', () => {
  expect(longestHangMs([call(0, 2_000), call(0, 700, 'failed'), call(0, 30, 'connectionError')])).toBe(700);
  expect(longestHangMs([call(0, 2_000)])).toBe(0);
});

describe('recovery', () => {
  /** One call each 10 ms from 10 s to 16 s, failing while `fails` says so; the upstream recovers at 10 s. */
  const stream = (fails: (sinceRecoveryMs: number) => boolean): Call[] =>
    Array.from({ length: 600 }, (_, i) => call(10_000 + i * 10, 1, fails(i * 10) ? 'failed' : 'succeeded'));

  test('is 0 when nothing fails', () => {
    expect(
      recoveryMs(
        stream(() => false),
        10_000,
        arrivalOf,
      ),
    ).toBe(0);
  });

  test('ignores calls before the recovery', () => {
    const before = Array.from({ length: 50 }, (_, i) => call(9_000 + i, 1, 'connectionError'));
    expect(recoveryMs([...before, ...stream(() => false)], 10_000, arrivalOf)).toBe(0);
  });

  test('lasts until a window has at most 5 % of failures', () => {
    // 100 calls a window, so 5 failures are allowed: those of the last 50 ms before 800 ms.
    expect(
      recoveryMs(
        stream((ms) => ms < 800),
        10_000,
        arrivalOf,
      ),
    ).toBe(800);
  });

  test('lasts until no later window has more failures', () => {
    expect(
      recoveryMs(
        stream((ms) => ms >= 3_000 && ms < 3_100),
        10_000,
        arrivalOf,
      ),
    ).toBe(3_100);
  });

  test('ignores single failures', () => {
    expect(
      recoveryMs(
        stream((ms) => ms % 500 === 0),
        10_000,
        arrivalOf,
      ),
    ).toBe(0);
  });

  test('lasts until the last call that hangs since the outage has ended, when calls count by their end', () => {
    const hung = Array.from({ length: 100 }, (_, i) => call(8_000 + i * 20, 10_000, 'abandoned'));
    const calls = [...hung, ...stream(() => false)];
    expect(recoveryMs(calls, 10_000, arrivalOf)).toBe(0);
    expect(recoveryMs(calls, 10_000, endOf)).toBe(10_000);
  });
});
