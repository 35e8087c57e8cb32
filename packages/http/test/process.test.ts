import { join } from 'node:path';
import { functionsForgotten } from '@macadam/test-support/forgotten-code';
import { runScript } from '@macadam/test-support/processes';
import { expect, test } from 'vitest';

test('AC30: undici #3975: a call that waits for its next try keeps the process alive, and a closed client does not', async () => {
  const script = join(import.meta.dirname, 'process', 'calls-and-ends.ts');
  // The time limits are a minute: a process that one of them kept alive would be ended by the guard, with an error.
  expect(await runScript(script)).toBe('answered by try 3');
});

test('a client that rests while the heap is collected does not begin anew with code that is not compiled', async () => {
  const script = join(import.meta.dirname, 'process', 'rests-between-calls.ts');
  const names = await functionsForgotten(script);
  expect(names.filter((name) => WAY_OF_A_CALL.has(name))).toEqual([]);
});

test('a package that is first imported in work that is cancelled is no part of it, and keeps no process alive', async () => {
  const script = join(import.meta.dirname, 'process', 'is-imported-late.ts');
  expect(await runScript(script)).toBe('imported');
});

/** What every layer of a call has, and what reads its answer. */
const WAY_OF_A_CALL = new Set([
  ...['Call', 'Attempt', 'PlacedRun', 'TimedRun', 'RetryRun', 'GuardedRun', 'start', 'begin', 'succeed', '#settle'],
  ...['AttemptLog', 'ResponseHandler', '#start', '#dispatch', '#finish', '#conclude', '#end', 'setAttempts'],
]);
