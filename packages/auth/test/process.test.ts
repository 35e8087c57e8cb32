// Runs a process of its own, and checks that V8 keeps its optimized code.
import { join } from 'node:path';
import { functionsForgotten } from '@macadam/test-support/forgotten-code';
import { expect, test } from 'vitest';

test('a verifier stays compiled when the heap is collected while it is idle', async () => {
  const script = join(import.meta.dirname, 'process', 'rests-between-verifications.ts');
  const names = await functionsForgotten(script);
  expect(names.filter((name) => HOT_PATH.has(name))).toEqual([]);
});

/** The functions on the hot path of a verification. */
const HOT_PATH = new Set([
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
