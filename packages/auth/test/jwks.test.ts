// A11 and A13 to A17: key sets that are fetched, rotated, unreachable and attacked. In virtual time.
import { getEventListeners } from 'node:events';
import { inspect } from 'node:util';
import { seededRandom, virtualClock, type VirtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { createJwsVerifier, createJwtVerifier, type JwtVerifier, type KeyFetchOptions } from '../src/index.ts';
import { UnknownKids } from '../src/jwt/unknown-kids.ts';
import {
  accessClaims,
  AUDIENCE,
  ISSUER,
  KeyEndpoint,
  makeToken,
  privateJwk,
  reasonOf,
  type TestKey,
  testKey,
} from './tokens.ts';

const URI = 'https://id.example.com/jwks';
const MINUTE = 60_000;
const a = testKey('a', 'ES256', 0);
const b = testKey('b', 'ES256', 1);

interface Stage {
  clock: VirtualClock;
  endpoint: KeyEndpoint;
  verifier: JwtVerifier;
  /** Verifies a new token signed with `key`; returns `accepted` or the reason of the rejection. */
  send(key: TestKey, header?: object): Promise<string>;
}

function stage(keyFetch: KeyFetchOptions = {}, seed = 1): Stage {
  const clock = virtualClock();
  const endpoint = new KeyEndpoint([a.jwk]);
  const verifier = createJwtVerifier({
    issuers: [{ issuer: ISSUER, audience: AUDIENCE, algorithms: ['ES256'], jwksUri: URI }],
    fetch: endpoint.fetch,
    keyFetch,
    clock,
    random: seededRandom(seed),
  });
  const send = async (key: TestKey, header: object = {}): Promise<string> => {
    const reason = await reasonOf(verifier.verify(makeToken(key, accessClaims(clock), header)));
    await clock.settle();
    return reason;
  };
  return { clock, endpoint, verifier, send };
}

describe('a fetched key set', () => {
  it('is fetched once for all concurrent verifications, without following redirects', async () => {
    const { endpoint, send } = stage();
    const reasons = await Promise.all(Array.from({ length: 50 }, () => send(a)));
    expect(new Set(reasons)).toEqual(new Set(['accepted']));
    expect(endpoint.calls).toBe(1);
    expect(endpoint.requests[0]).toMatchObject({ url: URI, redirect: 'manual' });
  });

  it.each([
    ['starts with a byte order mark', () => new Response(`\ufeff${JSON.stringify({ keys: [a.jwk] })}`), 'accepted'],
    [
      'is an error whose body never finishes cancelling',
      () => new Response(new ReadableStream({ cancel: () => new Promise(() => {}) }), { status: 500 }),
      'keysUnavailable',
    ],
  ])('is evaluated without delay when the response %s', async (_what, answer, expected) => {
    const clock = virtualClock();
    const verifier = createJwtVerifier({
      issuers: [{ issuer: ISSUER, audience: AUDIENCE, algorithms: ['ES256'], jwksUri: URI }],
      fetch: () => Promise.resolve(answer()),
      clock,
    });
    expect(await reasonOf(verifier.verify(makeToken(a, accessClaims(clock))))).toBe(expected);
  });

  it('is fetched by ready() before the first token', async () => {
    const { endpoint, verifier, send } = stage();
    await verifier.ready();
    await verifier.ready();
    expect(await send(a)).toBe('accepted');
    expect(endpoint.calls).toBe(1);
  });

  it('A17: is refreshed in the background before it is stale, and no verification waits', async () => {
    const { clock, endpoint, send } = stage();
    await send(a);
    let release!: (response: Response) => void;
    endpoint.respond = () => new Promise((resolve) => (release = resolve));
    await clock.advance(600_000 * 0.88);
    expect(await send(a)).toBe('accepted');
    expect(endpoint.calls).toBe(2);
    expect(await send(a)).toBe('accepted');
    release(Response.json({ keys: [b.jwk] }));
    await clock.settle();
    await new Promise(setImmediate);
    expect(await send(b)).toBe('accepted');
    expect(endpoint.calls).toBe(2);
  });

  it('A24: is refreshed at a different time in each process', async () => {
    const instants: number[] = [];
    for (let seed = 0; seed < 40; seed++) {
      const { clock, endpoint, send } = stage({}, seed);
      await send(a);
      while (endpoint.calls < 2) {
        await clock.advance(5_000);
        await send(a);
      }
      instants.push(clock.monotonic());
    }
    expect(Math.min(...instants)).toBeGreaterThanOrEqual(600_000 * 0.72);
    expect(Math.max(...instants)).toBeLessThanOrEqual(600_000 * 0.88 + 5_000);
    expect(Math.max(...instants) - Math.min(...instants)).toBeGreaterThan(60_000);
  });

  it.each([
    ['max-age=3600', 3_600_000],
    ['max-age=1', 60_000],
    ['public, max-age=99999999', 86_400_000],
    ['no-store', 60_000],
    ['private', 600_000],
    ['max-age=-5', 600_000],
  ])('is fresh as long as %s says, within limits', async (header, freshMs) => {
    const { clock, endpoint, send } = stage();
    endpoint.headers = { 'cache-control': header };
    await send(a);
    await clock.advance(freshMs * 0.71);
    await send(a);
    expect(endpoint.calls).toBe(1);
    await clock.advance(freshMs * 0.18);
    await send(a);
    expect(endpoint.calls).toBe(2);
  });

  it.each([
    ['max-age=3600', '3590', 60_000],
    ['max-age=3600', '1800', 1_800_000],
    ['max-age=99999999', '3600', 86_400_000],
    ['max-age=3600', 'yesterday', 3_600_000],
    ['private', '3600', 600_000],
    [`max-age=1${'0'.repeat(400)}`, `1${'0'.repeat(400)}`, 60_000],
  ])('is fresh as long as %s says, less the time it spent in caches (Age: %s)', async (header, age, freshMs) => {
    const { clock, endpoint, send } = stage();
    endpoint.headers = { 'cache-control': header, age };
    await send(a);
    await clock.advance(freshMs * 0.71);
    await send(a);
    expect(endpoint.calls).toBe(1);
    await clock.advance(freshMs * 0.18);
    await send(a);
    expect(endpoint.calls).toBe(2);
  });

  it('is revalidated by ETag, and tokens stay cached after a 304', async () => {
    const { clock, endpoint, verifier } = stage();
    endpoint.headers = { etag: '"v1"' };
    const token = makeToken(a, accessClaims(clock, { exp: clock.now() / 1_000 + 3_600 }));
    await verifier.verify(token);
    endpoint.respond = () => new Response(null, { status: 304 });
    await clock.advance(4 * MINUTE);
    for (let at = 0; at < 10; at++, await clock.advance(MINUTE)) await verifier.verify(token);
    expect(endpoint.requests[1]?.headers['if-none-match']).toBe('"v1"');
    expect(verifier.stats().keys[ISSUER]).toMatchObject({ keys: 1, failuresInARow: 0 });
    expect(verifier.stats().cache.hits).toBeGreaterThan(5);
  });
});

describe('A11: a key that was withdrawn', () => {
  it('invalidates its cached tokens with the next refresh', async () => {
    const { clock, endpoint, verifier } = stage();
    const token = makeToken(a, accessClaims(clock, { exp: clock.now() / 1_000 + 3_600 }));
    await verifier.verify(token);
    expect(await reasonOf(verifier.verify(token))).toBe('accepted');
    endpoint.keys = [b.jwk];
    await clock.advance(600_000);
    expect(await reasonOf(verifier.verify(token))).toBe('keyUnknown');
  });

  it('invalidates its cached tokens when its kid belongs to another key', async () => {
    const { clock, endpoint, verifier } = stage();
    const token = makeToken(a, accessClaims(clock, { exp: clock.now() / 1_000 + 3_600 }));
    await verifier.verify(token);
    endpoint.keys = [{ ...b.jwk, kid: 'a' }];
    await clock.advance(600_000);
    expect(await reasonOf(verifier.verify(token))).toBe('signature');
  });
});

describe('A13: tokens with an unknown kid', () => {
  it('cause one fetch per cooldown, and do not delay valid tokens', async () => {
    const { clock, endpoint, verifier, send } = stage();
    await send(a);
    const forged = makeToken(a, accessClaims(clock)).split('.').slice(1).join('.');
    const head = (n: number) =>
      Buffer.from(JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid: `k${n}` })).toString('base64url');
    for (let n = 0; n < 10_000; n++) {
      expect(await reasonOf(verifier.verify(`${head(n)}.${forged}`))).toBe('keyUnknown');
      if (n % 1_000 === 0) {
        expect(await send(a)).toBe('accepted');
        await clock.advance(1_000);
      }
    }
    // 10 seconds have passed since the first of them: one fetch for it, none for the others, and the one at the start.
    expect(endpoint.calls).toBe(2);
    expect(verifier.stats().keys[ISSUER]).toMatchObject({ keys: 1, unknownKeys: 10_000 });
    expect(await send(a)).toBe('accepted');
  });

  it('cause no second fetch when the key set was fetched after they arrived', async () => {
    const { endpoint, send } = stage();
    const reasons = await Promise.all(Array.from({ length: 20 }, (_, n) => send(a, { kid: `x${n}` })));
    expect(new Set(reasons)).toEqual(new Set(['keyUnknown']));
    expect(endpoint.calls).toBe(1);
  });
});

