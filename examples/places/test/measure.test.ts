import { describe, expect, test } from 'vitest';
import type { Ending } from '../src/caller.ts';
import { type Call, longestHangMs, percentile, recoveryMs, successRatio, whenCome, whenDone } from '../src/measure.ts';

const call = (atMs: number, waitedMs: number, ending: Ending = 'answered'): Call => ({
  ...{ phase: 'recovery', who: 'everybody', atMs, waitedMs, ending },
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

  test('of nothing is not a number', () => {
    expect(percentile([], 0.5)).toBeNaN();
  });
});

test('success counts answers, and nothing else', () => {
  const calls = [call(0, 1), call(0, 1, 'refused'), call(0, 1, 'broken'), call(0, 1, 'gaveUp')];
  expect(successRatio(calls)).toBe(0.25);
});

test('the longest hang is a wait for nothing: a long wait for an answer is none', () => {
  expect(longestHangMs([call(0, 2_000), call(0, 700, 'refused'), call(0, 30, 'broken')])).toBe(700);
  expect(longestHangMs([call(0, 2_000)])).toBe(0);
});

describe('recovery', () => {
  /** One call each 10 ms from 10 s to 16 s, failing while `fails` says so; the upstream recovers at 10 s. */
  const stream = (fails: (sinceRecoveryMs: number) => boolean): Call[] =>
    Array.from({ length: 600 }, (_, i) => call(10_000 + i * 10, 1, fails(i * 10) ? 'refused' : 'answered'));

  test('is immediate when nothing fails', () => {
    expect(
      recoveryMs(
        stream(() => false),
        10_000,
        whenCome,
      ),
    ).toBe(0);
  });

  test('ignores what came before it', () => {
    const before = Array.from({ length: 50 }, (_, i) => call(9_000 + i, 1, 'broken'));
    expect(recoveryMs([...before, ...stream(() => false)], 10_000, whenCome)).toBe(0);
  });

  test('takes until a window has no more than 5 % of failures', () => {
    // 100 calls a window, so 5 failures are allowed: those of the last 50 ms before 800 ms.
    expect(
      recoveryMs(
        stream((ms) => ms < 800),
        10_000,
        whenCome,
      ),
    ).toBe(800);
  });

  test('is not over while a later window is bad', () => {
    expect(
      recoveryMs(
        stream((ms) => ms >= 3_000 && ms < 3_100),
        10_000,
        whenCome,
      ),
    ).toBe(3_100);
  });

  test('forgives single failures', () => {
    expect(
      recoveryMs(
        stream((ms) => ms % 500 === 0),
        10_000,
        whenCome,
      ),
    ).toBe(0);
  });

  test('lasts, by when callers are done, until the last one left hanging by the outage has given up', () => {
    const hung = Array.from({ length: 100 }, (_, i) => call(8_000 + i * 20, 10_000, 'gaveUp'));
    const calls = [...hung, ...stream(() => false)];
    expect(recoveryMs(calls, 10_000, whenCome)).toBe(0);
    expect(recoveryMs(calls, 10_000, whenDone)).toBe(10_000);
  });
});
