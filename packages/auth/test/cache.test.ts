// A9: a cached result equals a fresh one at every instant. And the limits of the cache.
import { virtualClock } from '@macadam/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createJwtVerifier, type JwtVerifierOptions } from '../src/index.ts';
import { tokenDigest, TokenCache } from '../src/jwt/token-cache.ts';
import { accessClaims, AUDIENCE, ISSUER, KeyEndpoint, makeToken, reasonOf, testKey } from './tokens.ts';

const a = testKey('a', 'ES256', 0);
const b = testKey('b', 'ES256', 1);

/** What can happen between two uses of a token. */
const event = fc.oneof(
  fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 400_000 }) }),
  fc.record({ kind: fc.constant('jump' as const), ms: fc.integer({ min: -200_000, max: 200_000 }) }),
  fc.record({ kind: fc.constant('keys' as const), both: fc.boolean(), named: fc.boolean() }),
  fc.record({ kind: fc.constant('outage' as const), on: fc.boolean() }),
  fc.record({ kind: fc.constant('revoke' as const), on: fc.boolean() }),
);
const token = fc.record({
  exp: fc.integer({ min: 1, max: 600 }),
  nbf: fc.option(fc.integer({ min: -100, max: 100 }), { nil: undefined }),
  iat: fc.integer({ min: -300, max: 100 }),
  key: fc.constantFrom(a, b, { ...a, kid: undefined }),
});

describe('A9: the cache', () => {
  it('gives the result of a fresh verification at every instant, whatever happens in between', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(token, { minLength: 1, maxLength: 3 }), fc.array(event, { maxLength: 12 }), check),
      { numRuns: 60, seed: 20_261_122 },
    );
  });

  async function check(
    specs: { exp: number; nbf: number | undefined; iat: number; key: typeof a }[],
    events: ({ kind: string } & Record<string, unknown>)[],
  ): Promise<void> {
    const clock = virtualClock();
    let revoked = false;
    const endpoints = [new KeyEndpoint([a.jwk]), new KeyEndpoint([a.jwk])];
    const [cached, plain] = endpoints.map((endpoint, at) => {
      const options: JwtVerifierOptions = {
        issuers: [
          {
            issuer: ISSUER,
            audience: AUDIENCE,
            algorithms: ['ES256'],
            jwksUri: 'https://id.example.com/jwks',
            maxTokenAgeMs: 500_000,
          },
        ],
        fetch: endpoint.fetch,
        keyFetch: { staleIfErrorMs: 600_000 },
        isRevoked: () => revoked,
        clock,
        random: () => 0.5,
      };
      return createJwtVerifier(at === 0 ? options : { ...options, cache: false });
    });
    const start = clock.now() / 1_000;
    const tokens = specs.map(({ exp, nbf, iat, key }) => {
      const times = { exp: start + exp, iat: start + iat, ...(nbf !== undefined && { nbf: start + nbf }) };
      return makeToken(key, accessClaims(clock, times));
    });
    for (const one of [{ kind: 'start' }, ...events] as ({ kind: string } & Record<string, unknown>)[]) {
      if (one.kind === 'advance') await clock.advance(one['ms'] as number);
      else if (one.kind === 'jump') clock.jump(one['ms'] as number);
      else if (one.kind === 'revoke') revoked = one['on'] as boolean;
      else if (one.kind === 'outage')
        for (const endpoint of endpoints) one['on'] === true ? endpoint.fail() : (endpoint.respond = undefined);
      else if (one.kind === 'keys') {
        const first = one['named'] === true ? a.jwk : { ...b.jwk, kid: 'a' };
        for (const endpoint of endpoints) endpoint.keys = one['both'] === true ? [first, b.jwk] : [first];
      }
      for (const text of [...tokens, ...tokens]) {
        const reasons = [await reasonOf(cached!.verify(text)), await reasonOf(plain!.verify(text))];
        expect(reasons[0]).toBe(reasons[1]);
        // Background refreshes of both have arrived before the next use.
        await new Promise(setImmediate);
      }
    }
  }

  it('does not cache rejected tokens', async () => {
    const clock = virtualClock();
    const verifier = createJwtVerifier({
      issuers: [{ issuer: ISSUER, audience: AUDIENCE, algorithms: ['ES256'], jwks: { keys: [a.jwk] } }],
      clock,
    });
    for (const more of [{ exp: 1 }, { aud: 'x' }, { sub: undefined }]) {
      expect(await reasonOf(verifier.verify(makeToken(a, accessClaims(clock, more))))).not.toBe('accepted');
    }
    expect(verifier.stats().cache).toEqual({ hits: 0, misses: 3, entries: 0, bytes: 0 });
  });

  it('verifies a cached token again after maxAgeMs', async () => {
    const clock = virtualClock();
    const verifier = createJwtVerifier({
      issuers: [{ issuer: ISSUER, audience: AUDIENCE, algorithms: ['ES256'], jwks: { keys: [a.jwk] } }],
      cache: { maxAgeMs: 1_000 },
      clock,
    });
    const text = makeToken(a, accessClaims(clock));
    await verifier.verify(text);
    await clock.advance(999);
    await verifier.verify(text);
    await clock.advance(1);
    await verifier.verify(text);
    expect(verifier.stats().cache).toMatchObject({ hits: 1, misses: 2, entries: 1 });
  });
});

