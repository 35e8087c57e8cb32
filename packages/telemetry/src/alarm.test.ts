import { virtualClock } from '@macadam/testkit';
import { expect, it } from 'vitest';
import { Alarm } from './alarm.ts';

it('warns once per problem, and at most every ten minutes about one that is cleared and raised again', async () => {
  const clock = virtualClock();
  const warnings: string[] = [];
  const alarm = new Alarm((message) => warnings.push(message), clock);
  const raise = (problem: string): void => alarm.raise(problem, `${problem} at ${clock.monotonic() / 60_000}`);
  raise('a');
  raise('a');
  raise('b');
  alarm.clear();
  raise('a');
  expect(warnings).toEqual(['a at 0', 'b at 0']);
  for (let minute = 1; minute <= 25; minute++) {
    await clock.advance(60_000);
    alarm.clear();
    raise('a');
  }
  expect(warnings.slice(2)).toEqual(['a at 10', 'a at 20']);
  for (let i = 0; i < 1_000; i++) raise(`other ${i}`);
  expect(warnings).toHaveLength(1_004);
});
