import { generateKeyPairSync, sign } from 'node:crypto';
import type { Case, Contender } from '../../src/suite.ts';
import { AUDIENCE, ISSUER, macadam } from './tokens-and-keys.ts';

export const signing: Case = {
  name: 'sign and verify a request',
  what: 'RFC 9421 with Ed25519 over method, target and the digest of a small body, compared with signing and verifying by Ed25519 alone.',
  contenders: [
    macadam('macadam', ({ signRequest, verifyRequest }) => {
      const { privateKey, publicKey } = generateKeyPairSync('ed25519');
      const request = { method: 'POST', url: `${AUDIENCE}/orders`, headers: {}, body: '{"sku":"a1"}' };
      const found = { key: publicKey, algorithm: 'ed25519' as const };
      return async () => {
        const headers = await signRequest(request, { key: privateKey, keyId: 'k1', algorithm: 'ed25519' });
        return verifyRequest({ ...request, headers }, { resolveKey: () => found });
      };
    }),
    {
      name: 'Ed25519 alone',
      setup: async () => {
        const { verify } = await import('node:crypto');
        const { privateKey, publicKey } = generateKeyPairSync('ed25519');
        const base = Buffer.alloc(300, 'a');
        return { run: () => verify(null, base, publicKey, sign(null, base, privateKey)) };
      },
    },
  ],
  claims: [{ of: 'macadam', to: 'Ed25519 alone', atMost: 2 }],
};

export const tokens: Case = {
  name: 'token client, cached token',
  what: 'Reads an access token that the client already holds, synchronously and as a promise: what each outgoing call pays. The reference is a busy loop of one microsecond.',
  contenders: [
    ...(['peekToken', 'getToken'] as const).map((how): Contender => ({
      name: `macadam ${how}`,
      from: '@macadam/auth',
      setup: async () => {
        const { clientCredentials } = await import('@macadam/auth');
        const client = clientCredentials({
          tokenUrl: `${ISSUER}/token`,
          clientId: 'shop',
          clientSecret: 'a secret of the bench',
          fetch: () =>
            Promise.resolve(Response.json({ access_token: 'abc', token_type: 'Bearer', expires_in: 3_600 }) as never),
        });
        await client.getToken();
        if (client.peekToken() !== 'abc') throw new Error('peekToken() should return the token.');
        return { run: () => client[how](), close: () => client.close() };
      },
    })),
    { name: 'async function', setup: () => Promise.resolve({ run: () => Promise.resolve('abc') }) },
    {
      name: 'one microsecond',
      setup: () =>
        Promise.resolve({
          run: () => {
            const until = performance.now() + 0.001;
            while (performance.now() < until);
          },
        }),
    },
  ],
  claims: [
    { of: 'macadam peekToken', to: 'one microsecond', atMost: 1 },
    { of: 'macadam getToken', to: 'one microsecond', atMost: 1 },
  ],
};
