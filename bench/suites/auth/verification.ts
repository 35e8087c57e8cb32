import type { Case, Contender } from '../../src/suite.ts';
import { AUDIENCE, ISSUER, keyFor, macadam, secret, tokenBy, verifierOf } from './tokens-and-keys.ts';

export function uncached(algorithm: string): Case {
  return {
    name: `verify ${algorithm}, uncached`,
    what: 'Verifies signature, issuer, audience, type and times. Macadam also parses the token strictly and freezes the result.',
    contenders: [
      macadam('macadam', (auth) => {
        const key = keyFor(algorithm);
        const verifier = verifierOf(auth, algorithm, key, false);
        const token = tokenBy(key, algorithm);
        return () => verifier.verify(token);
      }),
      {
        name: 'jose jwtVerify',
        from: 'jose',
        setup: async () => {
          const { importJWK, jwtVerify } = await import('jose');
          const key = keyFor(algorithm);
          // Imported as a CryptoKey, the fastest kind of key for jose.
          const usages: KeyUsage[] = ['verify'];
          const imported =
            algorithm === 'HS256'
              ? await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, usages)
              : await importJWK({ ...key.jwk }, algorithm);
          const token = tokenBy(key, algorithm);
          const options = { issuer: ISSUER, audience: AUDIENCE, algorithms: [algorithm], typ: 'at+jwt' };
          return { run: () => jwtVerify(token, imported, options) };
        },
      },
    ],
    claims: [{ of: 'macadam', to: 'jose jwtVerify', atMost: 1.15 }],
  };
}

type KeyUsage = 'verify';

export const cached: Case = {
  name: 'verify, cached',
  what: 'An ES256 token that was verified before. Macadam and fast-jwt return the cached result; jsonwebtoken has no cache, so it verifies HS256, its fastest algorithm.',
  contenders: [
    macadam('macadam', (auth) => {
      const key = keyFor('ES256');
      const verifier = verifierOf(auth, 'ES256', key);
      const token = tokenBy(key, 'ES256');
      return () => verifier.verify(token);
    }),
    {
      name: 'fast-jwt, cached',
      from: 'fast-jwt',
      setup: async () => {
        const { createVerifier } = await import('fast-jwt');
        const { createPublicKey } = await import('node:crypto');
        const key = keyFor('ES256');
        const pem = createPublicKey({ key: key.jwk as never, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
        const verify = createVerifier({
          key: pem,
          cache: true,
          algorithms: ['ES256'],
          allowedIss: ISSUER,
          allowedAud: AUDIENCE,
        });
        const token = tokenBy(key, 'ES256');
        return { run: () => verify(token) as unknown };
      },
    },
    {
      name: 'jsonwebtoken, HS256',
      from: 'jsonwebtoken',
      setup: async () => {
        const { default: jsonwebtoken } = await import('jsonwebtoken');
        const { createSecretKey } = await import('node:crypto');
        const token = tokenBy(keyFor('HS256'), 'HS256');
        const key = createSecretKey(secret);
        return {
          run: () => jsonwebtoken.verify(token, key, { algorithms: ['HS256'], issuer: ISSUER, audience: AUDIENCE }),
        };
      },
    },
  ],
  claims: [{ of: 'macadam', to: 'fast-jwt, cached', atMost: 0.7 }],
};

/** Verifies 100,000 tokens in turn, and checks at the end that the cache has kept to its limits. */
function inTurn(name: string, cache?: false): Contender {
  return {
    name,
    from: '@macadam/auth',
    setup: async () => {
      const key = keyFor('HS256');
      const verifier = verifierOf(await import('@macadam/auth'), 'HS256', key, cache);
      const tokens = Array.from({ length: 100_000 }, (_, n) => tokenBy(key, 'HS256', `user-${n}`));
      let at = 0;
      return {
        run: () => verifier.verify(tokens[at++ % tokens.length]!),
        close: () => {
          const { entries, bytes } = verifier.stats().cache;
          if (entries > 10_000 || bytes > 16_777_216)
            throw new Error(`The cache holds ${entries} tokens of ${bytes} bytes.`);
          return verifier.close();
        },
      };
    },
  };
}

export const manyTokens: Case = {
  name: '100,000 distinct tokens',
  what: '100,000 HS256 tokens in turn: the cost of a cache that almost never has a hit. The run fails if the cache holds more than 10,000 tokens or 16 MiB at the end.',
  contenders: [inTurn('macadam, cache of 10,000'), inTurn('macadam, no cache', false)],
  claims: [{ of: 'macadam, cache of 10,000', to: 'macadam, no cache', atMost: 1.5 }],
};
