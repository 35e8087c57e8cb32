import { virtualClock } from '@macadam/testkit';
import { expect, test } from 'vitest';
import { createHttpClient } from '../src/index.ts';
import { scriptedDispatcher } from './scripted-dispatcher.ts';

test('the wait for the first endpoint list counts towards the timeout of a call once, not twice', async () => {
  const clock = virtualClock();
  const dispatcher = scriptedDispatcher({ status: 200 });
  const endpoints = () => clock.sleep(600).then(() => [{ url: 'http://orders.internal' }]);
  await using client = createHttpClient({ name: 'orders', endpoints, peer: 'internal', dispatcher, clock });
  await clock.runUntil(client.get('/a', { timeoutMs: 1_000 }));
  expect(Object.values(dispatcher.headersOf(0))).toContain('400');
});
