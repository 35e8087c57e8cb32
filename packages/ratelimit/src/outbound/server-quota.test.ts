import { describe, expect, it } from 'vitest';
import { ServerQuota } from './server-quota.ts';

const minute = (remaining: number, resetAfterMs: number, more = {}) => [
  { name: 'minute', remaining, resetAfterMs, ...more },
];

/** When each of `count` requests goes, each as soon as it may. */
function sends(pace: ServerQuota, from: number, count: number): number[] {
  let now = from;
  return Array.from({ length: count }, () => {
    now = Math.max(now, pace.hold(now)?.until ?? now);
    pace.recordSent(now);
    return now;
  });
}

describe('ServerQuota', () => {
  it('delays nothing before the server has announced a limit', () => {
    expect(sends(new ServerQuota(), 0, 100)).toEqual(Array(100).fill(0));
  });

  it('does not delay requests while more than half is left, and spreads the rest until the reset', () => {
    const pace = new ServerQuota();
    pace.recordSent(0);
    pace.update(minute(9, 10_000, { limit: 10 }), 1, 1, 0);
    const at = sends(pace, 0, 10);
    expect(at.slice(0, 4)).toEqual([0, 0, 0, 0]);
    const gaps = at.slice(4, 9).map((one, i) => Math.round(one - (at[i + 3] as number)));
    expect(gaps).toEqual([1_667, 1_667, 1_667, 1_667, 1_667]);
    // Nothing is left then until there is more.
    expect(at.slice(9)).toEqual([10_000]);
  });

  it('subtracts requests that were sent later, and ignores a response that was overtaken', () => {
    const pace = new ServerQuota();
    pace.recordSent(0);
    pace.update(minute(3, 1_000, { limit: 100 }), 1, 4, 0);
    expect(pace.hold(0)).toEqual({ policy: 'minute', limit: 100, remaining: 0, until: 1_000 });
    pace.update(minute(99, 1_000, { limit: 100 }), 4, 4, 0);
    pace.update(minute(2, 1_000, { limit: 100 }), 3, 4, 0);
    expect(pace.hold(0)).toBeUndefined();
  });

  it('derives the size of a limit from the highest remaining', () => {
    const pace = new ServerQuota();
    pace.recordSent(0);
    pace.update(minute(99, 60_000), 1, 1, 0);
    pace.update(minute(60, 30_000), 1, 1, 0);
    expect(pace.hold(0)).toBeUndefined();
    pace.update(minute(40, 30_000), 1, 1, 0);
    expect(pace.hold(0)?.limit).toBe(100);
  });

  it('follows the tightest of several limits', () => {
    const pace = new ServerQuota();
    pace.recordSent(0);
    pace.update(
      [
        { name: 'second', remaining: 0, resetAfterMs: 1_000, limit: 10 },
        { name: 'day', remaining: 0, resetAfterMs: 9_000, limit: 100 },
      ],
      1,
      1,
      0,
    );
    expect(pace.hold(0)).toMatchObject({ policy: 'day', until: 9_000 });
  });

  it.each([
    ['a limit on bytes', { remaining: 0, resetAfterMs: 5_000, unit: 'content-bytes' }],
    ['a limit on requests at a time', { remaining: 0, resetAfterMs: 5_000, unit: 'concurrent-requests' }],
    ['a limit that does not say until when', { remaining: 0 }],
    ['a limit that is over', { remaining: 0, resetAfterMs: 0 }],
  ])('is not delayed by %s', (_what, said) => {
    const pace = new ServerQuota();
    pace.recordSent(0);
    pace.update([{ name: 'one', ...said }], 1, 1, 0);
    expect(pace.hold(0)).toBeUndefined();
  });
});
