// Runs a process of its own, and checks that V8 keeps its optimized code.
import { join } from 'node:path';
import { discardedCode } from '@macadam/test-support/discarded-code';
import { expect, test } from 'vitest';

test('a verifier stays compiled when the heap is collected while it is idle', async () => {
  const script = join(import.meta.dirname, 'process', 'idle-between-verifications.ts');
  expect(await discardedCode(script, HOT_PATH, ['auth'])).toEqual([]);
});

/** The functions on the hot path of a verification. */
const HOT_PATH = [
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
];
