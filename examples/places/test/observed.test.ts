import { currentWork } from '@macadam/core';
import { createLogger } from '@macadam/telemetry';
import { expect, test } from 'vitest';
import { observed } from '../src/observed.ts';

const log = createLogger({ destination: { write: () => {} } });

async function deadlineOf(left: string | undefined): Promise<number | undefined> {
  const headers = left === undefined ? {} : { 'x-request-timeout-ms': left };
  return await observed(log, '/places/{name}', headers, async () => currentWork()?.deadline?.remainingMs());
}

test("a request has the time that its caller has left, and what anyone may write there is no caller's time", async () => {
  const leftMs = await deadlineOf('60000');
  expect(leftMs).toBeGreaterThan(0);
  expect(leftMs).toBeLessThanOrEqual(60_000);
  expect(await deadlineOf('0')).toBeLessThanOrEqual(1);
  for (const hostile of [undefined, '-1', 'Infinity', '1e9', '5, 5', '99999999', 'soon']) {
    expect(await deadlineOf(hostile)).toBeUndefined();
  }
});
