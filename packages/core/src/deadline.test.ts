import { virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { deadlineAfter, earliestDeadline } from './deadline.ts';

describe('deadlineAfter', () => {
  it.each([
    { atMs: 0, remainingMs: 100, expired: false },
    { atMs: 99.5, remainingMs: 0.5, expired: false },
    { atMs: 100, remainingMs: 0, expired: true },
    { atMs: 5_000, remainingMs: 0, expired: true },
  ])('at $atMs ms of 100, $remainingMs ms are left', ({ atMs, remainingMs, expired }) => {
    const clock = virtualClock({ startMs: 1_000 });
    const deadline = deadlineAfter(100, clock);
    clock.advanceSync(atMs);
    expect(deadline.remainingMs()).toBe(remainingMs);
    expect(deadline.expired).toBe(expired);
  });

  it('does not move when the wall clock jumps', () => {
    const clock = virtualClock();
    const deadline = deadlineAfter(100, clock);
    clock.jump(-3_600_000);
    expect(deadline.remainingMs()).toBe(100);
    clock.jump(7_200_000);
    expect(deadline.expired).toBe(false);
  });

  it.each([NaN, '100', undefined])('refuses %o: a deadline made of it would never pass', (timeoutMs) => {
    expect(() => deadlineAfter(timeoutMs as number)).toThrow(
      expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path: 'deadlineAfter.timeoutMs' }),
    );
  });

  it.each([
    [0, true],
    [-5, true],
    [Infinity, false],
  ])('takes %d, what is left of a time that may be over', (timeoutMs, expired) => {
    expect(deadlineAfter(timeoutMs).expired).toBe(expired);
  });

  it('takes the system clock by default', () => {
    const left = deadlineAfter(60_000).remainingMs();
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(60_000);
  });
});

describe('earliestDeadline', () => {
  const clock = virtualClock();
  const [soon, late] = [deadlineAfter(10, clock), deadlineAfter(20, clock)];

  it.each([
    { of: 'neither', a: undefined, b: undefined, first: undefined },
    { of: 'the left alone', a: soon, b: undefined, first: soon },
    { of: 'the right alone', a: undefined, b: late, first: late },
    { of: 'the sooner on the left', a: soon, b: late, first: soon },
    { of: 'the sooner on the right', a: late, b: soon, first: soon },
  ])('of $of', ({ a, b, first }) => {
    expect(earliestDeadline(a, b)).toBe(first);
  });
});
