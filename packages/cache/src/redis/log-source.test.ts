import { virtualClock } from '@macadam/testkit';
import { expect, it } from 'vitest';
import type { Redis, RedisConnection } from './client.ts';
import { ChangeFeed } from './change-feed.ts';
import { LogSource } from './log-source.ts';
import { KeyNames } from './key-names.ts';

it('reports a gap and restarts at the end of a log that ends before the last position', async () => {
  const clock = virtualClock();
  const sent: string[] = [];
  let [place, number] = ['2000-7', '5'];
  let breakNow = (): void => {};
  const connection = (): RedisConnection => ({
    driver: 'node-redis',
    cluster: false,
    send: (_key, words) => {
      sent.push(String(words.at(-1)));
      return new Promise(() => {});
    },
    duplicate: connection,
    connect: () => Promise.resolve(),
    on: (event, listener) => {
      if (event === 'close') breakNow = listener;
    },
    subscribe: () => Promise.resolve(),
    unref: () => {},
    close: () => {},
  });
  const send = (): Promise<unknown> => Promise.resolve([Buffer.from(number), Buffer.from(place)]);
  const states: string[] = [];
  const names = new KeyNames('mc', '');
  const feed = new ChangeFeed({ ...connection(), send } satisfies Redis, names, clock, 10, new LogSource());
  const leave = feed.subscribe({
    namespace: 'users',
    keyNames: names,
    onChange: () => {},
    onState: (kind) => states.push(kind),
  });
  await clock.advance(0);
  // Another server, with the same number of changes but a clock that is behind.
  for (const [newPlace, newNumber, from] of [
    ['2000-8', '6', '2000-7'],
    ['2000-6', '5', '2000-6'],
    ['1000-9', '5', '1000-9'],
  ] as const) {
    [place, number] = [newPlace, newNumber];
    breakNow();
    await clock.advance(500);
    expect(sent.at(-1)).toBe(from);
  }
  expect(states).toEqual(['gap', 'gap']);
  leave();
  await clock.advance(5_000);
});
