// Tokens bound to a certificate (RFC 8705), a key (RFC 9449) or anything else (RFC 7800) are rejected unless the
// binding was checked: a thief has the token, but not the key.
import { hash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { systemClock } from '@macadam/core';
import { describe, expect, it } from 'vitest';
import { createIntrospector, createJwtVerifier, type TokenError, type VerifyTokenOptions } from '../src/index.ts';
import { accessClaims, AUDIENCE, ISSUER, makeToken, testKey } from './tokens.ts';

const certificateOf = (name: string) =>
  new X509Certificate(readFileSync(new URL(`../../http/test/certificates/${name}.pem`, import.meta.url)));
const own = certificateOf('client-1');
const other = certificateOf('server');
const thumbprint = hash('sha256', own.raw, 'base64url');
const key = testKey('k1');

const rows: [name: string, cnf: unknown, options: VerifyTokenOptions, verdict: string][] = [
  ['to nothing', undefined, {}, 'accepted'],
  ['to nothing, with a certificate', undefined, { certificate: own }, 'accepted'],
  ['to a certificate, with it', { 'x5t#S256': thumbprint }, { certificate: own }, 'accepted'],
  ['to a certificate, with its bytes', { 'x5t#S256': thumbprint }, { certificate: own.raw }, 'accepted'],
  ['to a certificate, with another', { 'x5t#S256': thumbprint }, { certificate: other }, 'cnf.x5t#S256'],
  ['to a certificate, with none', { 'x5t#S256': thumbprint }, {}, 'cnf.x5t#S256'],
  [
    'to a certificate, with none that was shown',
    { 'x5t#S256': thumbprint },
    { certificate: undefined },
    'cnf.x5t#S256',
  ],
  ['to a certificate, spelled otherwise', { 'x5t#S256': `${thumbprint}=` }, { certificate: own }, 'cnf.x5t#S256'],
  ['to a list of certificates', { 'x5t#S256': [thumbprint] }, { certificate: own }, 'cnf.x5t#S256'],
  ['to a key, as bearer', { jkt: 'a' }, { certificate: own }, 'cnf.jkt'],
  ['to a key that the caller looks at', { jkt: 'a' }, { confirms: ['jkt'] }, 'accepted'],
  ['to both, of which one was shown', { jkt: 'a', 'x5t#S256': thumbprint }, { certificate: own }, 'cnf.jkt'],
  ['to both, of which the other was', { jkt: 'a', 'x5t#S256': thumbprint }, { confirms: ['jkt'] }, 'cnf.x5t#S256'],
  ['to both', { jkt: 'a', 'x5t#S256': thumbprint }, { certificate: own, confirms: ['jkt'] }, 'accepted'],
  ['to a whole key', { jwk: key.jwk }, { certificate: own, confirms: ['jkt'] }, 'cnf.jwk'],
  ['to an unknown confirmation method', { 'a-word-of-the-token': 1 }, { certificate: own }, 'cnf'],
  ['by a name of every object', { constructor: thumbprint }, { certificate: own, confirms: [] }, 'cnf'],
  ['to null', null, { certificate: own }, 'cnf'],
  ['to an empty object', {}, { certificate: own }, 'cnf'],
  ['to a list', [], { certificate: own }, 'cnf'],
  ['to a text', thumbprint, { certificate: own }, 'cnf'],
];

async function verdictOf(verified: Promise<unknown>): Promise<string> {
  const error = await verified.then(
    () => undefined,
    (thrown: unknown) => thrown as TokenError,
  );
  if (error === undefined) return 'accepted';
  expect(error).toMatchObject({ code: 'MAC_TOKEN_INVALID', reason: 'binding', issuer: ISSUER, retryable: false });
  expect(inspect(error)).not.toContain('a-word-of-the-token');
  return error.claim ?? 'no claim';
}

describe('a token with a confirmation claim', () => {
  it.each(rows)('%s', async (_, cnf, options, verdict) => {
    const issuer = { issuer: ISSUER, audience: AUDIENCE, algorithms: ['ES256'], jwks: { keys: [key.jwk] } } as const;
    const claims = accessClaims(systemClock, cnf === undefined ? {} : { cnf });
    const token = makeToken(key, claims);
    let calls = 0;
    const isRevoked = () => calls++ < 0;
    for (const more of [{}, { isRevoked }, { cache: false } as const]) {
      const verifier = createJwtVerifier({ issuers: [issuer], ...more });
      // Verified, then from the cache.
      expect(await verdictOf(verifier.verify(token, options))).toBe(verdict);
      expect(await verdictOf(verifier.verify(token, options))).toBe(verdict);
      expect(verifier.stats().refused.binding ?? 0).toBe(verdict === 'accepted' ? 0 : 2);
    }
    expect(calls).toBe(verdict === 'accepted' ? 2 : 0);

    const introspector = createIntrospector({
      introspectionUrl: 'https://id.example.com/introspect',
      clientId: 'orders',
      clientSecret: 'a secret',
      audience: AUDIENCE,
      issuer: ISSUER,
      fetch: () => Promise.resolve(Response.json({ active: true, ...claims })),
    });
    expect(await verdictOf(introspector.verify('opaque', options))).toBe(verdict);
    expect(await verdictOf(introspector.verify('opaque', options))).toBe(verdict);
  });

  it('still requires its certificate when it is served from the cache', async () => {
    const verifier = createJwtVerifier({
      issuers: [{ issuer: ISSUER, audience: AUDIENCE, algorithms: ['ES256'], jwks: { keys: [key.jwk] } }],
    });
    const token = makeToken(key, accessClaims(systemClock, { cnf: { 'x5t#S256': thumbprint } }));
    expect(await verdictOf(verifier.verify(token, { certificate: own }))).toBe('accepted');
    expect(await verdictOf(verifier.verify(token, { certificate: other }))).toBe('cnf.x5t#S256');
    expect(await verdictOf(verifier.verify(token))).toBe('cnf.x5t#S256');
    expect(verifier.stats().cache.hits).toBe(2);
    const pem = own.toString();
    await expect(verifier.verify(token, { certificate: pem as never })).rejects.toMatchObject({
      code: 'MAC_INVALID_OPTIONS',
      path: 'certificate',
    });
    await expect(verifier.verify(token, { confirms: 'jkt' as never })).rejects.toMatchObject({
      code: 'MAC_INVALID_OPTIONS',
      path: 'confirms',
    });
  });
});
