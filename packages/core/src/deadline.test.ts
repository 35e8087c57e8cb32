import { virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { deadlineAfter, earliestDeadline } from './deadline.ts';

describe('deadlineAfter', () => {
  it.each([
    { atMs: 0, remainingMs: 100, expired: false },
    { atMs: 99.5, remainingMs: 0.5, expired: false },
    { atMs: 100, remainingMs: 0, expired: true },
    { atMs: 5_000, remainingMs: 0, expired: true },
  ])('of 100 ms, $remainingMs ms are left after $atMs ms', ({ atMs, remainingMs, expired }) => {
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

  it.each([NaN, '100', undefined])('refuses %o, since such a deadline would never pass', (timeoutMs) => {
    expect(() => deadlineAfter(timeoutMs as number)).toThrow(
      expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path: 'deadlineAfter.timeoutMs' }),
    );
  });

  it.each([
    [0, true],
    [-5, true],
    [Infinity, false],
  ])('accepts %d, which can be the rest of a time limit that has passed', (timeoutMs, expired) => {
    expect(deadlineAfter(timeoutMs).expired).toBe(expired);
  });

  it('uses the system clock by default', () => {
    const left = deadlineAfter(60_000).remainingMs();
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(60_000);
  });
});

describe('earliestDeadline', () => {
  const clock = virtualClock();
  const [soon, late] = [deadlineAfter(10, clock), deadlineAfter(20, clock)];

  it.each([
    { of: 'none', a: undefined, b: undefined, first: undefined },
    { of: 'only a first', a: soon, b: undefined, first: soon },
    { of: 'only a second', a: undefined, b: late, first: late },
    { of: 'two, the first earlier', a: soon, b: late, first: soon },
    { of: 'two, the second earlier', a: late, b: soon, first: soon },
  ])('returns the earlier one of $of', ({ a, b, first }) => {
    expect(earliestDeadline(a, b)).toBe(first);
  });
});
