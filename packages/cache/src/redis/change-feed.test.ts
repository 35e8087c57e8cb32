import { virtualClock } from '@macadam/testkit';
import { expect, it } from 'vitest';
import type { Redis } from './client.ts';
import { ChangeFeed, type ChangeSource } from './change-feed.ts';
import { KeyNames } from './key-names.ts';

it('a server that was away is tried again within half a second, however long it was', async () => {
  const clock = virtualClock();
  const tries: number[] = [];
  const source: ChangeSource = {
    follow: () => {
      tries.push(clock.monotonic());
      return Promise.reject(new Error('down'));
    },
    stop: () => {},
  };
  const names = new KeyNames('mc', '');
  const feed = new ChangeFeed({} as Redis, names, clock, 0, source);
  const leave = feed.subscribe({ namespace: 'users', keyNames: names, onChange: () => {}, onState: () => {} });
  await clock.advance(60_000);
  const pauses = tries.slice(1).map((at, i) => at - (tries[i] as number));
  expect(pauses.slice(0, 5)).toEqual([50, 100, 200, 400, 500]);
  expect(Math.max(...pauses)).toBe(500);
  const { length } = tries;
  leave();
  await clock.advance(60_000);
  expect(tries).toHaveLength(length);
  clock.assertNoTimers();
});
