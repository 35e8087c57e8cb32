// The cases A1 to A22 that concern a verifier with given keys, by their number in docs/auth-threats.md.
import { OptionsError, runWork, currentWork, systemClock } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import {
  createHmacJwtVerifier,
  createJwtVerifier,
  type JwtIssuerOptions,
  signRequest,
  TokenError,
  verifyRequest,
  webhookVerifier,
} from '../src/index.ts';
import {
  accessClaims,
  AUDIENCE,
  base64url,
  hmacToken,
  ISSUER,
  makeToken,
  privateJwk,
  reasonOf,
  type TestKey,
  testKey,
} from './tokens.ts';

const clock = virtualClock();
const key = testKey('k1');
const claims = accessClaims(clock);
const secret = new Uint8Array(32).fill(7);

/** The uncompressed point alone, without the curve (SEC 1 section 2.3.3). */
function ecPoint(): Buffer {
  const { x, y } = key.jwk as Record<string, string>;
  return Buffer.concat([Buffer.from([4]), Buffer.from(x!, 'base64url'), Buffer.from(y!, 'base64url')]);
}

function issuer(options: Partial<JwtIssuerOptions> = {}): JwtIssuerOptions {
  return { issuer: ISSUER, audience: AUDIENCE, algorithms: ['ES256'], jwks: { keys: [key.jwk] }, ...options };
}

const verifierFor = (options: Partial<JwtIssuerOptions> = {}, more: object = {}) =>
  createJwtVerifier({ issuers: [issuer(options)], clock, ...more });
const verifier = verifierFor();
const payloadWith = (more: object) => accessClaims(clock, more);

describe('a valid token', () => {
  it('returns a principal', async () => {
    const principal = await verifier.verify(makeToken(key, claims));
    expect(principal).toEqual({
      subject: 'user-1',
      issuer: ISSUER,
      audience: [AUDIENCE],
      clientId: 'shop',
      scopes: ['orders:read', 'orders:write'],
      tokenId: 'token-1',
      expiresAtMs: clock.now() + 300_000,
      algorithm: 'ES256',
      kid: 'k1',
      profile: 'rfc9068',
      claims,
    });
  });

  it.each([
    'RS256',
    'RS384',
    'RS512',
    'PS256',
    'PS384',
    'PS512',
    'ES256',
    'ES384',
    'ES512',
    'EdDSA',
    'Ed25519',
  ] as const)('is accepted under %s, and only where that is allowed', async (algorithm) => {
    const own = testKey('own', algorithm);
    const jwks = { keys: [own.jwk, { ...testKey('other', algorithm === 'ES256' ? 'ES384' : 'ES256').jwk }] };
    const one = createJwtVerifier({ issuers: [issuer({ algorithms: [algorithm], jwks })], clock });
    expect(await reasonOf(one.verify(makeToken(own, claims)))).toBe('accepted');
    const otherKind = algorithm.startsWith('ES256') ? 'ES384' : 'ES256';
    const other = createJwtVerifier({ issuers: [issuer({ algorithms: [otherKind], jwks })], clock });
    expect(await reasonOf(other.verify(makeToken(own, claims)))).toBe('algorithm');
  });

  it('annotates the unit of work, without the token', async () => {
    await runWork({ clock }, async () => {
      await verifier.verify(makeToken(key, claims));
      expect(currentWork()?.annotations).toEqual({
        'auth.method': 'jwt',
        'auth.issuer': ISSUER,
        'auth.principal': 'user-1',
        'auth.key_id': 'k1',
      });
    });
  });
});

