import { join } from 'node:path';
import { discardedCode } from '@macadam/test-support/discarded-code';
import { runScript } from '@macadam/test-support/processes';
import { expect, test } from 'vitest';

/** Classes and functions that every call runs through. */
const CALL_PATH = [
  ...['Call', 'Attempt', 'AdmittedRun', 'TimedRun', 'RetryRun', 'GuardedRun', 'start', 'begin', 'succeed', '#settle'],
  ...['AttemptLog', 'ResponseHandler', '#start', '#dispatch', '#finishBody', '#settleWith', '#end', 'setAttempts'],
];

test('AC30: undici #3975: a call that waits for its next attempt keeps the process alive, and a closed client does not', async () => {
  const script = join(import.meta.dirname, 'process', 'calls-and-ends.ts');
  // The timeouts are a minute: a process kept alive by one of them would be killed by runScript, with an error.
  expect(await runScript(script)).toBe('succeeded at attempt 3');
});

test('garbage collection during an idle time does not discard the compiled code of the client', async () => {
  const script = join(import.meta.dirname, 'process', 'idle-between-calls.ts');
  expect(await discardedCode(script, CALL_PATH, ['http', 'resilience'])).toEqual([]);
});

test('a package first imported within cancelled work does not join that work, nor keep the process alive', async () => {
  const script = join(import.meta.dirname, 'process', 'is-imported-late.ts');
  expect(await runScript(script)).toBe('imported');
});
