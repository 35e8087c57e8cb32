// Signed content that is not a JWT: verified as strictly, without claims.
import { describe, expect, it } from 'vitest';
import { virtualClock } from '@macadam/testkit';
import { createHmacJwsVerifier, createJwsVerifier, createJwtVerifier, type JwsVerifierOptions } from '../src/index.ts';
import { base64url, hmacToken, KeyEndpoint, makeToken, privateJwk, reasonOf, testKey } from './tokens.ts';

const key = testKey('k1');
const secret = new Uint8Array(32).fill(7);
const documents = createJwsVerifier({ algorithms: ['ES256'], jwks: { keys: [key.jwk] } });

describe('signed content', () => {
  it.each([
    ['a text', 'It’s a document.'],
    ['JSON that is no object', '[1,2]'],
    ['an object, with names given twice', '{"a":1,"a":2}'],
    ['an empty payload, as in ACME', ''],
  ])('may be %s', async (_what, text) => {
    const { payload, header, algorithm, kid } = await documents.verify(makeToken(key, text));
    expect(Buffer.from(payload).toString()).toBe(text);
    expect([header['alg'], algorithm, kid]).toEqual(['ES256', 'ES256', 'k1']);
    expect(Object.isFrozen(header)).toBe(true);
  });

  it('may be bytes that are not text', async () => {
    const bytes = Uint8Array.from([0xff, 0x00, 0xfe]);
    const input = `${base64url('{"alg":"ES256"}')}.${base64url(bytes)}`;
    const jws = makeToken(key, 'x', '{"alg":"ES256"}');
    expect(await reasonOf(documents.verify(`${input}.${jws.split('.')[2]}`))).toBe('signature');
    const { sign } = await import('node:crypto');
    const signature = sign('sha256', Buffer.from(input), { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
    expect((await documents.verify(`${input}.${base64url(signature)}`)).payload).toEqual(Buffer.from(bytes));
  });

  it('is verified with a shared secret', async () => {
    const verifier = createHmacJwsVerifier({ algorithm: 'HS256', secrets: [{ secret }] });
    expect((await verifier.verify(hmacToken(secret, { a: 1 }))).algorithm).toBe('HS256');
    expect(await reasonOf(verifier.verify(hmacToken(new Uint8Array(32).fill(8), {})))).toBe('signature');
    expect(verifier.describe()).toBe('content signed with HS256, keys: given');
  });

  it('is not accepted as a JWT without claims, and a JWS verifier does not check claims', async () => {
    const expired = makeToken(key, { iss: 'anyone', exp: 1 });
    expect((await documents.verify(expired)).kid).toBe('k1');
    const tokens = createJwtVerifier({
      issuers: [{ issuer: 'i', audience: 'a', algorithms: ['ES256'], jwks: { keys: [key.jwk] } }],
    });
    expect(await reasonOf(tokens.verify(expired))).toBe('issuer');
  });
});

describe('a rejection', () => {
  const good = makeToken(key, 'x');
  const [head = '', body = '', signature = ''] = good.split('.');
  it.each<[string, string, unknown]>([
    ['no text', 'malformed', undefined],
    ['detached content', 'signature', `${head}..${signature}`],
    ['flattened JSON', 'malformed', JSON.stringify({ protected: head, payload: body, signature })],
    ['general JSON', 'malformed', JSON.stringify({ payload: body, signatures: [{ protected: head, signature }] })],
    ['a payload in another spelling', 'malformed', `${head}.${body}=.${signature}`],
    ['an unencoded payload', 'unsupportedHeader', makeToken(key, 'x', { b64: false, crit: ['b64'] })],
    ['another algorithm', 'algorithm', makeToken(testKey('k1', 'ES384'), 'x')],
    ['an unknown key', 'keyUnknown', makeToken({ ...key, kid: 'k2' }, 'x')],
    ['a length beyond the limit', 'tooLarge', makeToken(key, 'x'.repeat(7_000))],
  ])('of %s has the reason %s', async (_what, reason, jws) => {
    expect(await reasonOf(documents.verify(jws as string))).toBe(reason);
  });

  it('is counted by reason', async () => {
    const verifier = createJwsVerifier({ algorithms: ['ES256'], jwks: { keys: [key.jwk] }, maxTokenLength: 20_000 });
    await verifier.verify(makeToken(key, 'x'.repeat(7_000)));
    await reasonOf(verifier.verify(`${head}.${body}.${base64url('not it')}`));
    expect(verifier.stats()).toMatchObject({ accepted: 1, refused: { signature: 1 }, keys: { given: { keys: 1 } } });
  });
});

describe('keys of a jwksUri', () => {
  it('are fetched once, and again for a new kid', async () => {
    const clock = virtualClock();
    const endpoint = new KeyEndpoint([key.jwk]);
    const jwksUri = 'https://id.example.com/jwks';
    await using verifier = createJwsVerifier({ algorithms: ['ES256'], jwksUri, fetch: endpoint.fetch, clock });
    await verifier.ready();
    await verifier.verify(makeToken(key, 'x'));
    const next = testKey('k2', 'ES256', 1);
    endpoint.keys = [next.jwk];
    await clock.advance(1_000);
    await verifier.verify(makeToken(next, 'x'));
    expect(endpoint.calls).toBe(2);
    expect(verifier.stats().keys[jwksUri]?.fetches).toBe(2);
    expect(verifier.describe()).toContain(jwksUri);
  });

  it('that cannot be fetched reject as retryable, naming the URL', async () => {
    const clock = virtualClock();
    const endpoint = new KeyEndpoint([]);
    endpoint.fail();
    const jwksUri = 'https://id.example.com/jwks';
    await using verifier = createJwsVerifier({ algorithms: ['ES256'], jwksUri, fetch: endpoint.fetch, clock });
    await expect(verifier.verify(makeToken(key, 'x'))).rejects.toMatchObject({
      code: 'MAC_TOKEN_INVALID',
      message: `The keys could not be fetched from ${jwksUri}.`,
      reason: 'keysUnavailable',
      issuer: undefined,
      jwksUri,
      retryable: true,
    });
  });
});

it.each<[string, object, string]>([
  ['no algorithms', { algorithms: [], jwks: { keys: [key.jwk] } }, 'algorithms'],
  ['a shared algorithm', { algorithms: ['HS256'], jwks: { keys: [key.jwk] } }, 'createHmacJwsVerifier'],
  ['no keys', { algorithms: ['ES256'] }, 'jwksUri'],
  ['a private key', { algorithms: ['ES256'], jwks: { keys: [privateJwk(key)] } }, 'private key'],
  [
    'a length without bound',
    { algorithms: ['ES256'], jwks: { keys: [key.jwk] }, maxTokenLength: 1e9 },
    'maxTokenLength',
  ],
  ['an issuer', { algorithms: ['ES256'], jwks: { keys: [key.jwk] }, issuer: 'i' }, 'issuer'],
])('%s is rejected at construction', (_what, options, named) => {
  expect(() => createJwsVerifier(options as JwsVerifierOptions)).toThrow(named);
});
