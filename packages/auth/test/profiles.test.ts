import { OptionsError } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { createHmacJwtVerifier, createJwtVerifier, type JwtIssuerOptions } from '../src/index.ts';
import { accessClaims, AUDIENCE, ISSUER, makeToken, reasonOf, testKey } from './tokens.ts';

const clock = virtualClock();
const key = testKey('k1');

const verifierFor = (options: Partial<JwtIssuerOptions>) =>
  createJwtVerifier({
    issuers: [{ issuer: ISSUER, audience: AUDIENCE, algorithms: ['ES256'], jwks: { keys: [key.jwk] }, ...options }],
    clock,
  });

async function outcome(options: Partial<JwtIssuerOptions>, payload: object, header: object = {}) {
  return await reasonOf(verifierFor(options).verify(makeToken(key, accessClaims(clock, payload), header)));
}

describe('rfc9068', () => {
  it.each([
    ['at+jwt', 'accepted'],
    ['AT+JWT', 'accepted'],
    ['application/at+jwt', 'accepted'],
    ['JWT', 'type'],
    [undefined, 'type'],
    ['at+jwt ', 'type'],
    [['at+jwt'], 'type'],
  ])('typ %s: %s', async (typ, expected) => {
    expect(await outcome({}, {}, { typ })).toBe(expected);
  });

  it.each(['sub', 'client_id', 'jti', 'iat', 'exp', 'aud'])('requires %s', async (claim) => {
    expect(await outcome({}, { [claim]: undefined })).toBe('claim');
  });

  it.each([
    [AUDIENCE, 'accepted'],
    [['https://other.example', AUDIENCE], 'accepted'],
    ['https://other.example', 'audience'],
    [`${AUDIENCE}/`, 'audience'],
    [[], 'claim'],
    [[AUDIENCE, 7], 'claim'],
    [{ [AUDIENCE]: true }, 'claim'],
    ['', 'claim'],
  ])('aud %j: %s', async (aud, expected) => {
    expect(await outcome({}, { aud })).toBe(expected);
  });
});

describe('oidc-id', () => {
  const options = { profile: 'oidc-id', audience: 'shop' } as const;
  it.each([
    ['the plain case', { aud: 'shop' }, undefined, 'accepted'],
    ['typ JWT', { aud: 'shop' }, 'JWT', 'accepted'],
    ['an access token', { aud: 'shop' }, 'at+jwt', 'type'],
    ['a logout token', { aud: 'shop', events: {} }, undefined, 'type'],
    ['a logout token by its type', { aud: 'shop' }, 'logout+jwt', 'type'],
    ['several audiences with azp', { aud: ['shop', 'other'], azp: 'shop' }, undefined, 'accepted'],
    ['several audiences without azp', { aud: ['shop', 'other'] }, undefined, 'audience'],
    ['the azp of another client', { aud: 'shop', azp: 'other' }, undefined, 'audience'],
    ['no iat', { aud: 'shop', iat: undefined }, undefined, 'claim'],
  ])('%s', async (_, payload, typ, expected) => {
    expect(await outcome(options, payload, { typ })).toBe(expected);
  });
});

describe('spiffe-jwt-svid', () => {
  const options = { profile: 'spiffe-jwt-svid', issuer: 'spiffe://example.org' } as const;
  it.each([
    ['spiffe://example.org/orders', 'accepted'],
    ['spiffe://example.org', 'issuer'],
    ['spiffe://example.org/', 'issuer'],
    ['spiffe://example.org.evil/orders', 'issuer'],
    ['spiffe://evil@example.org/orders', 'issuer'],
    ['https://example.org/orders', 'issuer'],
    ['spiffe://example.org/ns/prod/sa/Orders_1.2', 'accepted'],
    ['spiffe://example.org//orders', 'issuer'],
    ['spiffe://example.org/orders/', 'issuer'],
    ['spiffe://example.org/a/../orders', 'issuer'],
    ['spiffe://example.org/.', 'issuer'],
    ['spiffe://example.org/..orders', 'accepted'],
    ['spiffe://example.org/%6Frders', 'issuer'],
    ['spiffe://example.org/orders?x', 'issuer'],
    ['spiffe://example.org/orders#x', 'issuer'],
    ['SPIFFE://example.org/orders', 'issuer'],
    [`spiffe://example.org/${'a'.repeat(2_048)}`, 'issuer'],
    [['spiffe://example.org/orders'], 'issuer'],
  ])('sub %s: %s', async (sub, expected) => {
    expect(await outcome(options, { sub, iss: undefined, client_id: undefined }, { typ: 'JWT' })).toBe(expected);
  });

  it('does not accept a token whose iss is the trust domain', async () => {
    expect(await outcome(options, { iss: 'spiffe://example.org' }, { typ: 'JWT' })).toBe('issuer');
  });

  it('uses the JWT-SVID keys of a bundle, and skips those of X.509-SVIDs', async () => {
    const keys = [
      { ...key.jwk, use: 'jwt-svid' },
      { ...testKey(undefined, 'ES384').jwk, use: 'x509-svid', x5c: ['AAAA'] },
    ];
    const sub = 'spiffe://example.org/orders';
    expect(await outcome({ ...options, jwks: { keys } }, { sub }, { typ: 'JWT' })).toBe('accepted');
  });

  it('accepts only RS, PS and ES algorithms, and no shared secret', () => {
    const ed = testKey('e', 'EdDSA');
    const algorithms = ['EdDSA'] as const;
    expect(() => verifierFor({ ...options, algorithms, jwks: { keys: [ed.jwk] } })).toThrow(/RS, PS or ES/);
    const secrets = [{ secret: new Uint8Array(32).fill(7) }];
    const hmac = { ...options, audience: AUDIENCE, algorithm: 'HS256' as const, secrets };
    expect(() => createHmacJwtVerifier(hmac)).toThrow(/RS, PS or ES/);
  });

  it('requires a trust domain as issuer', () => {
    expect(() => verifierFor({ profile: 'spiffe-jwt-svid' })).toThrow(OptionsError);
  });
});

