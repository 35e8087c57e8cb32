// Against a live identity provider over real sockets: tokens, key rotation and outages.
import { seededRandom, virtualClock } from '@macadam/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  clientCredentials,
  type ClientCredentialsOptions,
  createDpopKey,
  createIntrospector,
  createJwtVerifier,
  jwtAssertion,
  jwtBearer,
  type JwtVerifier,
  type JwtVerifierOptions,
  tokenExchange,
  tokenExchanges,
} from '../src/index.ts';
import { AUDIENCE, IdentityProvider, robotKey, SECRET } from './identity-provider.ts';
import { base64url, privateJwk, reasonOf, testKey } from './tokens.ts';

const keys = Array.from({ length: 5 }, (_, n) => testKey(`key-${n}`, 'ES256', n));
const first = keys[0]!;
const provider = new IdentityProvider();
const MINUTE = 60_000;

beforeAll(() => provider.start(first));
afterAll(() => provider.stop());
beforeEach(() => {
  provider.present = true;
  provider.lifetimeSeconds = 600;
  provider.publish(first);
  provider.requests.length = 0;
});

const verifierWith = (more: Partial<JwtVerifierOptions> = {}): JwtVerifier =>
  createJwtVerifier({
    issuers: [
      { issuer: provider.origin, audience: AUDIENCE, algorithms: ['ES256'], jwksUri: `${provider.origin}/jwks` },
    ],
    ...more,
  });

/** The options of the client that authenticates with a key. */
const robot = () => ({
  privateKey: { key: privateJwk(robotKey), algorithm: 'ES256', kid: 'robot-1' } as const,
  assertionAudience: provider.origin,
});

const keyed = (): ClientCredentialsOptions => {
  const { clientSecret: _, ...rest } = provider.client({ clientId: 'robot', ...robot() });
  return rest;
};

const grantTo = async (options: ClientCredentialsOptions): Promise<string> => {
  await using tokens = clientCredentials(options);
  return await tokens.getToken();
};
const grant = (more: Partial<ClientCredentialsOptions> = {}): Promise<string> => grantTo(provider.client(more));

