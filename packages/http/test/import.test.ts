import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const LOADED = `import('@macadam/http').then(() => console.log(process.moduleLoadList.join('\\n')))`;

test('importing the client makes Node load no undici of its own beside ours', async () => {
  const flags = ['--conditions=@macadam/source', '--no-warnings', '--eval', LOADED];
  const { stdout } = await promisify(execFile)(process.execPath, flags, { cwd: import.meta.dirname, timeout: 30_000 });
  const loaded = stdout.split('\n');
  expect(loaded).toContain('NativeModule net');
  expect(loaded.filter((name) => name.includes('internal/deps/undici'))).toEqual([]);
});
