// Opaque tokens are introspected by their issuer; without its response none is accepted. In virtual time.
import { inspect } from 'node:util';
import { runWork, currentWork } from '@macadam/core';
import { seededRandom, virtualClock, type VirtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { createIntrospector, type Introspector, type IntrospectorOptions, TokenError } from '../src/index.ts';
import { SECRET, TokenEndpoint } from './token-endpoint.ts';
import { reasonOf } from './tokens.ts';

const AUDIENCE = 'https://orders.example.com';

interface Stage {
  clock: VirtualClock;
  endpoint: TokenEndpoint;
  introspector: Introspector;
  seconds(): number;
}

function stage(options: Partial<IntrospectorOptions> = {}): Stage {
  const clock = virtualClock({ settle: 'eventLoop' });
  const endpoint = new TokenEndpoint();
  const seconds = (): number => Math.floor(clock.now() / 1_000);
  endpoint.respond = ({ form }) =>
    Response.json(
      form.get('token')?.startsWith('good') === true
        ? { active: true, sub: 'u1', client_id: 'shop', aud: AUDIENCE, scope: 'a b', exp: seconds() + 300 }
        : { active: false },
    );
  const introspector = createIntrospector({
    introspectionUrl: 'https://id.example.com/introspect',
    clientId: 'orders',
    clientSecret: SECRET,
    audience: AUDIENCE,
    fetch: endpoint.fetch,
    clock,
    random: seededRandom(1),
    ...options,
  });
  return { clock, endpoint, introspector, seconds };
}

describe('introspection', () => {
  it('returns the frozen principal of an active token, and annotates the unit of work', async () => {
    const { introspector } = stage();
    const { annotations, principal } = await runWork({}, async () => ({
      principal: await introspector.verify('good'),
      annotations: { ...currentWork()?.annotations },
    }));
    expect(principal).toMatchObject({ subject: 'u1', clientId: 'shop', audience: [AUDIENCE], scopes: ['a', 'b'] });
    expect(Object.isFrozen(principal) && Object.isFrozen(principal.claims) && Object.isFrozen(principal.scopes)).toBe(
      true,
    );
    expect(annotations).toEqual({ 'auth.method': 'introspection', 'auth.principal': 'u1' });
  });

  it('sends one request for 100 concurrent verifications of a token', async () => {
    const { endpoint, introspector } = stage();
    await Promise.all(Array.from({ length: 100 }, () => introspector.verify('good')));
    expect(endpoint.calls).toBe(1);
  });

  it('caches an active token for a minute, and an inactive one for 10 seconds', async () => {
    const { clock, endpoint, introspector } = stage();
    const ask = (token: string): Promise<string> => reasonOf(introspector.verify(token));
    expect([await ask('good'), await ask('bad')]).toEqual(['accepted', 'inactive']);
    await clock.advance(9_999);
    expect([await ask('good'), await ask('bad')]).toEqual(['accepted', 'inactive']);
    expect(endpoint.calls).toBe(2);
    await clock.advance(1);
    await ask('bad');
    expect(endpoint.calls).toBe(3);
    await clock.advance(49_999);
    await ask('good');
    expect(endpoint.calls).toBe(3);
    await clock.advance(1);
    await ask('good');
    expect(endpoint.calls).toBe(4);
    expect(introspector.stats()).toMatchObject({ requests: 4, cache: { hits: 3, misses: 4 } });
  });

  it('does not serve an expired token from the cache', async () => {
    const { clock, endpoint, introspector, seconds } = stage();
    endpoint.respond = () => Response.json({ active: true, aud: AUDIENCE, exp: seconds() + 20 });
    await introspector.verify('good');
    const response = { active: true, aud: AUDIENCE, exp: seconds() + 20 };
    endpoint.respond = () => Response.json(response);
    await clock.advance(29_999);
    expect(await reasonOf(introspector.verify('good'))).toBe('accepted');
    await clock.advance(1);
    expect(await reasonOf(introspector.verify('good'))).toBe('expired');
  });

  it('rejects as retryable when the endpoint fails, and does not cache that', async () => {
    const broken: (() => Response | Promise<Response>)[] = [
      () => new Response('down', { status: 503 }),
      () => Response.json({ error: 'invalid_client' }, { status: 401 }),
      () => new Response('<html>'),
      () => Response.json({ active: 'true' }),
      () => new Response('{"active":false,"active":true}', { headers: { 'content-type': 'application/json' } }),
      () => Response.json({}),
      () => Response.json({ active: true, padding: 'x'.repeat(70_000) }),
      () => new Response(null, { status: 302, headers: { location: 'https://evil.example' } }),
      () => Promise.reject(new Error('ECONNREFUSED')),
    ];
    for (const response of broken) {
      const { endpoint, introspector } = stage();
      const working = endpoint.respond;
      endpoint.respond = response;
      const error: unknown = await introspector.verify('good').catch((one: unknown) => one);
      expect(error).toBeInstanceOf(TokenError);
      expect(error).toMatchObject({ reason: 'introspectionUnavailable', retryable: true });
      expect(inspect(error, { depth: 9 })).not.toContain(SECRET);
      endpoint.respond = working;
      expect(await reasonOf(introspector.verify('good'))).toBe('accepted');
    }
    const { clock, endpoint, introspector } = stage();
    endpoint.respond = () => new Promise(() => {});
    const hung = reasonOf(introspector.verify('good'));
    await clock.advance(5_000);
    expect(await hung).toBe('introspectionUnavailable');
  });

  it('opens the circuit for ever longer while the endpoint is down, and closes it soon after it recovers', async () => {
    const { clock, endpoint, introspector } = stage();
    const working = endpoint.respond;
    await introspector.verify('good');
    endpoint.fail();
    // 10 requests a second for 5 minutes, each about another token.
    for (let n = 0; n < 3_000; n++) {
      const error: unknown = await introspector.verify(`bad-${n}`).catch((one: unknown) => one);
      if (n < 600) expect(await reasonOf(introspector.verify('good'))).toBe('accepted');
      expect(error).toMatchObject({ reason: 'introspectionUnavailable', retryable: true });
      await clock.advance(100);
    }
    // The requests that opened the circuit, then one probe after 1, 2, 4, 8, 16 and every 30 seconds.
    expect(endpoint.calls).toBeLessThan(50);
    expect(introspector.stats().requests).toBe(endpoint.calls);
    const error: unknown = await introspector.verify('good').catch((one: unknown) => one);
    expect((error as TokenError).cause).toMatchObject({ code: 'MAC_CIRCUIT_OPEN' });
    endpoint.respond = working;
    await clock.advance(36_000);
    for (let n = 0; n < 3; n++) expect(await reasonOf(introspector.verify(`good-${n}`))).toBe('accepted');
  });

  it('keeps introspecting other tokens when the endpoint fails for some', async () => {
    const { clock, endpoint, introspector } = stage();
    const working = endpoint.respond!;
    endpoint.respond = (request) => {
      const token = request.form.get('token')!;
      if (token === 'poison') return Response.json({ error: 'invalid_request' }, { status: 400 });
      return token.endsWith('0') ? new Response('', { status: 500 }) : working(request);
    };
    for (let n = 0; n < 500; n++) {
      expect(await reasonOf(introspector.verify('poison'))).toBe('introspectionUnavailable');
      const expected = n % 10 === 0 ? 'introspectionUnavailable' : 'accepted';
      expect(await reasonOf(introspector.verify(`good-${n}`))).toBe(expected);
      await clock.advance(5);
    }
  });

  it('follows Retry-After, up to a minute', async () => {
    const { clock, endpoint, introspector } = stage();
    const working = endpoint.respond;
    for (const [retryAfter, waitMs] of [
      ['3', 3_000],
      ['9999', 60_000],
    ] as const) {
      endpoint.fail(429, { 'retry-after': retryAfter });
      await reasonOf(introspector.verify(`good-${retryAfter}`));
      endpoint.respond = working;
      const { calls } = endpoint;
      await clock.advance(waitMs - 1);
      const error: unknown = await introspector.verify('good').catch((one: unknown) => one);
      expect((error as TokenError).cause).toMatchObject({ code: 'MAC_TOKEN_REQUEST', status: 429 });
      expect(endpoint.calls).toBe(calls);
      await clock.advance(1);
      expect(await reasonOf(introspector.verify(`good-${retryAfter}`))).toBe('accepted');
    }
  });

  it('serves cached tokens while the issuer is down, no longer than otherwise', async () => {
    const { clock, endpoint, introspector } = stage();
    await introspector.verify('good');
    endpoint.fail();
    await clock.advance(59_999);
    expect(await reasonOf(introspector.verify('good'))).toBe('accepted');
    await clock.advance(1);
    expect(await reasonOf(introspector.verify('good'))).toBe('introspectionUnavailable');
  });

  it('rejects an active token for another audience or issuer, or outside its time', async () => {
    const rows: [response: (now: number) => object, reason: string][] = [
      [() => ({ active: true, aud: 'https://other.example.com' }), 'audience'],
      [() => ({ active: true }), 'audience'],
      [() => ({ active: true, aud: AUDIENCE, iss: 'https://evil.example' }), 'issuer'],
      [(now) => ({ active: true, aud: AUDIENCE, exp: now - 10 }), 'expired'],
      [(now) => ({ active: true, aud: AUDIENCE, nbf: now + 11 }), 'notYetValid'],
      [() => ({ active: true, aud: AUDIENCE, exp: 'soon' }), 'claim'],
      [() => ({ active: true, aud: AUDIENCE, sub: 5 }), 'claim'],
      [() => ({ active: true, aud: AUDIENCE, jti: ['a'] }), 'claim'],
      [() => ({ active: true, aud: AUDIENCE, sub: null }), 'accepted'],
      [() => ({ active: 1, aud: AUDIENCE }), 'introspectionUnavailable'],
      [(now) => ({ active: true, aud: ['x', AUDIENCE], iss: 'https://id.example.com', exp: now + 1 }), 'accepted'],
    ];
    for (const [response, reason] of rows) {
      const { endpoint, introspector, seconds } = stage({ issuer: 'https://id.example.com' });
      endpoint.respond = () => Response.json(response(seconds()));
      expect(await reasonOf(introspector.verify('good')), JSON.stringify(response(0))).toBe(reason);
    }
  });

  it('sends additional parameters', async () => {
    const { endpoint, introspector } = stage({ parameters: { token_type_hint: 'access_token', tenant: 't1' } });
    await introspector.verify('good');
    const { form } = endpoint.requests[0]!;
    expect([form.get('token'), form.get('token_type_hint'), form.get('tenant')]).toEqual([
      'good',
      'access_token',
      't1',
    ]);
  });

  it('rejects a signed response (RFC 9701), which it cannot verify', async () => {
    const { endpoint, introspector, seconds } = stage();
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = { iss: 'https://id.example.com/introspect', aud: 'orders', iat: seconds() };
    const response = { ...claims, token_introspection: { active: true, aud: AUDIENCE } };
    const forged = `${part({ alg: 'RS256', typ: 'token-introspection+jwt' })}.${part(response)}.AAAA`;
    const headers = { 'content-type': 'application/token-introspection+jwt' };
    endpoint.respond = () => new Response(forged, { headers });
    expect(await reasonOf(introspector.verify('good'))).toBe('introspectionUnavailable');
  });

  it('rejects a text that cannot be a token without a request', async () => {
    const { endpoint, introspector } = stage();
    for (const [token, reason] of [
      ['', 'malformed'],
      ['a b', 'malformed'],
      ['a\nb', 'malformed'],
      ['a'.repeat(8_193), 'tooLarge'],
    ]) {
      expect(await reasonOf(introspector.verify(token!))).toBe(reason);
    }
    expect(await reasonOf(introspector.verify(undefined as never))).toBe('malformed');
    expect(endpoint.calls).toBe(0);
  });

  it('keeps active tokens cached during a flood of invented ones', async () => {
    const { endpoint, introspector } = stage({ cache: { maxEntries: 10 } });
    await introspector.verify('good');
    for (let n = 0; n < 100; n++) await reasonOf(introspector.verify(`bad-${n}`));
    const { calls } = endpoint;
    await introspector.verify('good');
    expect(endpoint.calls).toBe(calls);
    expect(introspector.stats().cache.entries).toBeLessThanOrEqual(20);
  });

  it('aborts only the caller whose signal aborted', async () => {
    const { endpoint, introspector } = stage();
    let release!: () => void;
    const working = endpoint.respond!;
    const released = new Promise<void>((resolve) => (release = resolve));
    endpoint.respond = async (request) => {
      await released;
      return await working(request);
    };
    const leaving = new AbortController();
    const left = introspector.verify('good', { signal: leaving.signal });
    const stays = introspector.verify('good');
    leaving.abort(new Error('gone'));
    await expect(left).rejects.toThrow('gone');
    release();
    expect((await stays).subject).toBe('u1');
  });
});