describe('generic', () => {
  const bare = { sub: undefined, client_id: undefined, jti: undefined, iat: undefined };
  it('requires only iss, aud and exp', async () => {
    expect(await outcome({ profile: 'generic' }, bare, { typ: undefined })).toBe('accepted');
    expect(await outcome({ profile: 'generic' }, { ...bare, exp: undefined }, { typ: undefined })).toBe('claim');
    // Treated as missing, ids that are not strings would make different principals equal.
    for (const wrong of [{ sub: 5 }, { sub: ['u1'] }, { jti: 7 }, { client_id: {} }, { azp: true }]) {
      expect(await outcome({ profile: 'generic' }, { ...bare, ...wrong }, { typ: undefined })).toBe('claim');
    }
  });

  it('accepts only the configured typ', async () => {
    const options = { profile: 'generic', typ: 'application/secevent+jwt' } as const;
    expect(await outcome(options, bare, { typ: 'secevent+JWT' })).toBe('accepted');
    expect(await outcome(options, bare, { typ: 'JWT' })).toBe('type');
    expect(await outcome({ profile: 'generic' }, bare, { typ: 'at+jwt' })).toBe('type');
    expect(() => verifierFor({ typ: 'JWT' })).toThrow(OptionsError);
  });

  it('rejects tokens above maxTokenAgeMs, and those without iat', async () => {
    const options = { profile: 'generic', maxTokenAgeMs: 60_000 } as const;
    const now = clock.now() / 1_000;
    expect(await outcome(options, { iat: now - 69 }, { typ: 'JWT' })).toBe('accepted');
    expect(await outcome(options, { iat: now - 70 }, { typ: 'JWT' })).toBe('tooOld');
    expect(await outcome(options, { iat: undefined }, { typ: 'JWT' })).toBe('claim');
  });
});

describe('options', () => {
  const issuers = [{ issuer: ISSUER, audience: AUDIENCE, algorithms: ['ES256' as const], jwks: { keys: [key.jwk] } }];
  it.each([
    ['nothing', undefined, 'createJwtVerifier'],
    ['no issuers', { issuers: [] }, 'createJwtVerifier.issuers'],
    ['an unknown option', { issuers, tolerance: 1 }, 'createJwtVerifier.tolerance'],
    ['an unknown issuer option', { issuers: [{ ...issuers[0], kid: 'x' }] }, 'createJwtVerifier.issuers[0].kid'],
    ['no audience', { issuers: [{ ...issuers[0], audience: undefined }] }, 'createJwtVerifier.issuers[0].audience'],
    ['no keys', { issuers: [{ ...issuers[0], jwks: undefined }] }, 'createJwtVerifier.issuers[0].jwksUri'],
    [
      'two places for keys',
      { issuers: [{ ...issuers[0], jwksUri: 'https://x.example' }] },
      'createJwtVerifier.issuers[0].jwksUri',
    ],
    ['keys over plain http', remote('http://id.example.com/jwks'), 'createJwtVerifier.issuers[0].jwksUri'],
    ['a loopback look-alike', remote('http://127.0.0.1.evil.example/jwks'), 'createJwtVerifier.issuers[0].jwksUri'],
    ['credentials in the URL', remote('https://a:b@id.example.com/jwks'), 'createJwtVerifier.issuers[0].jwksUri'],
    ['a file', remote('file:///etc/keys'), 'createJwtVerifier.issuers[0].jwksUri'],
    ['a cache of nothing', { issuers, cache: { maxEntries: 0 } }, 'createJwtVerifier.cache.maxEntries'],
    [
      'an endless stale time',
      { issuers, keyFetch: { staleIfErrorMs: Infinity } },
      'createJwtVerifier.keyFetch.staleIfErrorMs',
    ],
  ])('%s is rejected', (_, options, path) => {
    expect(() => createJwtVerifier(options as never)).toThrow(expect.objectContaining({ path }) as Error);
  });

  it.each(['https://id.example.com/jwks', 'http://localhost:1/jwks', 'http://127.0.0.1:1/jwks', 'http://[::1]:1/jwks'])(
    '%s is a place for keys',
    (uri) => expect(() => createJwtVerifier(remote(uri) as never)).not.toThrow(),
  );
});

function remote(jwksUri: string): object {
  return { issuers: [{ issuer: ISSUER, audience: AUDIENCE, algorithms: ['ES256'], jwksUri }] };
}