describe('A13: a withdrawn key that still signs', () => {
  it('causes a fetch per cooldown for a minute, then ever fewer, down to one in five minutes', async () => {
    const { clock, endpoint, send } = stage();
    endpoint.headers = { 'cache-control': 'max-age=86400' };
    await send(a);
    let calls = endpoint.calls;
    const fetchedAt: number[] = [];
    for (let second = 0; second < 1_200; second++) {
      expect(await send(a, { kid: 'withdrawn' })).toBe('keyUnknown');
      if (endpoint.calls > calls) fetchedAt.push(second);
      calls = endpoint.calls;
      await clock.advance(1_000);
    }
    // The first token arrives at the same instant as the fetch, so it causes none.
    expect(fetchedAt).toEqual([1, 11, 21, 31, 41, 51, 81, 141, 261, 501, 801, 1_101]);
  });

  it('delays no other key, and is found once it is published', async () => {
    const { clock, endpoint, send } = stage();
    endpoint.headers = { 'cache-control': 'max-age=86400' };
    await send(a);
    for (let second = 0; second < 70; second++) {
      await clock.advance(1_000);
      await send(a, { kid: 'withdrawn' });
    }
    const { calls } = endpoint;
    endpoint.keys = [a.jwk, b.jwk];
    expect(await send(b)).toBe('accepted');
    expect(endpoint.calls).toBe(calls + 1);
    const back = testKey('withdrawn', 'ES256', 2);
    expect(await send(back)).toBe('keyUnknown');
    endpoint.keys = [a.jwk, b.jwk, back.jwk];
    // The next fetch, whatever causes it, finds the key.
    await clock.advance(10_000);
    await send(a, { kid: 'another' });
    expect(await send(back)).toBe('accepted');
  });

  it('causes another fetch soon, since it may be published late', async () => {
    const { clock, endpoint, send } = stage();
    await send(a);
    for (let second = 0; second < 60; second++) {
      await clock.advance(1_000);
      await send(b);
    }
    endpoint.keys = [a.jwk, b.jwk];
    let waited = 0;
    for (; (await send(b)) !== 'accepted'; waited++) await clock.advance(1_000);
    expect(waited).toBeLessThan(30);
  });

  it('remembers up to 1,000 unknown names', () => {
    const kids = new UnknownKids();
    for (let n = 0; n < 6; n++) kids.recordFetch('first', n);
    expect(kids.mayFetch('first', 100)).toBe(false);
    expect(kids.mayFetch(undefined, 100)).toBe(true);
    for (let n = 0; n < 1_000; n++) kids.recordFetch(`made-up-${n}`, 100);
    expect(kids.mayFetch('first', 100)).toBe(true);
  });
});