describe('a live identity provider', () => {
  it('issues tokens to each kind of client, and they are accepted', async () => {
    await using verifier = verifierWith();
    const clients: ClientCredentialsOptions[] = [
      provider.client(),
      provider.client({ clientId: 'form', clientAuth: 'client_secret_post' }),
      keyed(),
    ];
    for (const options of clients) {
      await using tokens = clientCredentials(options);
      const principal = await verifier.verify(await tokens.getToken());
      expect(principal).toMatchObject({ clientId: options.clientId, scopes: ['orders:read'], kid: 'key-0' });
      expect(tokens.stats()).toMatchObject({ requests: 1, failures: 0, oddLifetimes: 0 });
    }
    expect(verifier.stats().keys[provider.origin]).toMatchObject({ keys: 1, fetches: 1, fetchFailures: 0 });
  });

  it('rejects a wrong secret with reason refused', async () => {
    await expect(grant({ clientSecret: 'wrong' })).rejects.toMatchObject({
      code: 'MAC_TOKEN_REQUEST',
      reason: 'refused',
      error: 'invalid_client',
      status: 401,
      retryable: false,
    });
  });

  it('A23: receives one request for 1,000 concurrent callers', async () => {
    await using tokens = clientCredentials(provider.client());
    const got = await Promise.all(Array.from({ length: 1_000 }, () => tokens.getToken()));
    expect(new Set(got).size).toBe(1);
    expect(provider.takeRequestCount('/token')).toBe(1);
  });

  it('A24: receives the refreshes of 100 instances spread over more than a tenth of the lifetime', async () => {
    const clock = virtualClock();
    const fleet = Array.from({ length: 100 }, (_, n) =>
      clientCredentials(provider.client({ clock, random: seededRandom(n) })),
    );
    await Promise.all(fleet.map((tokens) => tokens.getToken()));
    expect(provider.takeRequestCount('/token')).toBe(100);
    const refreshedAt = new Map<number, number>();
    for (let second = 0; second < 600 && refreshedAt.size < 100; second += 6) {
      await clock.advance(6_000);
      for (const [n, tokens] of fleet.entries()) {
        if (tokens.peekToken() === undefined) await tokens.getToken();
        if (tokens.stats().requests > 1 && !refreshedAt.has(n)) refreshedAt.set(n, second);
      }
    }
    const instants = [...refreshedAt.values()];
    expect(instants).toHaveLength(100);
    expect(Math.max(...instants) - Math.min(...instants)).toBeGreaterThanOrEqual(60);
    await Promise.all(fleet.map((tokens) => tokens.getToken()));
    await Promise.all(fleet.map((tokens) => tokens.close()));
  });

  it('A15: rotates its key five times under load, and no token is rejected', async () => {
    const clock = virtualClock({ now: Date.now() });
    await using verifier = verifierWith({ clock, cache: false });
    const tokens: string[] = [];
    const reasons: string[] = [];
    for (let round = 0; round < keys.length; round++) {
      provider.publish(...keys.slice(0, round + 1).reverse());
      tokens.push(...(await Promise.all([grant(), grant(), grant()])));
      const load = Array.from({ length: 60 }, (_, n) => reasonOf(verifier.verify(tokens[n % tokens.length]!)));
      reasons.push(...(await Promise.all(load)));
      await clock.advance(10_000);
    }
    expect(new Set(reasons)).toEqual(new Set(['accepted']));
    expect(reasons).toHaveLength(300);
    expect(verifier.stats().keys[provider.origin]).toMatchObject({ keys: 5, fetches: 5, fetchFailures: 0 });
  });

  it('A14: is down for 10 minutes, and its tokens are verified with the current keys', async () => {
    const clock = virtualClock({ now: Date.now() });
    provider.lifetimeSeconds = 3_600;
    provider.publish(first);
    await using verifier = verifierWith({ clock, random: seededRandom(3), cache: false });
    const tokens = await Promise.all(Array.from({ length: 20 }, () => grant()));
    await verifier.verify(tokens[0]!);
    await clock.advance(9 * MINUTE);
    provider.present = false;
    provider.requests.length = 0;
    await using cold = verifierWith({ clock, random: seededRandom(4) });
    expect(await reasonOf(cold.verify(tokens[0]!))).toBe('keysUnavailable');
    const { fetches: before } = verifier.stats().keys[provider.origin]!;
    const reasons = new Set<string>();
    for (let second = 0; second < 600; second++) {
      await clock.advance(1_000);
      reasons.add(await reasonOf(verifier.verify(tokens[second % 20]!)));
      // A background refresh uses real sockets, so the clock is advanced only after it has failed.
      const stats = (): number => verifier.stats().keys[provider.origin]!.fetchFailures;
      const { fetches } = verifier.stats().keys[provider.origin]!;
      while (stats() < fetches - before) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(reasons).toEqual(new Set(['accepted']));
    const fetches = verifier.stats().keys[provider.origin]!.fetches - before;
    expect(fetches).toBeGreaterThanOrEqual(10);
    expect(fetches).toBeLessThanOrEqual(25);
    provider.present = true;
    await clock.advance(MINUTE);
    expect(await reasonOf(verifier.verify(tokens[0]!))).toBe('accepted');
    await expect.poll(() => verifier.stats().keys[provider.origin]!.failuresInARow).toBe(0);
  });

  it('A13: receives one request per cooldown for 10,000 tokens with made-up kids, and valid tokens are accepted', async () => {
    const clock = virtualClock({ now: Date.now() });
    await using verifier = verifierWith({ clock, cache: false });
    const good = await grant();
    await verifier.verify(good);
    provider.requests.length = 0;
    const [, payload, signature] = good.split('.') as [string, string, string];
    const forged = (n: number): string =>
      `${base64url(JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid: `made-up-${n}` }))}.${payload}.${signature}`;
    const reasons = new Map<string, number>();
    for (let batch = 0; batch < 10; batch++) {
      const all = await Promise.all(
        Array.from({ length: 1_010 }, (_, n) =>
          reasonOf(verifier.verify(n % 101 === 100 ? good : forged(batch * 1_010 + n))),
        ),
      );
      for (const reason of all) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      await clock.advance(3_000);
    }
    expect(Object.fromEntries(reasons)).toEqual({ accepted: 100, keyUnknown: 10_000 });
    // 27 seconds of it, a cooldown of 10: at 0, at 12 and at 24.
    expect(provider.takeRequestCount('/jwks')).toBeLessThanOrEqual(3);
    expect(verifier.stats().keys[provider.origin]).toMatchObject({ keys: 1, unknownKeys: 10_000 });
  });

  it('A25: is down, and the current token is returned without waiting', async () => {
    const clock = virtualClock();
    await using tokens = clientCredentials(provider.client({ clock }));
    const token = await tokens.getToken();
    provider.present = false;
    await clock.advance(589_000);
    expect(await tokens.getToken()).toBe(token);
    await clock.advance(1_000);
    await expect(tokens.getToken()).rejects.toMatchObject({ reason: 'unreachable' });
    provider.present = true;
    await clock.advance(30_000);
    expect(await tokens.getToken()).not.toBe(token);
  });

  it('binds tokens to a key, and challenges for its nonce once', async () => {
    const key = createDpopKey();
    await using tokens = clientCredentials(provider.client({ clientId: 'bound', dpop: key }));
    await using verifier = verifierWith();
    const token = await tokens.getToken();
    expect(await reasonOf(verifier.verify(token))).toBe('binding');
    const { claims } = await verifier.verify(token, { confirms: ['jkt'] });
    expect(claims['cnf']).toEqual({ jkt: key.thumbprint });
    expect(provider.takeRequestCount('/token')).toBe(2);
    tokens.invalidate(token);
    await tokens.getToken();
    expect(provider.takeRequestCount('/token')).toBe(1);
  });

  it('exchanges the token of a caller for one that names both, and rejects any other text (RFC 8693)', async () => {
    await using verifier = verifierWith();
    const caller = await grant({ clientId: 'form', clientAuth: 'client_secret_post' });
    await using onBehalf = tokenExchanges(provider.client());
    const exchanged = await verifier.verify(await onBehalf.for(caller).getToken());
    expect(exchanged).toMatchObject({ subject: 'form', clientId: 'shop', scopes: ['orders:read'] });
    expect(exchanged.claims['act']).toEqual({ sub: 'shop' });

    const actor = await grantTo(keyed());
    await using acting = tokenExchange({ ...provider.client(), subjectToken: () => caller, actorToken: actor });
    expect((await verifier.verify(await acting.getToken())).claims['act']).toEqual({ sub: 'robot' });

    const forged = `${caller.slice(0, -4)}AAAA`;
    await using refused = tokenExchange({ ...provider.client(), subjectToken: forged });
    await expect(refused.getToken()).rejects.toMatchObject({ reason: 'refused', error: 'invalid_grant', status: 400 });
  });

  it('receives one exchange for 1,000 requests of a caller, and one for each other caller', async () => {
    const callers = await Promise.all([grant(), grant(), grant()]);
    await using onBehalf = tokenExchanges(provider.client());
    provider.requests.length = 0;
    const got = await Promise.all(Array.from({ length: 999 }, (_, n) => onBehalf.for(callers[n % 3]!).getToken()));
    expect(new Set(got).size).toBe(3);
    expect(provider.takeRequestCount('/token')).toBe(3);
  });

  it('issues a token for an assertion, and accepts each assertion once (RFC 7523)', async () => {
    await using verifier = verifierWith();
    const clock = virtualClock({ now: Date.now() });
    const { privateKey } = robot();
    const assertion = jwtAssertion({
      privateKey,
      issuer: 'robot@example.com',
      subject: 'user-7',
      audience: provider.origin,
    });
    await using tokens = jwtBearer({ ...provider.client({ clock }), assertion });
    const token = await tokens.getToken();
    expect(await verifier.verify(token)).toMatchObject({ subject: 'user-7', clientId: 'shop' });
    // A second request sends a new assertion: the provider rejects an id that it has seen.
    tokens.invalidate(token);
    expect(await tokens.getToken()).not.toBe(token);

    const once = await assertion();
    await using first = jwtBearer({ ...provider.client(), assertion: once });
    await using second = jwtBearer({ ...provider.client(), assertion: once });
    await first.getToken();
    await expect(second.getToken()).rejects.toMatchObject({ error: 'invalid_grant' });
    const stranger = { key: privateJwk(testKey('robot-1', 'ES256', 6)), algorithm: 'ES256', kid: 'robot-1' } as const;
    const made = jwtAssertion({ privateKey: stranger, issuer: 'robot@example.com', audience: provider.origin });
    await using forged = jwtBearer({ ...provider.client(), assertion: made });
    await expect(forged.getToken()).rejects.toMatchObject({ error: 'invalid_grant' });
  });

  it('introspects opaque tokens until they are revoked', async () => {
    const clock = virtualClock({ now: Date.now() });
    const { resource: _, ...opaque } = provider.client();
    await using tokens = clientCredentials({ ...opaque, clock });
    const token = await tokens.getToken();
    expect(token).not.toContain('.');
    await using introspector = createIntrospector({
      introspectionUrl: `${provider.origin}/token/introspection`,
      clientId: 'shop',
      clientSecret: SECRET,
      audience: [],
      issuer: provider.origin,
      clock,
    });
    expect(await introspector.verify(token)).toMatchObject({ clientId: 'shop', issuer: provider.origin });
    const authorization = `Basic ${Buffer.from('shop:a+secret+of+the+test').toString('base64')}`;
    const body = new URLSearchParams({ token });
    await fetch(`${provider.origin}/token/revocation`, { method: 'POST', headers: { authorization }, body });
    expect(await reasonOf(introspector.verify(token))).toBe('accepted');
    await clock.advance(MINUTE);
    expect(await reasonOf(introspector.verify(token))).toBe('inactive');
    expect(await reasonOf(introspector.verify('made-up'))).toBe('inactive');
    provider.present = false;
    expect(await reasonOf(introspector.verify('another'))).toBe('introspectionUnavailable');
  });
});
