import { expect, test } from 'vitest';
import { operatorOf } from '../src/operate.ts';

test('a synchronous operation is called that often and not awaited', async () => {
  let [calls, turns] = [0, 0];
  const operator = await operatorOf({ run: () => void (calls += 1) });
  expect(calls).toBe(1);
  operator.pace(1_000_000);
  const done = operator.operate(1_000).then(() => void (turns += 1));
  expect(calls).toBe(1_001);
  await done;
  expect(turns).toBe(1);
});

test('an asynchronous operation is awaited before the next one starts', async () => {
  let [inFlight, most, calls] = [0, 0, 0];
  const run = async (): Promise<void> => {
    most = Math.max(most, ++inFlight);
    await Promise.resolve();
    inFlight -= 1;
    calls += 1;
  };
  const operator = await operatorOf({ run });
  await operator.operate(99);
  expect([most, calls]).toEqual([1, 100]);
});

test('the concurrency of the subject is kept, and no more operations start than counted', async () => {
  let [inFlight, most, calls] = [0, 0, 0];
  const run = async (): Promise<void> => {
    most = Math.max(most, ++inFlight);
    calls += 1;
    await new Promise(setImmediate);
    inFlight -= 1;
  };
  const operator = await operatorOf({ run, inFlight: 8 });
  await operator.operate(50);
  expect([most, calls]).toEqual([8, 51]);
});

test('the event loop turns between batches', async () => {
  let turns = 0;
  const operator = await operatorOf({ run: () => 1 });
  operator.pace(50);
  const counting = setInterval(() => {}, 1);
  setImmediate(function again() {
    turns += 1;
    if (counting.hasRef()) setImmediate(again);
  });
  await operator.operate(100);
  clearInterval(counting.unref());
  expect(turns).toBeGreaterThanOrEqual(9);
});

test('a synchronous subject cannot have a concurrency above 1, nor return a promise later', async () => {
  await expect(operatorOf({ run: () => 1, inFlight: 2 })).rejects.toThrow('cannot be in flight');
  let calls = 0;
  const operator = await operatorOf({ run: () => (calls++ === 0 ? 1 : Promise.resolve(1)) });
  await expect(operator.operate(1)).rejects.toThrow('now returns a promise');
});
