import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('AC30: undici #3975: a call that waits for its next try keeps the process alive, and a closed client does not', async () => {
  const script = join(import.meta.dirname, 'process', 'calls-and-ends.ts');
  // The time limits are a minute: a process that one of them kept alive would be ended by the guard, with an error.
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--conditions=@macadam/source', '--no-warnings', script],
    { timeout: 30_000 },
  );
  expect(stdout.trim()).toBe('answered by try 3');
});

test('a client that rests while the heap is collected does not begin anew with code that is not compiled', async () => {
  const script = join(import.meta.dirname, 'process', 'rests-between-calls.ts');
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--conditions=@macadam/source', '--no-warnings', '--expose-gc', '--trace-deopt', script],
    { timeout: 60_000, maxBuffer: 2 ** 26 },
  );
  // While it warms up, layouts still change.
  const [, , ...afterwards] = stdout.split(/^rests$/m);
  const forgotten = /marking dependent code .*SharedFunctionInfo ?([^>]*)>.*weak objects/g;
  const names = afterwards.flatMap((text) => Array.from(text.matchAll(forgotten), ([, name]) => name));
  expect(afterwards).toHaveLength(3);
  // The runtime forgets some of its own.
  expect(names.filter((name) => WAY_OF_A_CALL.has(name as string))).toEqual([]);
});

test('a package that is first imported in work that is cancelled is no part of it, and keeps no process alive', async () => {
  const script = join(import.meta.dirname, 'process', 'is-imported-late.ts');
  const flags = ['--conditions=@macadam/source', '--no-warnings'];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, script], { timeout: 30_000 });
  expect(stdout.trim()).toBe('imported');
});

/** What every layer of a call has, and what reads its answer. */
const WAY_OF_A_CALL = new Set([
  ...['Call', 'Attempt', 'PlacedRun', 'TimedRun', 'RetryRun', 'GuardedRun', 'start', 'begin', 'succeed', '#settle'],
  ...['AttemptLog', 'ResponseHandler', '#start', '#dispatch', '#finish', '#conclude', '#end', 'setAttempts'],
]);
