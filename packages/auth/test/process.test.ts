// What is true of a process as a whole.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('a verifier that rests while the heap is collected does not begin anew with code that is not compiled', async () => {
  const script = join(import.meta.dirname, 'process', 'rests-between-verifications.ts');
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
  expect(names.filter((name) => WAY_OF_A_TOKEN.has(name as string))).toEqual([]);
});

/** What reads a token, and what makes a principal of it. */
const WAY_OF_A_TOKEN = new Set([
  ...['verify', '#verify', '#read', '#accept', '#recognised', '#issuerOf', 'verifyByName', 'parseCompact'],
  ...['splitCompact', 'decodeObject', 'namedIn', 'timesIn', 'checkTimes', 'checkAudience', 'principalOf'],
]);
