// What is true of a process as a whole.
import { join } from 'node:path';
import { functionsForgotten } from '@macadam/test-support/forgotten-code';
import { expect, test } from 'vitest';

test('a verifier that rests while the heap is collected does not begin anew with code that is not compiled', async () => {
  const script = join(import.meta.dirname, 'process', 'rests-between-verifications.ts');
  const names = await functionsForgotten(script);
  expect(names.filter((name) => WAY_OF_A_TOKEN.has(name))).toEqual([]);
});

/** What reads a token, and what makes a principal of it. */
const WAY_OF_A_TOKEN = new Set([
  ...[
    'verify',
    '#verify',
    '#parse',
    '#validateClaims',
    '#countAccepted',
    '#selectIssuer',
    'verifySignature',
    'parseCompactJwt',
  ],
  ...[
    'parseCompactJws',
    'decodeJsonObject',
    'readKeyReference',
    'readTokenTimes',
    'checkTokenTimes',
    'checkAudience',
    'principalOf',
  ],
]);