describe('known vulnerabilities', () => {
  it('A1: an unsigned token, or one with an empty signature, is rejected', async () => {
    const none = `${base64url('{"alg":"none","typ":"at+jwt"}')}.${base64url(JSON.stringify(claims))}.`;
    const [head, body] = makeToken(key, claims).split('.');
    expect(await reasonOf(verifier.verify(none))).toBe('malformed');
    expect(await reasonOf(verifier.verify(`${none}AA`))).toBe('algorithm');
    expect(await reasonOf(verifier.verify(`${head}.${body}.`))).toBe('malformed');
    expect(await reasonOf(verifier.verify(`${head}.${body}.AA`))).toBe('signature');
  });

  it('A1: an empty key set, secret or algorithm list, and the algorithm none, are rejected at construction', () => {
    expect(() => verifierFor({ jwks: { keys: [] } })).toThrow(OptionsError);
    expect(() => verifierFor({ algorithms: [] })).toThrow(OptionsError);
    expect(() => verifierFor({ algorithms: ['none'] as never })).toThrow(OptionsError);
    expect(() => createHmacJwtVerifier({ ...hmac, secrets: [{ secret: new Uint8Array(0) }] })).toThrow(OptionsError);
    expect(() => createHmacJwtVerifier({ ...hmac, secrets: [] })).toThrow(OptionsError);
  });

  it('A2: a public key is never accepted as an HMAC secret, in any encoding', async () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const spellings = [
      publicKey.export({ type: 'spki', format: 'pem' }),
      publicKey.export({ type: 'pkcs1', format: 'pem' }),
      ` \n${publicKey.export({ type: 'spki', format: 'pem' }).toString()}`,
      `prefix${publicKey.export({ type: 'spki', format: 'pem' }).toString()}`,
      publicKey.export({ type: 'spki', format: 'der' }),
      publicKey.export({ type: 'pkcs1', format: 'der' }),
      JSON.stringify(publicKey.export({ format: 'jwk' })),
      ` ${JSON.stringify({ keys: [publicKey.export({ format: 'jwk' })] })}`,
      `${' '.repeat(100)}${JSON.stringify(publicKey.export({ format: 'jwk' }))}`,
      `\ufeff${JSON.stringify(publicKey.export({ format: 'jwk' }), null, 2)}\n`,
      Buffer.from(publicKey.export({ type: 'spki', format: 'pem' }).toString(), 'utf16le'),
      publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
      publicKey.export({ type: 'pkcs1', format: 'der' }).toString('base64url'),
      `${publicKey
        .export({ type: 'spki', format: 'der' })
        .toString('base64')
        .match(/.{1,64}/g)!
        .join('\n')}\n`,
      `ssh-rsa ${Buffer.from('no more than the beginning').toString('base64')} somebody@example.com`,
      ecPoint(),
    ];
    for (const spelling of spellings) {
      const bytes = Buffer.from(spelling as string);
      expect(() => createHmacJwtVerifier({ ...hmac, secrets: [{ secret: bytes }] }), String(spelling)).toThrow(
        OptionsError,
      );
      expect(await reasonOf(verifier.verify(hmacToken(bytes, claims, { kid: 'k1' })))).toBe('algorithm');
    }
    expect(() => createHmacJwtVerifier({ ...hmac, secrets: [{ secret: 'x'.repeat(64) as never }] })).toThrow(
      OptionsError,
    );
    expect(() => verifierFor({ algorithms: ['HS256'] as never })).toThrow(/createHmacJwtVerifier/);
  });

  it('A2: CVE-2022-23529: an object that converts itself to a secret is rejected without calling it', () => {
    let conversions = 0;
    const object = {
      toString: () => `${++conversions}`.repeat(64),
      [Symbol.toPrimitive]: () => `${++conversions}`.repeat(64),
      length: 64,
    };
    expect(() => createHmacJwtVerifier({ ...hmac, secrets: [{ secret: object as never }] })).toThrow(OptionsError);
    expect(conversions).toBe(0);
  });

  it('A3: a key without alg works with every allowed algorithm of its type, one with alg only with that', async () => {
    const rsa = testKey('r', 'RS256');
    const allowed = { algorithms: ['RS256', 'PS256'] as const };
    const open = verifierFor({ ...allowed, jwks: { keys: [rsa.jwk] } });
    const bound = verifierFor({ ...allowed, jwks: { keys: [{ ...rsa.jwk, alg: 'PS256' }] } });
    const token = makeToken(rsa, claims);
    expect(await reasonOf(open.verify(token))).toBe('accepted');
    expect(await reasonOf(bound.verify(token))).toBe('keyUnknown');
    expect(await reasonOf(bound.verify(makeToken({ ...rsa, algorithm: 'PS256' }, claims)))).toBe('accepted');
    expect(await reasonOf(open.verify(makeToken({ ...rsa, algorithm: 'RS512' }, claims)))).toBe('algorithm');
  });

  it('A3: a key works with no algorithm of another type or curve', async () => {
    const kinds = (['RS256', 'ES256', 'ES384', 'Ed25519'] as const).map((algorithm) => testKey(algorithm, algorithm));
    const algorithms = kinds.map((one) => one.algorithm);
    const verifier = verifierFor({ algorithms, jwks: { keys: kinds.map(({ jwk }) => jwk) } });
    for (const { kid } of kinds) {
      for (const signer of kinds) {
        const outcome = await reasonOf(verifier.verify(makeToken({ ...signer, kid }, claims)));
        expect(outcome, `${kid} ${signer.algorithm}`).toBe(kid === signer.algorithm ? 'accepted' : 'keyUnknown');
      }
    }
    const other = { keys: [testKey('a', 'ES384').jwk] };
    expect(() => verifierFor({ algorithms: ['ES256'], jwks: other })).toThrow('a key for ES256');
  });

  it.each(['crit', 'b64', 'zip', 'jku', 'jwk', 'x5u', 'x5c'])('A4: the header %s is rejected', async (name) => {
    const values: Record<string, unknown> = { crit: ['exp'], b64: false, zip: 'DEF', jwk: key.jwk, x5c: ['MIIB'] };
    const token = makeToken(key, claims, { [name]: values[name] ?? 'https://evil.example/keys' });
    expect(await reasonOf(verifier.verify(token))).toBe('unsupportedHeader');
  });

  it('A4: critical extensions in another encoding are rejected, too', async () => {
    for (const crit of [[], ['b64'], 'b64', null]) {
      expect(await reasonOf(verifier.verify(makeToken(key, claims, { crit })))).toBe('unsupportedHeader');
    }
  });

  it('A5: regular expressions are rejected where strings are expected, so none can be slow or stateful', () => {
    expect(() => verifierFor({ issuer: /example/ as never })).toThrow(OptionsError);
    expect(() => verifierFor({ audience: /orders/g as never })).toThrow(OptionsError);
    expect(() => verifierFor({ audience: [/orders/g] as never })).toThrow(OptionsError);
  });

  it('A6: iss must be exactly the configured string', async () => {
    for (const iss of [[ISSUER], [ISSUER, 'https://evil.example'], `${ISSUER}/`, 'https://ID.example.com', null, 7]) {
      expect(await reasonOf(verifier.verify(makeToken(key, payloadWith({ iss })))), String(iss)).toBe('issuer');
    }
  });

  it.each([NaN, Infinity, -1, 60_001, '10'])('A7: a clock tolerance of %s is rejected at construction', (value) => {
    expect(() => verifierFor({}, { clockToleranceMs: value })).toThrow(OptionsError);
  });

  it('A8: cache keys are computed from the whole token and cannot be customized', async () => {
    expect(() => verifierFor({}, { cache: { keyBuilder: () => 'same' } })).toThrow(OptionsError);
    const one = await verifier.verify(makeToken(key, payloadWith({ sub: 'a' })));
    const other = await verifier.verify(makeToken(key, payloadWith({ sub: 'b' })));
    expect([one.subject, other.subject]).toEqual(['a', 'b']);
  });

  it('A10: a caller cannot change the principal that others get', async () => {
    const token = makeToken(key, payloadWith({ roles: ['reader'], nested: { deep: { admin: false } } }));
    const principal = await verifier.verify(token);
    const nested = principal.claims['nested'] as { deep: { admin: boolean } };
    expect(() => (principal.claims['roles'] as string[]).push('admin')).toThrow(TypeError);
    expect(() => (nested.deep.admin = true)).toThrow(TypeError);
    expect(() => (principal.scopes as string[]).push('all')).toThrow(TypeError);
    expect(() => ((principal as { subject: string }).subject = 'root')).toThrow(TypeError);
    expect(await verifier.verify(token)).toBe(principal);
  });

  it('A12: verifiers of different audiences, issuers or profiles share nothing', async () => {
    const token = makeToken(key, claims);
    expect(await reasonOf(verifier.verify(token))).toBe('accepted');
    expect(await reasonOf(verifierFor({ audience: 'https://billing.example.com' }).verify(token))).toBe('audience');
    expect(await reasonOf(verifierFor({ issuer: 'https://other.example' }).verify(token))).toBe('issuer');
    expect(await reasonOf(verifierFor({ profile: 'oidc-id' }).verify(token))).toBe('type');
    expect(() => createJwtVerifier({ issuers: [issuer(), issuer({ profile: 'oidc-id' })] })).toThrow(/each kind/);
  });

  it('A18: clocks may differ by ten seconds, and iat is at most a minute ahead', async () => {
    const now = clock.now() / 1_000;
    const at = async (more: object) => await reasonOf(verifier.verify(makeToken(key, payloadWith(more))));
    expect(await at({ exp: now - 9 })).toBe('accepted');
    expect(await at({ exp: now - 10 })).toBe('expired');
    expect(await at({ nbf: now + 10 })).toBe('accepted');
    expect(await at({ nbf: now + 11 })).toBe('notYetValid');
    expect(await at({ iat: now + 60 })).toBe('accepted');
    expect(await at({ iat: now + 61 })).toBe('notYetValid');
  });

  it.each(['exp', 'nbf', 'iat'])('A18: %s must be a NumericDate', async (claim) => {
    for (const value of ['1893456000', null, -1, 1e15, [], { valueOf: 1 }, true]) {
      const reason = await reasonOf(verifier.verify(makeToken(key, payloadWith({ [claim]: value }))));
      expect(reason, String(value)).toBe('claim');
    }
  });

  it('A7: with a clock that returns NaN every token is rejected, cached or not', async () => {
    const broken = { ...systemClock, now: () => Number.NaN };
    const lost = verifierFor({}, { clock: broken });
    expect(await reasonOf(lost.verify(makeToken(key, claims)))).toBe('expired');
    const ticking = { ...broken, now: () => clock.now() };
    const passing = verifierFor({}, { clock: ticking });
    expect(await reasonOf(passing.verify(makeToken(key, claims)))).toBe('accepted');
    ticking.now = () => Number.NaN;
    expect(await reasonOf(passing.verify(makeToken(key, claims)))).toBe('expired');
    const message = { method: 'GET', url: 'https://orders.example.com/', headers: {} };
    const hmacKey = { key: secret, algorithm: 'hmac-sha256' as const };
    const headers = await signRequest(message, { ...hmacKey, keyId: 'k', clock });
    const verified = verifyRequest({ ...message, headers }, { resolveKey: () => hmacKey, clock: broken });
    expect(await verified.catch((error: unknown) => (error as TokenError).reason)).toBe('tooNew');
  });

  it('A19: weak keys are rejected at construction', () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' });
    const rsa = testKey('r', 'RS256').jwk;
    const rs256 = (jwk: object) => () => verifierFor({ algorithms: ['RS256'], jwks: { keys: [jwk as never] } });
    expect(rs256(rsa)).not.toThrow();
    expect(rs256(weak)).toThrow(/2048/);
    expect(rs256({ ...rsa, e: 'AQ' })).toThrow(/exponent/);
    expect(rs256({ ...rsa, e: 'AQAA' })).toThrow(/exponent/);
    expect(rs256({ ...rsa, n: base64url(rocaModulus()) })).toThrow(/ROCA/);
    expect(() => createHmacJwtVerifier({ ...hmac, secrets: [{ secret: new Uint8Array(31) }] })).toThrow(/at least 32/);
    expect(() => createHmacJwtVerifier({ ...hmac, algorithm: 'HS512', secrets: [{ secret }] })).toThrow(/at least 64/);
  });

  it('A19: a point of small order is rejected: forged signatures would verify', async () => {
    const small = Buffer.alloc(32);
    small[0] = 1;
    const point = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: base64url(small) }, format: 'jwk' });
    for (const first of [0, 1, 0xec, 0xed, 0xee]) {
      for (const sign of [0, 0x80]) {
        const bytes = Buffer.alloc(32, first > 1 ? 0xff : 0);
        bytes[0] = first;
        bytes[31] = (first > 1 ? 0x7f : 0) | sign;
        const jwk = { kty: 'OKP', crv: 'Ed25519', x: base64url(bytes) };
        expect(() => verifierFor({ algorithms: ['EdDSA'], jwks: { keys: [jwk] } })).toThrow(/small order/);
      }
    }
    const message = { method: 'GET', url: 'https://orders.example.com/', headers: {} };
    const other = generateKeyPairSync('ed25519').privateKey;
    const headers = await signRequest(message, { key: other, keyId: 'k', algorithm: 'ed25519' });
    const resolveKey = () => ({ key: point, algorithm: 'ed25519' as const });
    await expect(verifyRequest({ ...message, headers }, { resolveKey })).rejects.toThrow(/small order/);
    const whpk = `whpk_${small.toString('base64')}`;
    expect(() => webhookVerifier({ secrets: [whpk] })).toThrow('a sound key');
  });

  it('A19: a set with a private or shared key, or a point that is not on its curve, is rejected', () => {
    expect(() => verifierFor({ jwks: { keys: [privateJwk(key)] } })).toThrow(/private/);
    expect(() => verifierFor({ jwks: { keys: [key.jwk, { kty: 'oct', k: 'AAAA' }] } })).toThrow(/shared secret/);
    const off = { ...key.jwk, x: base64url(new Uint8Array(32).fill(1)) };
    expect(() => verifierFor({ jwks: { keys: [off] } })).toThrow(/cannot be read/);
  });

  it('A20: a token has exactly one encoding', async () => {
    const token = makeToken(key, claims);
    const [head = '', body = '', signature = ''] = token.split('.');
    const malleable = [
      `${head}=.${body}.${signature}`,
      `${head}.${body}.${signature}==`,
      `${head}.${body.slice(0, 4)} ${body.slice(4)}.${signature}`,
      `${head}.${body}.${signature}\n`,
      ` ${token}`,
      `${token}.`,
      `${head}..${body}.${signature}`,
      `${head}.${body}.${signature.slice(0, -1)}${nonCanonical(signature.at(-1)!)}`,
      `${head}.${body}.${signature.replaceAll('-', '+').replaceAll('_', '/')}+`,
      `${head}.${body}.${signature}é`,
      `${head}\u0000.${body}.${signature}`,
    ];
    expect(await reasonOf(verifier.verify(token))).toBe('accepted');
    for (const text of malleable) expect(await reasonOf(verifier.verify(text)), text).toBe('malformed');
  });

  it('A20: JSON that parsers read differently is rejected', async () => {
    const json = JSON.stringify(claims);
    const texts = [
      `${json.slice(0, -1)},"sub":"root"}`,
      `${json.slice(0, -1)},"\\u0073ub":"root"}`,
      `${json.slice(0, -1)},"cnf":{"jkt":"a","jkt":"b"}}`,
      `${json.slice(0, -1)},"act":[{"sub":"a","\\u0073ub":"b"}]}`,
      `\ufeff${json}`,
      `${json.slice(0, -1)},"__proto__":{"admin":true}}`,
      json.replace('"user-1"', '"user-\\ud800"'),
      `${json.slice(0, -1)},"act":[{"a\\uDFFF":"b"}]}`,
      `${json.slice(0, -1)},"a":${'['.repeat(40)}${']'.repeat(40)}}`,
      `[${json}]`,
      'null',
      `${json} x`,
    ];
    for (const text of texts) expect(await reasonOf(verifier.verify(makeToken(key, text))), text).toBe('malformed');
    const paired = json.replace('"user-1"', '"\\ud83d\\ude00 \\\\ud800"');
    expect((await verifier.verify(makeToken(key, paired))).subject).toBe('😀 \\ud800');
    const twice = '{"alg":"ES256","typ":"at+jwt","kid":"k1","alg":"none"}';
    expect(await reasonOf(verifier.verify(makeToken(key, claims, twice)))).toBe('malformed');
    const notUtf8 = `${base64url('{"alg":"ES256"}')}.${base64url(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d))}.AA`;
    expect(await reasonOf(verifier.verify(notUtf8))).toBe('malformed');
  });

  it('A21: an encrypted token is rejected', async () => {
    expect(await reasonOf(verifier.verify('eyJhbGciOiJQQkVTMiJ9.AA.AA.AA.AA'))).toBe('malformed');
    expect(await reasonOf(verifier.verify('a'.repeat(8_193)))).toBe('tooLarge');
  });

  it('A22: only a plain kid finds a key', async () => {
    for (const kid of ['', 'x'.repeat(257), 7, null, ['k1'], { toString: 'k1' }]) {
      const reason = await reasonOf(verifier.verify(makeToken(key, claims, { kid })));
      expect(reason, JSON.stringify(kid)).toBe('malformed');
    }
    for (const kid of ['__proto__', 'constructor', '../k1', 'K1']) {
      expect(await reasonOf(verifier.verify(makeToken(key, claims, { kid })))).toBe('keyUnknown');
    }
  });

  it('a token without kid is verified when exactly one key matches', async () => {
    const nameless: TestKey = { ...key, kid: undefined };
    expect(await reasonOf(verifier.verify(makeToken(nameless, claims)))).toBe('accepted');
    const two = verifierFor({ jwks: { keys: [key.jwk, testKey('k2', 'ES256', 1).jwk] } });
    expect(await reasonOf(two.verify(makeToken(nameless, claims)))).toBe('keyUnknown');
  });
});

