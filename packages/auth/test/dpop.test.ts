// A31: DPoP proofs, created and verified. In virtual time.
import { inspect } from 'node:util';
import { virtualClock, type VirtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import {
  boundKeyOf,
  createDpopKey,
  createDpopVerifier,
  createJwtVerifier,
  dpop,
  DpopError,
  type DpopKey,
  type DpopVerifier,
  type DpopVerifierOptions,
  type JwtVerifier,
} from '../src/index.ts';
import { stageTokens } from './token-endpoint.ts';
import { accessClaims, AUDIENCE, ISSUER, makeToken, privateJwk, reasonOf, testKey } from './tokens.ts';

const issuerKey = testKey('k1', 'ES256', 0);
const proofKey = testKey(undefined, 'ES256', 1);
const { use: _use, ...proofJwk } = proofKey.jwk;
const URL_OF = 'https://orders.example.com/orders/7';
const SECRET = new Uint8Array(32).fill(7);

interface Stage {
  clock: VirtualClock;
  server: DpopVerifier;
  tokens: JwtVerifier;
  key: DpopKey;
  token: string;
  /** The result of a request: `accepted`, or the reason of the rejection. */
  send(headers: Record<string, string | string[]>, request?: { method?: string; url?: string }): Promise<string>;
  headers(): Promise<{ authorization: string; dpop: string }>;
}

function stage(options: DpopVerifierOptions = {}): Stage {
  const clock = virtualClock();
  const tokens = createJwtVerifier({
    issuers: [{ issuer: ISSUER, audience: AUDIENCE, algorithms: ['ES256'], jwks: { keys: [issuerKey.jwk] } }],
    clock,
  });
  const server = createDpopVerifier({ clock, ...options });
  const key = createDpopKey({ privateKey: { key: privateJwk(proofKey), algorithm: 'ES256' }, clock });
  const token = makeToken(issuerKey, accessClaims(clock, { cnf: { jkt: key.thumbprint } }));
  return {
    clock,
    server,
    tokens,
    key,
    token,
    send: (headers, { method = 'GET', url = URL_OF } = {}) =>
      reasonOf(server.authenticate({ method, url, headers }, tokens)),
    headers: async () => ({
      authorization: `DPoP ${token}`,
      dpop: await key.proof({ method: 'GET', url: URL_OF, accessToken: token }),
    }),
  };
}

/** A signed proof with any header and claims. */
function forged(clock: VirtualClock, token: string, payload: object = {}, header: object = {}): string {
  const claims = {
    jti: `id-${Math.floor(clock.monotonic())}-${JSON.stringify([payload, header]).length}`,
    htm: 'GET',
    htu: URL_OF,
    iat: Math.floor(clock.now() / 1_000),
    ath: Buffer.from(new Uint8Array()).toString(),
    ...payload,
  };
  return makeToken(
    proofKey,
    { ...claims, ...tokenHashOf(token), ...payload },
    { typ: 'dpop+jwt', jwk: proofJwk, ...header },
  );
}

function tokenHashOf(token: string): { ath: string } {
  // The hash is taken from a valid proof.
  return { ath: hashes.get(token) ?? '' };
}
const hashes = new Map<string, string>();
async function learnHash({ key, token }: Stage): Promise<void> {
  const proof = await key.proof({ method: 'GET', url: URL_OF, accessToken: token });
  const payload = JSON.parse(Buffer.from(proof.split('.')[1]!, 'base64url').toString()) as { ath: string };
  hashes.set(token, payload.ath);
}

describe('A31: the DPoP verifier', () => {
  it('accepts a bound token once with a proof by its key for this request', async () => {
    const { server, tokens, headers } = stage();
    const sent = await headers();
    const request = { method: 'GET', url: `${URL_OF}?page=2#top`, headers: sent };
    expect(await server.authenticate(request, tokens)).toMatchObject({ subject: 'user-1' });
    expect(await reasonOf(server.authenticate(request, tokens))).toBe('replayed');
  });

  it('accepts the proof of RFC 9449 section 4.1, and computes the ath of section 7.1', async () => {
    const { accessTokenHash } = await import('../src/dpop/proof-claims.ts');
    const proof =
      'eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJo' +
      'RjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJq' +
      'dGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0Ijox' +
      'NTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg';
    const server = createDpopVerifier({ clock: virtualClock({ now: 1_562_262_616_000 }) });
    const request = { method: 'POST', url: 'https://server.example.com/token', headers: { dpop: proof } };
    expect(await server.verifyProof(request)).toEqual({
      thumbprint: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I',
      issuedAtMs: 1_562_262_616_000,
    });
    expect(accessTokenHash('Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU')).toBe(
      'fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo',
    );
  });

  it('accepts header fields of Node and of fetch', async () => {
    const { server, tokens, headers } = stage();
    const request = { method: 'GET', url: URL_OF, headers: new Headers(await headers()) };
    expect(await server.authenticate(request, tokens)).toMatchObject({ subject: 'user-1' });
    const distinct = Object.fromEntries(Object.entries(await headers()).map(([name, line]) => [name, [line]]));
    const again = { method: 'GET', url: URL_OF, headers: distinct };
    expect(await server.authenticate(again, tokens)).toMatchObject({ subject: 'user-1' });
  });

  it.each<[name: string, reason: string, payload: object, header: object]>([
    ['made for another method', 'method', { htm: 'POST' }, {}],
    ['for the method in small letters', 'method', { htm: 'get' }, {}],
    ['for another path', 'url', { htu: 'https://orders.example.com/orders/8' }, {}],
    ['for another host', 'url', { htu: 'https://evil.example.com/orders/7' }, {}],
    ['for another scheme', 'url', { htu: 'http://orders.example.com/orders/7' }, {}],
    ['for no address', 'url', { htu: 'orders/7' }, {}],
    ['for another token', 'token', { ath: 'x'.repeat(43) }, {}],
    ['for no token', 'token', { ath: undefined }, {}],
    ['without an id', 'malformed', { jti: undefined }, {}],
    ['with an id of 257 characters', 'malformed', { jti: 'x'.repeat(257) }, {}],
    ['without a time', 'malformed', { iat: undefined }, {}],
    ['with a time as text', 'malformed', { iat: '1767225600' }, {}],
    ['that is longer than 8 KiB', 'malformed', { padding: 'x'.repeat(6_200) }, {}],
    ['that is another kind of token', 'type', {}, { typ: 'JWT' }],
    ['with an algorithm that is not allowed', 'algorithm', {}, { alg: 'ES384' }],
    ['without any', 'algorithm', {}, { alg: 'none' }],
    ['under a shared secret', 'algorithm', {}, { alg: 'HS256' }],
    ['without a key', 'key', {}, { jwk: undefined }],
    ['with a private key', 'key', {}, { jwk: privateJwk(proofKey) }],
    ['with a shared secret as key', 'key', {}, { jwk: { kty: 'oct', k: 'AAAA' } }],
    ['with a key of another kind', 'key', {}, { jwk: testKey(undefined, 'EdDSA').jwk }],
    ['with the key of another client', 'signature', {}, { jwk: issuerKey.jwk }],
    ['with critical headers', 'malformed', {}, { crit: ['exp'] }],
  ])('rejects a proof %s', async (_name, reason, payload, header) => {
    const one = stage();
    await learnHash(one);
    const { clock, token, send } = one;
    expect(await send({ authorization: `DPoP ${token}`, dpop: forged(clock, token) })).toBe('accepted');
    expect(await send({ authorization: `DPoP ${token}`, dpop: forged(clock, token, payload, header) })).toBe(reason);
  });

  it('rejects a proof one second past its maximum age, or one second beyond the tolerance in the future', async () => {
    const rows: [aheadMs: number, reason: string][] = [
      [-70_000, 'accepted'],
      [-71_000, 'tooOld'],
      [10_000, 'accepted'],
      [11_000, 'tooNew'],
    ];
    for (const [aheadMs, reason] of rows) {
      const one = stage();
      await learnHash(one);
      const { clock, token, send } = one;
      const iat = (clock.now() + aheadMs) / 1_000;
      expect(await send({ authorization: `DPoP ${token}`, dpop: forged(clock, token, { iat }) }), `${aheadMs}`).toBe(
        reason,
      );
    }
  });

  it('compares htu with the URL after normalizing both', async () => {
    for (const htu of [
      'HTTPS://Orders.Example.COM:443/orders/7',
      'https://orders.example.com/x/../orders/7',
      'https://orders.example.com/%6frders/7?page=2',
    ]) {
      const one = stage();
      await learnHash(one);
      const { clock, token, send } = one;
      expect(await send({ authorization: `DPoP ${token}`, dpop: forged(clock, token, { htu }) }), htu).toBe('accepted');
    }
    const one = stage();
    await learnHash(one);
    const { clock, token, send } = one;
    const url = 'https://orders.example.com/a%2fb';
    const split = forged(clock, token, { htu: 'https://orders.example.com/a/b' });
    expect(await send({ authorization: `DPoP ${token}`, dpop: split }, { url })).toBe('url');
    const coded = forged(clock, token, { htu: 'https://orders.example.com/a%2Fb' });
    expect(await send({ authorization: `DPoP ${token}`, dpop: coded }, { url })).toBe('accepted');
  });

  it('rejects several DPoP fields, as a list or joined', async () => {
    const { headers, send } = stage();
    const [one, two] = [await headers(), await headers()];
    expect(await send({ ...one, dpop: [one.dpop, two.dpop] })).toBe('malformed');
    expect(await send({ ...one, dpop: `${one.dpop}, ${two.dpop}` })).toBe('malformed');
    expect(await send({ ...one, dpop: 'x'.repeat(9_000) })).toBe('malformed');
  });

  it('rejects a bound token sent as Bearer or without a proof, and an unbound token', async () => {
    const { clock, key, token, headers, send } = stage();
    const sent = await headers();
    expect(await send({ ...sent, authorization: `Bearer ${token}` })).toBe('missing');
    expect(await send({ authorization: sent.authorization })).toBe('missing');
    expect(await send({})).toBe('missing');
    const free = makeToken(issuerKey, accessClaims(clock));
    const proof = await key.proof({ method: 'GET', url: URL_OF, accessToken: free });
    expect(await send({ authorization: `DPoP ${free}`, dpop: proof })).toBe('binding');
  });

  it('rejects a stolen token with a proof by another key', async () => {
    const { clock, token, send } = stage();
    const thief = createDpopKey({ clock });
    const proof = await thief.proof({ method: 'GET', url: URL_OF, accessToken: token });
    expect(await send({ authorization: `DPoP ${token}`, dpop: proof })).toBe('binding');
  });

  it('rejects when the replay store fails, and does not remember rejected proofs', async () => {
    const seen: string[] = [];
    const one = stage({
      seen: (id, keepMs) => {
        seen.push(id);
        expect(keepMs).toBe(80_001);
        return Promise.reject(new Error('down'));
      },
    });
    const { headers, send, server, tokens, key } = one;
    const sent = await headers();
    const error: unknown = await server
      .authenticate({ method: 'GET', url: URL_OF, headers: sent }, tokens)
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'MAC_DPOP_INVALID', reason: 'replayUnknown', retryable: true });
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatch(new RegExp(`^${key.thumbprint}\\.`));
    await send({ ...sent, dpop: `${sent.dpop.slice(0, -8)}AAAAAAAA` });
    expect(seen).toHaveLength(1);
  });

  it('remembers proofs as long as they could be accepted, to the last millisecond', async () => {
    const one = stage();
    await learnHash(one);
    const { clock, token, send } = one;
    const ahead = forged(clock, token, { iat: clock.now() / 1_000 + 10 });
    const first = { authorization: `DPoP ${token}`, dpop: ahead };
    expect(await send(first)).toBe('accepted');
    await clock.advance(79_999);
    expect(await send(first)).toBe('replayed');
    await clock.advance(1);
    expect(await send(first)).toBe('replayed');
    await clock.advance(1);
    expect(await send(first)).toBe('tooOld');
  });

  it('caches only keys of valid proofs, per algorithm, up to a maximum number', async () => {
    const { ProofKeyCache } = await import('../src/dpop/proof-keys.ts');
    const keys = new ProofKeyCache(2);
    const [one, two, three] = [0, 1, 2].map((place) => testKey(undefined, 'ES256', place).jwk) as [
      object,
      object,
      object,
    ];
    const read = keys.get(one, 'ES256')!;
    expect(keys.size).toBe(0);
    expect(keys.get(one, 'ES256')).not.toBe(read);
    keys.add(one, 'ES256', read);
    expect(keys.get(one, 'ES256')).toBe(read);
    expect(keys.get(one, 'EdDSA')).toBeUndefined();
    expect(keys.get({ ...one, use: 'enc' }, 'ES256')).toBeUndefined();
    for (const jwk of [two, three]) keys.add(jwk, 'ES256', keys.get(jwk, 'ES256')!);
    expect(keys.size).toBe(2);
    expect(keys.get(one, 'ES256')).not.toBe(read);
  });

  it('drops the oldest proof when the replay store is full, and expired ones', async () => {
    const { memoryReplayStore } = await import('../src/dpop/memory-replay-store.ts');
    const clock = virtualClock();
    const seen = memoryReplayStore(clock, 3);
    for (const id of ['a', 'b', 'c']) expect(seen(id, 1_000)).toBe(false);
    expect(['a', 'b', 'c'].map((id) => seen(id, 1_000))).toEqual([true, true, true]);
    expect(seen('d', 1_000)).toBe(false);
    expect(['b', 'c', 'd'].map((id) => seen(id, 1_000))).toEqual([true, true, true]);
    expect(seen('a', 1_000)).toBe(false);
    await clock.advance(500);
    expect(seen('e', 1_000)).toBe(false);
    await clock.advance(500);
    expect(['d', 'a', 'e'].map((id) => seen(id, 1_000))).toEqual([false, false, true]);
  });

  it('requires a server nonce if configured, valid in its period and the next', async () => {
    const { clock, key, server, send, headers } = stage({ nonce: { secret: SECRET, periodMs: 60_000 } });
    const request = { method: 'GET', url: URL_OF, headers: await headers() };
    const error = await server.verifyProof(request).catch((caught: unknown) => caught as DpopError);
    expect(error).toMatchObject({ reason: 'nonce', nonce: server.nonce() });
    expect((error as DpopError).challenge).toBe('DPoP error="use_dpop_nonce", algs="ES256 EdDSA Ed25519 PS256"');
    key.learn('https://orders.example.com', server.nonce());
    expect(await send(await headers())).toBe('accepted');
    await clock.advance(60_000);
    expect(await send(await headers())).toBe('accepted');
    await clock.advance(60_000);
    expect(await send(await headers())).toBe('nonce');
    key.learn('https://orders.example.com', createDpopVerifier({ nonce: { secret: SECRET }, clock }).nonce());
    expect(await send(await headers())).toBe('nonce');
  });

  it('names the problem in the challenge, and never the proof or token in an error', async () => {
    const { headers, server, token, tokens } = stage();
    const sent = await headers();
    const rows: [headers: Record<string, string>, method: string, challenge: string][] = [
      [{}, 'GET', 'DPoP algs="ES256 EdDSA Ed25519 PS256"'],
      [sent, 'PUT', 'DPoP error="invalid_dpop_proof", algs="ES256 EdDSA Ed25519 PS256"'],
      [
        { ...sent, dpop: await createDpopKey().proof({ method: 'GET', url: URL_OF }) },
        'GET',
        'DPoP error="invalid_dpop_proof", algs="ES256 EdDSA Ed25519 PS256"',
      ],
    ];
    for (const [all, method, challenge] of rows) {
      const error = await server
        .authenticate({ method, url: URL_OF, headers: all }, tokens)
        .catch((caught: unknown) => caught as DpopError);
      expect(error).toBeInstanceOf(DpopError);
      expect((error as DpopError).challenge).toBe(challenge);
      const shown = inspect(error, { depth: 9 }) + JSON.stringify(error);
      expect(shown).not.toContain(token.slice(0, 20));
      expect(shown).not.toContain(sent.dpop.slice(0, 20));
    }
  });

  it('boundKeyOf returns the thumbprint of a bound token, and undefined for a bearer token', () => {
    expect(boundKeyOf({ cnf: { jkt: 'abc' } })).toBe('abc');
    for (const claims of [{}, { cnf: null }, { cnf: { jkt: 7 } }, { cnf: [] }, { cnf: 'abc' }]) {
      expect(boundKeyOf(claims)).toBeUndefined();
    }
  });

  it('rejects invalid options', () => {
    const wrong: object[] = [
      { algorithms: [] },
      { algorithms: ['HS256'] },
      { algorithms: ['none'] },
      { maxAgeMs: Number.NaN },
      { clockToleranceMs: 60_001 },
      { nonce: { secret: new Uint8Array(31) } },
      { nonce: { secret: 'x'.repeat(32) } },
      { seen: true },
    ];
    for (const options of wrong) expect(() => createDpopVerifier(options), JSON.stringify(options)).toThrow(/^Option /);
  });
});