describe('the limits of the token cache', () => {
  it('hold for 100,000 distinct tokens, in number and in bytes', () => {
    const cache = new TokenCache<number>({
      maxEntries: 1_000,
      maxBytes: 400_000,
      maxAgeMs: 1_000,
      admitWhenFull: 'always',
    });
    for (let n = 0; n < 100_000; n++) {
      cache.set(tokenDigest(`token ${n}`), n, 100 + (n % 1_000), 0);
      if (cache.size > 1_000 || cache.bytes > 400_000) throw new Error(`${cache.size} entries of ${cache.bytes} bytes`);
    }
    expect(cache.size).toBeGreaterThan(300);
  });

  it('keep entries that are used during a flood of others', () => {
    const cache = new TokenCache<string>({ maxEntries: 100, maxBytes: 1e9, maxAgeMs: 1_000, admitWhenFull: 'always' });
    cache.set('good', 'good', 1, 0);
    for (let n = 0; n < 1_000; n++) {
      cache.set(`flood ${n}`, 'bad', 1, 0);
      expect(cache.get('good', 0)).toBe('good');
    }
    expect(cache.size).toBe(100);
  });

  it('let a full cache admit only tokens that are seen for the second time', () => {
    const cache = new TokenCache<number>({
      maxEntries: 100,
      maxBytes: 1e9,
      maxAgeMs: 1_000,
      admitWhenFull: 'secondTime',
    });
    const use = (n: number): boolean => {
      const key = tokenDigest(`token ${n}`);
      if (cache.get(key, 0) !== undefined) return true;
      cache.set(key, n, 1, 0);
      return false;
    };
    for (let n = 0; n < 100; n++) use(n);
    for (let n = 1_000; n < 20_000; n++) expect(use(n)).toBe(false);
    for (let n = 0; n < 100; n++) expect(use(n)).toBe(true);
    expect([use(20_000), use(20_000), use(20_000)]).toEqual([false, false, true]);
    expect(cache.size).toBe(100);
  });

  it('reject an entry larger than the cache, and count a replaced entry once', () => {
    const cache = new TokenCache<number>({ maxEntries: 10, maxBytes: 100, maxAgeMs: 1_000, admitWhenFull: 'always' });
    cache.set('large', 1, 101, 0);
    cache.set('same', 1, 60, 0);
    cache.set('same', 2, 70, 0);
    expect([cache.size, cache.bytes, cache.get('same', 0), cache.get('large', 0)]).toEqual([1, 70, 2, undefined]);
  });
});
