import { seededRandom, virtualClock } from '@macadam/testkit';
import { expect, it } from 'vitest';
import { memoryTier } from './memory-tier.ts';
import { cacheSettings } from './options.ts';
import { TierCalls } from './tier-calls.ts';

const open = () => {
  const clock = virtualClock();
  const settings = cacheSettings({ name: 'calls', ttlMs: 1_000, clock, random: seededRandom(1) });
  return { clock, calls: new TierCalls(memoryTier(), settings) };
};

/** Makes calls together; how each ended, by its place. */
function together(calls: TierCalls, answers: readonly (() => Promise<string>)[]): { ends: string[]; late: string[] } {
  const ends: string[] = [];
  const late: string[] = [];
  const all = answers.map((call, i) => ({
    call,
    resolve: (answer: string) => (ends[i] = answer),
    reject: (error: unknown) => (ends[i] = (error as Error).message),
    late: (answer: string) => void late.push(answer),
  }));
  calls.runTogether(all, 250);
  return { ends, late };
}

const well = async (): Promise<string> => 'well';
const broken = (): Promise<string> => Promise.reject(new Error('broken'));

it('a call that fails leaves those it was made with, however often', async () => {
  const { clock, calls } = open();
  for (let i = 0; i < 30; i++) {
    const { ends } = together(calls, [broken, well, broken]);
    await clock.advance(0);
    expect(ends).toEqual(['broken', 'well', 'broken']);
  }
  expect(calls.admits).toBe(true);
  expect([calls.calls, calls.errors]).toEqual([90, 60]);
});

it('calls that all fail count as one for the breaker, which refuses all of the next', async () => {
  const { clock, calls } = open();
  for (let i = 0; i < 5; i++) {
    expect(calls.admits).toBe(true);
    together(calls, [broken, broken]);
    await clock.advance(0);
  }
  expect(calls.admits).toBe(false);
  together(calls, [well, well, well]);
  await clock.advance(0);
  expect([calls.calls, calls.errors, calls.refused]).toEqual([10, 10, 3]);
});

it('who is out of time leaves those who were answered, and what comes later is given back', async () => {
  const { clock, calls } = open();
  const slow = async (): Promise<string> => {
    await clock.sleep(400);
    return 'slow';
  };
  const { ends, late } = together(calls, [slow, well]);
  await clock.advance(249);
  expect(ends).toEqual([undefined, 'well']);
  await clock.advance(1);
  expect(ends[0]).toMatch(/250 ms/);
  await clock.advance(200);
  expect([late, calls.timeouts]).toEqual([['slow'], 1]);
});
