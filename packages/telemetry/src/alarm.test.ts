import { virtualClock } from '@macadam/testkit';
import { expect, it } from 'vitest';
import { Alarm } from './alarm.ts';

it('tells each thing once, again when it was over, and what comes and goes every ten minutes at most', async () => {
  const clock = virtualClock();
  const told: string[] = [];
  const alarm = new Alarm((message) => told.push(message), clock);
  const raise = (what: string): void => alarm.raise(what, `${what} at ${clock.monotonic() / 60_000}`);
  raise('a');
  raise('a');
  raise('b');
  alarm.clear();
  raise('a');
  expect(told).toEqual(['a at 0', 'b at 0']);
  for (let minute = 1; minute <= 25; minute++) {
    await clock.advance(60_000);
    alarm.clear();
    raise('a');
  }
  expect(told.slice(2)).toEqual(['a at 10', 'a at 20']);
  for (let i = 0; i < 1_000; i++) raise(`other ${i}`);
  expect(told).toHaveLength(1_004);
});
