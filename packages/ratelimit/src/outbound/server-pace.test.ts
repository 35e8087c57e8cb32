import { describe, expect, it } from 'vitest';
import { ServerPace } from './server-pace.ts';

const minute = (remaining: number, resetAfterMs: number, more = {}) => [
  { name: 'minute', remaining, resetAfterMs, ...more },
];

/** When each of `count` requests goes, each as soon as it may. */
function sends(pace: ServerPace, from: number, count: number): number[] {
  let now = from;
  return Array.from({ length: count }, () => {
    now = Math.max(now, pace.hold(now)?.until ?? now);
    pace.sent(now);
    return now;
  });
}

describe('ServerPace', () => {
  it('holds nothing back before the server has said anything', () => {
    expect(sends(new ServerPace(), 0, 100)).toEqual(Array(100).fill(0));
  });

  it('lets requests go as they come while more than half is left, and spreads the rest over the time', () => {
    const pace = new ServerPace();
    pace.sent(0);
    pace.learn(minute(8, 10_000, { limit: 10 }), 0, 0);
    const at = sends(pace, 0, 10);
    expect(at.slice(0, 3)).toEqual([0, 0, 0]);
    const gaps = at.slice(3, 8).map((one, i) => Math.round(one - (at[i + 2] as number)));
    expect(gaps).toEqual([1_667, 1_667, 1_667, 1_667, 1_667]);
    // Nothing is left then until there is more.
    expect(at.slice(8)).toEqual([10_000, 10_000]);
  });

  it('takes what is on its way for spent', () => {
    const pace = new ServerPace();
    pace.sent(0);
    pace.learn(minute(3, 1_000, { limit: 100 }), 3, 0);
    expect(pace.hold(0)).toEqual({ policy: 'minute', limit: 100, remaining: 0, until: 1_000 });
  });

  it('learns how large a limit is from the most that was left', () => {
    const pace = new ServerPace();
    pace.sent(0);
    pace.learn(minute(99, 60_000), 0, 0);
    pace.learn(minute(60, 30_000), 0, 0);
    expect(pace.hold(0)).toBeUndefined();
    pace.learn(minute(40, 30_000), 0, 0);
    expect(pace.hold(0)?.limit).toBe(100);
  });

  it('keeps to the tightest of several limits', () => {
    const pace = new ServerPace();
    pace.sent(0);
    pace.learn(
      [
        { name: 'second', remaining: 0, resetAfterMs: 1_000, limit: 10 },
        { name: 'day', remaining: 0, resetAfterMs: 9_000, limit: 100 },
      ],
      0,
      0,
    );
    expect(pace.hold(0)).toMatchObject({ policy: 'day', until: 9_000 });
  });

  it.each([
    ['a limit on bytes', { remaining: 0, resetAfterMs: 5_000, unit: 'content-bytes' }],
    ['a limit on requests at a time', { remaining: 0, resetAfterMs: 5_000, unit: 'concurrent-requests' }],
    ['a limit that does not say until when', { remaining: 0 }],
    ['a limit that is over', { remaining: 0, resetAfterMs: 0 }],
  ])('is not held by %s', (_what, said) => {
    const pace = new ServerPace();
    pace.sent(0);
    pace.learn([{ name: 'one', ...said }], 0, 0);
    expect(pace.hold(0)).toBeUndefined();
  });
});