describe('A15: a key that is published right after a fetch', () => {
  it('is found at once without an attack', async () => {
    const { clock, endpoint, send } = stage();
    await send(a);
    endpoint.keys = [a.jwk, b.jwk];
    await clock.advance(1);
    expect(await send(b)).toBe('accepted');
  });

  it('is found within the cooldown during an attack with random kids', async () => {
    const { clock, endpoint, send } = stage();
    await send(a);
    await send(a, { kid: 'random' });
    endpoint.keys = [a.jwk, b.jwk];
    const waited = clock.monotonic();
    for (let n = 0; (await send(b)) !== 'accepted'; n++) {
      await send(a, { kid: `random-${n}` });
      await clock.advance(500);
    }
    expect(clock.monotonic() - waited).toBeLessThanOrEqual(10_000);
  });
});

describe('A15: a key that is published while the key set is being fetched', () => {
  it('is found by all tokens that arrived during a refresh with the old keys', async () => {
    const { clock, endpoint, verifier, send } = stage();
    await send(a);
    const old = Response.json({ keys: [a.jwk] });
    let release!: (response: Response) => void;
    endpoint.respond = () => new Promise((resolve) => (release = resolve));
    await clock.advance(600_000 * 0.88);
    await send(a);
    endpoint.respond = undefined;
    endpoint.keys = [a.jwk, b.jwk];
    await clock.advance(50);
    const waiting = Array.from({ length: 50 }, () => send(b));
    await clock.settle();
    expect(endpoint.calls).toBe(2);
    release(old);
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['accepted']));
    expect(endpoint.calls).toBe(3);
    expect(verifier.stats().keys[ISSUER]).toMatchObject({ unknownKeys: 0 });
  });

  it('is not refused for good when the refresh in flight fails, and found after the backoff', async () => {
    const { clock, endpoint, send } = stage();
    await send(a);
    let release!: (response: Response) => void;
    endpoint.respond = () => new Promise((resolve) => (release = resolve));
    await clock.advance(600_000 * 0.88);
    await send(a);
    await clock.advance(50);
    const waiting = send(b);
    await clock.settle();
    release(new Response('down', { status: 503 }));
    expect(await waiting).toBe('keysUnavailable');
    expect(endpoint.calls).toBe(2);
    endpoint.respond = undefined;
    endpoint.keys = [a.jwk, b.jwk];
    await clock.advance(1_000);
    expect(await send(b)).toBe('accepted');
  });
});