const hmac = {
  issuer: ISSUER,
  audience: AUDIENCE,
  algorithm: 'HS256' as const,
  secrets: [{ secret }],
  clock,
};

describe('a shared secret', () => {
  it.each(['HS256', 'HS384', 'HS512'] as const)('verifies under %s and no other algorithm', async (algorithm) => {
    const long = new Uint8Array(64).fill(9);
    const own = createHmacJwtVerifier({ ...hmac, algorithm, secrets: [{ secret: long }] });
    expect(await reasonOf(own.verify(hmacToken(long, claims, { alg: algorithm })))).toBe('accepted');
    const other = algorithm === 'HS256' ? 'HS512' : 'HS256';
    expect(await reasonOf(own.verify(hmacToken(long, claims, { alg: other })))).toBe('algorithm');
    expect(await reasonOf(own.verify(hmacToken(secret, claims, { alg: algorithm })))).toBe('signature');
  });

  it('is rotated by kid', async () => {
    const next = new Uint8Array(32).fill(8);
    const both = createHmacJwtVerifier({
      ...hmac,
      secrets: [
        { secret, kid: 'a' },
        { secret: next, kid: 'b' },
      ],
    });
    expect(await reasonOf(both.verify(hmacToken(secret, claims, { kid: 'a' })))).toBe('accepted');
    expect(await reasonOf(both.verify(hmacToken(next, claims, { kid: 'b' })))).toBe('accepted');
    expect(await reasonOf(both.verify(hmacToken(next, claims, { kid: 'a' })))).toBe('signature');
    expect(() => createHmacJwtVerifier({ ...hmac, secrets: [{ secret }, { secret: next }] })).toThrow(OptionsError);
  });
});

