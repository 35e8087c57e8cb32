import { runText } from '@macadam/test-support/processes';
import { expect, test } from 'vitest';

const LOADED = `await import('@macadam/http');\nconsole.log(process.moduleLoadList.join('\\n'));`;

test('importing the client does not load the undici that is built into Node', async () => {
  const loaded = (await runText(LOADED, import.meta.dirname)).split('\n');
  expect(loaded).toContain('NativeModule net');
  expect(loaded.filter((name) => name.includes('internal/deps/undici'))).toEqual([]);
});
