import { currentWork } from '@macadam/core';
import { createLogger } from '@macadam/telemetry';
import { expect, test } from 'vitest';
import { protectedAdmission } from '../src/admission.ts';
import { withRequestContext } from '../src/request-context.ts';

const lines: string[] = [];
const log = createLogger({ destination: { write: (line) => void lines.push(line) } });

async function remainingMsWith(timeout: string | undefined): Promise<number | undefined> {
  const headers = timeout === undefined ? {} : { 'x-request-timeout-ms': timeout };
  return await withRequestContext(log, '/places/{name}', headers, async () => currentWork()?.deadline?.remainingMs());
}

test('a request has the time limit in the header of its caller; invalid values are ignored', async () => {
  const remainingMs = await remainingMsWith('60000');
  expect(remainingMs).toBeGreaterThan(0);
  expect(remainingMs).toBeLessThanOrEqual(60_000);
  expect(await remainingMsWith('0')).toBeLessThanOrEqual(1);
  for (const invalid of [undefined, '-1', 'Infinity', '1e9', '5, 5', '99999999', 'soon']) {
    expect(await remainingMsWith(invalid)).toBeUndefined();
  }
});

test('a request that admission control rejects is logged as a warning, not as an error', async () => {
  const admission = protectedAdmission();
  const held = Promise.withResolvers<void>();
  const call = (i: number, key = `key-${i}`) =>
    withRequestContext(log, '/places/{name}', {}, () => admission.admit(key, () => held.promise)).catch(() => {});
  const all = Array.from({ length: 200 }, (_, i) => call(i));
  for (let i = 0; i < 400; i++) all.push(call(i, 'greedy'));
  held.resolve();
  await Promise.all(all);
  await admission.close();
  const refused = lines.map((line) => JSON.parse(line) as { outcome: string; level: number; err?: { type: string } });
  const of = (name: string) => refused.filter(({ err }) => err?.type === name);
  for (const name of ['RateLimitedError', 'OverloadedError']) {
    expect(of(name).length).toBeGreaterThan(0);
    for (const line of of(name)) expect(line).toMatchObject({ outcome: 'refused', level: 40 });
  }
});
