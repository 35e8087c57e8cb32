import { virtualClock } from '@macadam/testkit';
import { expect, it } from 'vitest';
import type { Redis } from './client.ts';
import { ChangeFeed, type ChangeSource } from './change-feed.ts';
import { KeyNames } from './key-names.ts';

it('reconnects with backoff, at least every 500 ms, and stops when the last subscriber leaves', async () => {
  const clock = virtualClock();
  const attempts: number[] = [];
  const source: ChangeSource = {
    follow: () => {
      attempts.push(clock.monotonic());
      return Promise.reject(new Error('down'));
    },
    stop: () => {},
  };
  const names = new KeyNames('mc', '');
  const feed = new ChangeFeed({} as Redis, names, clock, 0, source);
  const unsubscribe = feed.subscribe({ namespace: 'users', keyNames: names, onChange: () => {}, onState: () => {} });
  await clock.advance(60_000);
  const pauses = attempts.slice(1).map((at, i) => at - (attempts[i] as number));
  expect(pauses.slice(0, 5)).toEqual([50, 100, 200, 400, 500]);
  expect(Math.max(...pauses)).toBe(500);
  const { length } = attempts;
  unsubscribe();
  await clock.advance(60_000);
  expect(attempts).toHaveLength(length);
  clock.assertNoTimers();
});
