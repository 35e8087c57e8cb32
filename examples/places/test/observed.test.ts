import { currentWork } from '@macadam/core';
import { createLogger } from '@macadam/telemetry';
import { expect, test } from 'vitest';
import { guardedDoor } from '../src/front-door.ts';
import { observed } from '../src/observed.ts';

const lines: string[] = [];
const log = createLogger({ destination: { write: (line) => void lines.push(line) } });

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

test('a request that the door refuses is a warning, and fills no log of errors', async () => {
  const door = guardedDoor();
  const held = Promise.withResolvers<void>();
  const ask = (i: number, key = `key-${i}`) =>
    observed(log, '/places/{name}', {}, () => door.admit(key, () => held.promise)).catch(() => {});
  const all = Array.from({ length: 200 }, (_, i) => ask(i));
  for (let i = 0; i < 400; i++) all.push(ask(i, 'greedy'));
  held.resolve();
  await Promise.all(all);
  await door.close();
  const refused = lines.map((line) => JSON.parse(line) as { outcome: string; level: number; err?: { type: string } });
  const of = (name: string) => refused.filter(({ err }) => err?.type === name);
  for (const name of ['RefusedError', 'OverloadedError']) {
    expect(of(name).length).toBeGreaterThan(0);
    for (const line of of(name)) expect(line).toMatchObject({ outcome: 'refused', level: 40 });
  }
});