describe('A14: an issuer that cannot be reached', () => {
  it('leaves known keys usable for a day after they are stale, with few fetches', async () => {
    const { clock, endpoint, verifier, send } = stage();
    await send(a);
    endpoint.fail();
    for (let minute = 0; minute < 20; minute++) {
      await clock.advance(MINUTE);
      for (let n = 0; n < 20; n++) expect(await send(a)).toBe('accepted');
    }
    const { fetchFailures, ageMs } = verifier.stats().keys[ISSUER]!;
    expect(fetchFailures).toBeGreaterThan(3);
    expect(fetchFailures).toBeLessThanOrEqual(16);
    expect(ageMs).toBe(20 * MINUTE);
    await clock.advance(86_400_000 - 11 * MINUTE);
    expect(await send(a)).toBe('accepted');
    await clock.advance(2 * MINUTE);
    expect(await send(a)).toBe('keysUnavailable');
  });

  it('is fetched once per backoff step from a cold start, and used after it recovers', async () => {
    const { clock, endpoint, send } = stage();
    endpoint.fail();
    const reasons = await Promise.all(Array.from({ length: 20 }, () => send(a)));
    expect(new Set(reasons)).toEqual(new Set(['keysUnavailable']));
    expect(endpoint.calls).toBe(1);
    for (let n = 0; n < 20; n++) expect(await send(a)).toBe('keysUnavailable');
    expect(endpoint.calls).toBe(1);
    endpoint.respond = undefined;
    await clock.advance(1_000);
    expect(await send(a)).toBe('accepted');
    expect(endpoint.calls).toBe(2);
  });

  it('refuses tokens of unknown keys as retryable: the issuer may have published them since', async () => {
    const { clock, endpoint, verifier, send } = stage();
    await send(a);
    await clock.advance(MINUTE);
    endpoint.fail();
    const refused = verifier.verify(makeToken(b, accessClaims(clock)));
    await expect(refused).rejects.toMatchObject({
      reason: 'keysUnavailable',
      retryable: true,
      cause: { message: 'the response has status 503' },
    });
    // During the backoff and the cooldown that follow, without a fetch.
    for (let second = 0; second < 9; second++) {
      expect(await send(b)).toBe('keysUnavailable');
      expect(await send(a)).toBe('accepted');
      await clock.advance(1_000);
    }
    expect(endpoint.calls).toBe(2);
    endpoint.respond = undefined;
    await clock.advance(1_000);
    expect(await send(b)).toBe('keyUnknown');
    expect(verifier.stats().keys[ISSUER]).toMatchObject({ unknownKeys: 1 });
  });

  it('is named without the query of its URL, which may be a credential', async () => {
    const secret = 'SECRET-123';
    const keys = { algorithms: ['ES256' as const], jwksUri: `${URI}?api_key=${secret}` };
    const fetch = (url: string) =>
      Promise.reject(new Error(`request to ${url} failed for ${new URL(url).searchParams.get('api_key')}`));
    const tokens = createJwtVerifier({ issuers: [{ issuer: ISSUER, audience: AUDIENCE, ...keys }], fetch });
    const content = createJwsVerifier({ ...keys, fetch });
    for (const verifier of [tokens, content]) {
      const error: unknown = await verifier.ready().catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ reason: 'keysUnavailable', jwksUri: URI });
      await verifier.close();
      const closed: unknown = await verifier.ready().catch((thrown: unknown) => thrown);
      for (const shown of [error, closed, verifier.describe(), verifier.stats()])
        expect(inspect(shown, { depth: 9, showHidden: true })).not.toContain(secret);
    }
    expect(Object.keys(content.stats().keys)).toEqual([URI]);
  });

  it('is named by ready() and verify() with its issuer and the URL of its key set', async () => {
    const { endpoint, verifier } = stage();
    endpoint.fail();
    const token = verifier.verify(makeToken(a, accessClaims(virtualClock())));
    for (const rejected of [verifier.ready(), token]) {
      await expect(rejected).rejects.toMatchObject({
        message: `The keys of ${ISSUER} could not be fetched from ${URI}.`,
        reason: 'keysUnavailable',
        issuer: ISSUER,
        jwksUri: URI,
        cause: { message: 'the response has status 503' },
      });
    }
  });

  it('is given up after timeoutMs, even if fetch ignores its signal', async () => {
    const { clock, endpoint, verifier } = stage();
    endpoint.respond = () => new Promise(() => {});
    const waiting = reasonOf(verifier.verify(makeToken(a, accessClaims(clock))));
    await clock.advance(5_000);
    expect(await waiting).toBe('keysUnavailable');
    clock.assertNoTimers();
  });

  it('aborts only the caller whose signal aborted', async () => {
    const { clock, endpoint, verifier, send } = stage();
    let release!: (response: Response) => void;
    endpoint.respond = () => new Promise((resolve) => (release = resolve));
    const controller = new AbortController();
    const token = makeToken(a, accessClaims(clock));
    const leaving = verifier.verify(token, { signal: controller.signal });
    const staying = send(a);
    controller.abort(new Error('gone'));
    await expect(leaving).rejects.toThrow('gone');
    release(Response.json({ keys: [a.jwk] }));
    expect(await staying).toBe('accepted');
    expect(endpoint.calls).toBe(1);
  });

  it('is not fetched after close(), and known keys stay usable', async () => {
    const { clock, endpoint, verifier, send } = stage();
    await send(a);
    await verifier.close();
    await clock.advance(600_000);
    expect(await send(a)).toBe('accepted');
    expect(endpoint.calls).toBe(1);
  });
});

