/** The package is first needed in the middle of work that is over: it must make no part of it, nor fail with it. */
import { runWork } from '@macadam/core';

const abort = new AbortController();
await runWork({ timeoutMs: 60_000, signal: abort.signal }, async () => {
  abort.abort(new Error('the work is over'));
  const { createHttpClient } = await import('../../src/index.ts');
  await createHttpClient({ baseUrl: 'http://127.0.0.1:1' }).close();
});
await new Promise(setImmediate);
console.log('imported');
