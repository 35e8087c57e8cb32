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

/** Runs the operations as one group. Returns the result or error message of each, by its index. */
function runTogether(
  calls: TierCalls,
  operations: readonly (() => Promise<string>)[],
): { results: string[]; late: string[] } {
  const results: string[] = [];
  const late: string[] = [];
  const all = operations.map((call, i) => ({
    call,
    resolve: (result: string) => (results[i] = result),
    reject: (error: unknown) => (results[i] = (error as Error).message),
    resolveLate: (result: string) => void late.push(result),
  }));
  calls.runTogether(all, 250);
  return { results, late };
}

const succeeding = async (): Promise<string> => 'ok';
const failing = (): Promise<string> => Promise.reject(new Error('failed'));

it('a failing call does not fail the others of its group, nor open the breaker, however often it fails', async () => {
  const { clock, calls } = open();
  for (let i = 0; i < 30; i++) {
    const { results } = runTogether(calls, [failing, succeeding, failing]);
    await clock.advance(0);
    expect(results).toEqual(['failed', 'ok', 'failed']);
  }
  expect(calls.admits).toBe(true);
  expect([calls.calls, calls.errors]).toEqual([90, 60]);
});

it('a group whose calls all fail counts as one failure for the breaker; an open breaker refuses every call', async () => {
  const { clock, calls } = open();
  for (let i = 0; i < 5; i++) {
    expect(calls.admits).toBe(true);
    runTogether(calls, [failing, failing]);
    await clock.advance(0);
  }
  expect(calls.admits).toBe(false);
  runTogether(calls, [succeeding, succeeding, succeeding]);
  await clock.advance(0);
  expect([calls.calls, calls.errors, calls.refused]).toEqual([10, 10, 3]);
});

it('a timeout rejects only the calls that have no result yet; a late result goes to resolveLate', async () => {
  const { clock, calls } = open();
  const slow = async (): Promise<string> => {
    await clock.sleep(400);
    return 'slow';
  };
  const { results, late } = runTogether(calls, [slow, succeeding]);
  await clock.advance(249);
  expect(results).toEqual([undefined, 'ok']);
  await clock.advance(1);
  expect(results[0]).toMatch(/250 ms/);
  await clock.advance(200);
  expect([late, calls.timeouts]).toEqual([['slow'], 1]);
});