describe('resources after use', () => {
  it('include no timer, no listener on a shared signal, and no unit of work of a caller', async () => {
    const { clock, endpoint, verifier } = stage();
    const { signal } = new AbortController();
    for (let n = 0; n < 100; n++) {
      if (n % 10 === 0) await clock.advance(700_000);
      if (n % 30 === 20) endpoint.fail();
      else endpoint.respond = undefined;
      await reasonOf(
        verifier.verify(makeToken(a, accessClaims(clock), n % 3 === 0 ? { kid: `x${n}` } : {}), { signal }),
      );
    }
    await new Promise(setImmediate);
    expect(endpoint.calls).toBeGreaterThanOrEqual(10);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    clock.assertNoTimers();
  });
});

describe('A16: an invalid key set', () => {
  const sound = JSON.stringify({ keys: [a.jwk] });
  it.each<[string, () => Response]>([
    ['too long', () => new Response(`${sound}${' '.repeat(262_144)}`)],
    [
      'with 101 keys',
      () => Response.json({ keys: Array.from({ length: 101 }, (_, n) => ({ ...a.jwk, kid: `${n}` })) }),
    ],
    ['a redirect', () => new Response(sound, { status: 302, headers: { location: 'https://evil.example' } })],
    ['an error with keys in it', () => new Response(sound, { status: 500 })],
    ['not JSON', () => new Response('<html>')],
    ['not a set', () => Response.json([a.jwk])],
    ['without keys', () => Response.json({})],
    ['with a duplicate kid', () => Response.json({ keys: [a.jwk, { ...b.jwk, kid: 'a' }] })],
    ['with a duplicate member in a key', () => new Response(sound.replace('"kid":', '"kid":"z","k\\u0069d":'))],
    ['with a duplicate member keys', () => new Response(`{"keys":[],${sound.slice(1)}`)],
    ['with a private key', () => Response.json({ keys: [privateJwk(a)] })],
    ['with a shared secret', () => Response.json({ keys: [a.jwk, { kty: 'oct', k: 'c2VjcmV0', kid: 's' }] })],
    ['with null in it', () => Response.json({ keys: [a.jwk, null] })],
    ['with a malformed key', () => Response.json({ keys: [a.jwk, { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' }] })],
    ['empty, 204', () => new Response(null, { status: 204 })],
    ['304 without an ETag sent', () => new Response(null, { status: 304 })],
  ])('%s: is rejected as a whole, and the old keys stay', async (name, answer) => {
    const cold = stage();
    cold.endpoint.respond = answer;
    expect(await cold.send(a)).toBe('keysUnavailable');

    const { clock, endpoint, verifier, send } = stage();
    await send(a);
    endpoint.respond = answer;
    await clock.advance(600_000);
    expect(await send(a)).toBe('accepted');
    // With a previous set, a 304 is a success even without an ETag.
    if (!name.startsWith('304')) expect(verifier.stats().keys[ISSUER]).toMatchObject({ keys: 1, fetchFailures: 1 });
  });

  it.each<[string, object]>([
    ['its use', { use: 'enc' }],
    ['its algorithm', { alg: 'ECDH-ES+A256KW' }],
    ['its curve', { kty: 'OKP', crv: 'X25519', y: undefined }],
    ['its kind', { kty: 'AKP', alg: 'ML-DSA-65', pub: 'AAAA' }],
  ])(
    'accepts a kid shared by a usable and an unsuitable key (RFC 7517 section 4.5), unsuitable by %s',
    async (_, other) => {
      const { endpoint, send } = stage();
      endpoint.respond = () => Response.json({ keys: [{ ...b.jwk, ...other, kid: 'a' }, a.jwk] });
      expect(await send(a)).toBe('accepted');
    },
  );

  it('cancels the stream of an endless response', async () => {
    const { endpoint, send } = stage();
    let cancelled = false;
    endpoint.respond = () =>
      new Response(
        new ReadableStream({
          pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
          cancel: () => void (cancelled = true),
        }),
      );
    expect(await send(a)).toBe('keysUnavailable');
    expect(cancelled).toBe(true);
  });

  it('accepts a set without usable keys, and rejects tokens with keyUnknown', async () => {
    const { endpoint, send } = stage();
    endpoint.keys = [{ ...a.jwk, use: 'enc' }, testKey('ed', 'EdDSA').jwk, { kty: 'AKP', alg: 'ML-DSA-44' }];
    expect(await send(a)).toBe('keyUnknown');
  });
});
