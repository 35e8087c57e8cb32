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