describe('revocation', () => {
  it('is checked for each use, and anything but false rejects the token', async () => {
    const results: (() => unknown)[] = [
      () => false,
      () => Promise.resolve(false),
      () => true,
      () => undefined,
      () => Promise.reject(new Error('down')),
      () => false,
    ];
    const guarded = verifierFor({}, { isRevoked: () => results.shift()!() as boolean });
    const token = makeToken(key, claims);
    const reasons = [];
    for (let use = 0; use < 6; use++) reasons.push(await reasonOf(guarded.verify(token)));
    expect(reasons).toEqual(['accepted', 'accepted', 'revoked', 'revoked', 'revocationUnknown', 'accepted']);
    expect(guarded.stats().cache).toMatchObject({ hits: 5, misses: 1 });
  });
});

describe('a rejection', () => {
  it('has code, reason, claim and issuer, and nothing of the token', async () => {
    const token = makeToken(key, payloadWith({ sub: 'secret-subject', aud: 'secret-audience' }));
    const error: unknown = await verifier.verify(token).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TokenError);
    expect(error).toMatchObject({ code: 'MAC_TOKEN_INVALID', reason: 'audience', claim: 'aud', issuer: ISSUER });
    const printed = inspect(error, { depth: 9 }) + JSON.stringify(error) + String((error as Error).stack);
    expect(printed).not.toMatch(/secret-/);
    for (const part of token.split('.')) expect(printed).not.toContain(part);
  });

  it('is counted by reason', async () => {
    const own = verifierFor();
    await own.verify(makeToken(key, claims));
    await reasonOf(own.verify('x'));
    await reasonOf(own.verify('y'));
    await reasonOf(own.verify(makeToken(key, payloadWith({ exp: 1 }))));
    expect(own.stats()).toMatchObject({ accepted: 1, refused: { malformed: 2, expired: 1 } });
    expect(own.describe()).toContain('rfc9068 tokens of https://id.example.com');
  });
});

/** A character that differs only in unused bits: decodes to the same bytes, but is not canonical. */
function nonCanonical(character: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return alphabet[alphabet.indexOf(character) + 1]!;
}

/** A modulus of 2048 bits with the fingerprint: a power of 65537 modulo the primes, made long by a multiple of them. */
function rocaModulus(): Uint8Array {
  let product = 2n;
  for (let n = 3n; n <= 167n; n += 2n) {
    let prime = true;
    for (let d = 3n; d * d <= n; d += 2n) if (n % d === 0n) prime = false;
    if (prime) product *= n;
  }
  const residue = 65_537n ** 5n % product;
  const modulus = residue + product * ((1n << 2_047n) / product + 1n);
  return Buffer.from(modulus.toString(16).padStart(512, '0'), 'hex');
}