describe('A31: the DPoP client', () => {
  const payloadOf = (proof: string): Record<string, unknown> =>
    JSON.parse(Buffer.from(proof.split('.')[1]!, 'base64url').toString()) as Record<string, unknown>;
  const context = { signal: new AbortController().signal };
  const response = (status: number, headers: Record<string, string>, origin = 'https://api.example.com') => ({
    status,
    origin,
    headers: new Headers(headers),
  });

  it('creates no proof for a text that is not an http URL', async () => {
    const key = createDpopKey();
    for (const url of ['/a', 'ftp://a/', undefined as never]) {
      await expect(key.proof({ method: 'GET', url })).rejects.toMatchObject({
        code: 'MAC_INVALID_OPTIONS',
        path: 'url',
      });
    }
  });

  it('creates each proof with its own jti, and reveals only the public key', async () => {
    const key = createDpopKey({ algorithm: 'Ed25519', clock: virtualClock() });
    const target = { method: 'GET', url: 'https://API.example.com:443/a/../b?q=1#f' };
    const [one, two] = [await key.proof(target), await key.proof(target)];
    expect(payloadOf(one)).toEqual({
      jti: expect.stringMatching(/^[\da-f-]{36}$/) as string,
      htm: 'GET',
      htu: 'https://api.example.com/b',
      iat: 1_767_225_600,
    });
    expect(payloadOf(one)['jti']).not.toBe(payloadOf(two)['jti']);
    expect(Object.keys(key.publicJwk).sort()).toEqual(['crv', 'kty', 'x']);
    expect(key.thumbprint).toMatch(/^[\w-]{43}$/);
  });

  it('computes the thumbprint of the example in RFC 7638', async () => {
    const { jwkThumbprint } = await import('../src/dpop/proof-claims.ts');
    const jwk = {
      kty: 'RSA',
      n: '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw',
      e: 'AQAB',
      alg: 'RS256',
      kid: '2011-04-29',
    };
    expect(jwkThumbprint(jwk)).toBe('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs');
  });

  it('stores the nonce of every response per origin, up to a maximum number of origins', async () => {
    const key = createDpopKey({ maxOrigins: 2 });
    const { tokens } = stageTokens();
    const auth = dpop(tokens, key);
    const sent = { authorization: 'DPoP x', dpop: 'y' };
    const nonceFor = async (url: string): Promise<unknown> =>
      payloadOf(await key.proof({ method: 'GET', url }))['nonce'];
    auth.received(sent, response(200, { 'dpop-nonce': 'n1' }));
    expect(await nonceFor('https://api.example.com/a')).toBe('n1');
    expect(await nonceFor('https://other.example.com/a')).toBeUndefined();
    auth.received(sent, response(500, { 'dpop-nonce': 'n2' }));
    expect(await nonceFor('https://api.example.com/a')).toBe('n2');
    for (const bad of ['', 'a b', 'a"b', 'x'.repeat(513)]) auth.received(sent, response(401, { 'dpop-nonce': bad }));
    expect(await nonceFor('https://api.example.com/a')).toBe('n2');
    for (const n of [1, 2]) key.learn(`https://s${n}.example.com`, 'm');
    expect(await nonceFor('https://api.example.com/a')).toBeUndefined();
  });

  it('keeps its token after a challenge for a nonce, and invalidates it after any other 401', async () => {
    const { endpoint, tokens } = stageTokens();
    const auth = dpop(tokens, createDpopKey());
    const request = { method: 'GET', url: 'https://api.example.com/a' };
    const first = await auth.authorize(request, context);
    auth.received(first, response(401, { 'www-authenticate': 'DPoP error="use_dpop_nonce"', 'dpop-nonce': 'n1' }));
    auth.invalidate(first);
    const second = await auth.authorize(request, context);
    expect(second['authorization']).toBe(first['authorization']);
    expect(payloadOf(second['dpop']!)['nonce']).toBe('n1');
    auth.received(second, response(401, { 'www-authenticate': 'DPoP error="invalid_token"' }));
    auth.invalidate(second);
    expect((await auth.authorize(request, context))['authorization']).toBe('DPoP token-2');
    expect(endpoint.calls).toBe(2);
  });

  it.each([
    ['DPoP algs="ES256", error="use_dpop_nonce"', true],
    ['dpop error=use_dpop_nonce', true],
    ['DPoP error = "use_dpop_nonce" , algs="ES256"', true],
    ['Bearer, DPoP error="use_dpop_nonce", algs="ES256"', true],
    ['Bearer realm="api", DPoP algs="ES256", error="use_dpop_nonce"', true],
    ['Negotiate YWJj==, , DPoP error="use_dpop_nonce", Basic realm="b"', true],
    ['DPoP error="use_dpop_nonce", Bearer error="invalid_token"', true],
    ['DPoP realm="a \\"quoted\\", name", error="use_dpop_nonce"', true],
    ['DPoP algs="ES256", Bearer error="use_dpop_nonce"', false],
    ['Bearer realm="x, DPoP error=use_dpop_nonce"', false],
    ['Bearer realm="DPoP", error="use_dpop_nonce"', false],
    ['DPoP error="use_dpop_nonce_", DPoP error_description="use_dpop_nonce"', false],
    ['DPoP error="invalid_token", error_description="DPoP error=\\"use_dpop_nonce\\""', false],
    ['Bearer realm="never closed, DPoP error=use_dpop_nonce', false],
    ['', false],
  ])('keeps its token if the challenge of DPoP asks for a nonce: %s', async (challenge, isKept) => {
    const { tokens } = stageTokens();
    const auth = dpop(tokens, createDpopKey());
    const request = { method: 'GET', url: 'https://api.example.com/a' };
    const sent = await auth.authorize(request, context);
    auth.received(sent, response(401, { 'www-authenticate': challenge, 'dpop-nonce': 'n1' }));
    auth.invalidate(sent);
    expect((await auth.authorize(request, context))['authorization']).toBe(isKept ? 'DPoP token-1' : 'DPoP token-2');
  });

  it('requests a token with a proof, and retries once with the nonce of the server', async () => {
    const key = createDpopKey();
    const { clock, endpoint, tokens } = stageTokens({ dpop: key });
    const proofs = (): Record<string, unknown>[] => endpoint.requests.map(({ headers }) => payloadOf(headers['dpop']!));
    endpoint.respond = () =>
      endpoint.calls === 1
        ? Response.json({ error: 'use_dpop_nonce' }, { status: 400, headers: { 'dpop-nonce': 'n1' } })
        : Response.json({ access_token: 'bound', token_type: 'DPoP' }, { headers: { 'dpop-nonce': 'n2' } });
    expect(await tokens.getToken()).toBe('bound');
    expect(proofs().map(({ htm, htu, nonce, ath }) => [htm, htu, nonce, ath])).toEqual([
      ['POST', 'https://id.example.com/token', undefined, undefined],
      ['POST', 'https://id.example.com/token', 'n1', undefined],
    ]);
    expect(proofs()[0]!['jti']).not.toBe(proofs()[1]!['jti']);
    tokens.invalidate('bound');
    await tokens.getToken();
    expect(proofs()[2]!['nonce']).toBe('n2');
    endpoint.respond = () =>
      Response.json({ error: 'use_dpop_nonce' }, { status: 400, headers: { 'dpop-nonce': `m${endpoint.calls}` } });
    tokens.invalidate('bound');
    await expect(tokens.getToken()).rejects.toMatchObject({ reason: 'refused', error: 'use_dpop_nonce' });
    expect(endpoint.calls).toBe(5);
    // The nonce of the failed response is stored.
    endpoint.respond = () => endpoint.plain({ token_type: 'DPoP' });
    await clock.advance(2_000);
    await tokens.getToken();
    expect(proofs().at(-1)!['nonce']).toBe('m5');
  });

  it('rejects a bearer token where a bound one was requested', async () => {
    const { tokens } = stageTokens({ dpop: createDpopKey() });
    await expect(tokens.getToken()).rejects.toMatchObject({ reason: 'malformed' });
  });

  it('rejects a key that createDpopKey did not create', () => {
    const { tokens } = stageTokens();
    expect(() => dpop(tokens, {} as never)).toThrow(/dpop.key/);
    expect(() => createDpopKey({ algorithm: 'RS256' as never })).toThrow(/algorithm/);
    expect(() => createDpopKey({ algorithm: 'ES256', privateKey: { key: 'x', algorithm: 'ES256' } })).toThrow(
      /algorithm/,
    );
  });
});
