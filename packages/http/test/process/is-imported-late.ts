/** Imports the package within work that has been cancelled: it must neither join that work nor fail with it. */
import { runWork } from '@macadam/core';

const abort = new AbortController();
await runWork({ timeoutMs: 60_000, signal: abort.signal }, async () => {
  abort.abort(new Error('the work is over'));
  const { createHttpClient } = await import('../../src/index.ts');
  await createHttpClient({ baseUrl: 'http://127.0.0.1:1' }).close();
});
await new Promise(setImmediate);
console.log('imported');
