import { existsSync } from 'node:fs';
import { virtualClock } from '@macadam/testkit';
import { expect, it } from 'vitest';
import { lineTotals } from './line-totals.ts';
import { BacklogSink } from './sink.ts';

// A device that behaves like a full disk.
const FULL = '/dev/full';

it.skipIf(!existsSync(FULL))('counts lines that are discarded on close, in stats() and in the metric', async () => {
  const clock = virtualClock();
  const sink = new BacklogSink(FULL, clock, 65_536);
  const before = lineTotals.dropped;
  for (let i = 0; i < 3; i++) sink.write('a line\n', 2);
  expect(sink.stats()).toEqual({ dropped: 0, backlogBytes: 21 });
  const closed = sink.close();
  await clock.advance(1_000);
  await closed;
  expect(sink.stats()).toEqual({ dropped: 3, backlogBytes: 0 });
  expect(lineTotals.dropped - before).toBe(3);
});

it.skipIf(!existsSync(FULL))('keeps nothing of a flush whose time is over', async () => {
  const clock = virtualClock();
  const sink = new BacklogSink(FULL, clock, 65_536);
  sink.write('a line\n', 2);
  // The promise is reachable from the function that resolves it.
  const flushed = new WeakRef(sink.flush());
  await clock.advance(1_000);
  globalThis.gc?.();
  expect(flushed.deref()).toBeUndefined();
  const closed = sink.close();
  await clock.advance(1_000);
  await closed;
});
