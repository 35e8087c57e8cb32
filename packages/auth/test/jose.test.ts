import fc from 'fast-check';
import { CompactSign, compactVerify, exportJWK, generateKeyPair } from 'jose';
import { describe, expect, test } from 'vitest';
import { createJwsVerifier, type JwtAlgorithm } from '../src/index.ts';

const ALGORITHMS: readonly JwtAlgorithm[] = [
  ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const),
  ...(['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'] as const),
];

describe('the verifier and jose give the same result', () => {
  test.each(ALGORITHMS)('for %s tokens, valid and with one byte changed', async (algorithm) => {
    const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true });
    const verifier = createJwsVerifier({
      algorithms: [algorithm],
      jwks: { keys: [{ ...(await exportJWK(publicKey)), kid: 'k1' }] },
    });
    const good = await new CompactSign(Buffer.from('{"a":1}'))
      .setProtectedHeader({ alg: algorithm, kid: 'k1' })
      .sign(privateKey);
    const [header, payload, signature] = good.split('.') as [string, string, string];
    const judged = (token: string): Promise<boolean[]> =>
      Promise.all(
        [verifier.verify(token), compactVerify(token, publicKey)].map((verdict) =>
          (verdict as Promise<unknown>).then(
            () => true,
            () => false,
          ),
        ),
      );
    expect(await judged(good)).toEqual([true, true]);
    const bytes = Buffer.from(signature, 'base64url');
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const altered = Buffer.from(bytes);
        altered[at] = (altered[at] as number) ^ change;
        expect(await judged(`${header}.${payload}.${altered.toString('base64url')}`)).toEqual([false, false]);
      }),
      { numRuns: 20 },
    );
    for (const end of [0, 1, bytes.length - 1]) {
      const cut = bytes.subarray(0, end).toString('base64url');
      expect(await judged(`${header}.${payload}.${cut}`)).toEqual([false, false]);
    }
    const other = Buffer.from('{"a":2}').toString('base64url');
    expect(await judged(`${header}.${other}.${signature}`)).toEqual([false, false]);
  });
});
