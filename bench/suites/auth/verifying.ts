import type { Case, Contender } from '../../src/suite.ts';
import { AUDIENCE, ISSUER, keyFor, macadam, secret, tokenBy, verifierOf } from './tokens-and-keys.ts';

export function uncached(algorithm: string): Case {
  return {
    name: `verify ${algorithm}, never seen`,
    what: 'Signature, issuer, audience, type and times. Macadam also reads the token strictly and freezes the result.',
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
  name: 'verify, seen before',
  what: 'A token that was verified a moment ago, by ES256. fast-jwt and Macadam remember it; jsonwebtoken cannot (HS256, its quickest).',
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

/** One of 100,000 tokens after another. A cache must not keep more of them than its limit. */
function manyTokens(name: string, cache?: false): Contender {
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
          if (entries > 10_000 || bytes > 16_777_216) throw new Error(`${entries} tokens of ${bytes} bytes are kept.`);
          return verifier.close();
        },
      };
    },
  };
}

export const many: Case = {
  name: '100,000 distinct tokens',
  what: 'One token after another out of 100,000, by HS256: what the caches cost when they hardly ever help. At the end no more than 10,000 tokens and 16 MiB are kept, or the run fails.',
  contenders: [manyTokens('macadam, 10,000 remembered'), manyTokens('macadam, none remembered', false)],
  claims: [{ of: 'macadam, 10,000 remembered', to: 'macadam, none remembered', atMost: 1.5 }],
};
