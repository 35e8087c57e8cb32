import { virtualClock } from '@macadam/testkit';
import { expect, test } from 'vitest';
import { AttemptLog } from '../attempts.ts';
import type { PreparedRequest } from '../request.ts';
import { StoreTimeout } from './store-timeout.ts';

test('counts an abandoned wait by its own duration, whenever the store finishes', async () => {
  const clock = virtualClock();
  const request = { execution: { timeoutMs: 400 } } as PreparedRequest;
  const storeTimeout = new StoreTimeout(request, new AttemptLog(clock.monotonic()), 1_000, clock);
  const in200Ms = clock.sleep(200).then(() => 'found');
  expect(await clock.runUntil(storeTimeout.wait(in200Ms, 0.25))).toBeUndefined();
  expect(clock.monotonic()).toBe(100);
  await clock.runUntil(in200Ms);
  const in50Ms = clock.sleep(50).then(() => 'stored');
  expect(await clock.runUntil(storeTimeout.wait(in50Ms))).toBe('stored');
  clock.assertNoTimers();
});
