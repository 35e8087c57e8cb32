// The cases A23 to A29: tokens that are asked for once, in time, and kept as long as they may be. In virtual time.
import { inspect } from 'node:util';
import { currentWork, runWork, TimeoutError } from '@macadam/core';
import { seededRandom } from '@macadam/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bearer, clientCredentials, createDpopKey, dpop, TokenRequestError } from '../src/index.ts';
import { client, SECRET, stageTokens, TokenEndpoint } from './token-endpoint.ts';

const SECOND = 1_000;
const MINUTE = 60_000;
const HOUR = 3_600_000;

const failureOf = (promise: Promise<unknown>): Promise<TokenRequestError> =>
  promise.then(
    (value) => expect.unreachable(`got ${String(value)}`),
    (error: unknown) => {
      expect(error).toBeInstanceOf(TokenRequestError);
      return error as TokenRequestError;
    },
  );

describe('A23: a token is asked for once', () => {
  it('by a thousand who want it at the same time', async () => {
    const { endpoint, tokens } = stageTokens();
    const got = await Promise.all(Array.from({ length: 1_000 }, () => tokens.getToken()));
    expect(new Set(got)).toEqual(new Set(['token-1']));
    expect(endpoint.calls).toBe(1);
    expect(tokens.stats()).toMatchObject({ requests: 1, failures: 0 });
  });

  it('and a failure is shared, then left alone for a while, twice as long each time, and no longer than half a minute', async () => {
    const { clock, endpoint, tokens } = stageTokens();
    endpoint.fail();
    const failures = await Promise.all(Array.from({ length: 1_000 }, () => failureOf(tokens.getToken())));
    expect(new Set(failures).size).toBe(1);
    expect(failures[0]).toMatchObject({ code: 'MAC_TOKEN_REQUEST', reason: 'refused', status: 503, retryable: true });
    expect(endpoint.calls).toBe(1);
    await failureOf(tokens.getToken());
    expect(endpoint.calls).toBe(1);
    const steps: number[] = [];
    for (let last = clock.monotonic(), step = 0; step < 10; step++) {
      const before = endpoint.calls;
      while (endpoint.calls === before) {
        await clock.advance(100);
        await failureOf(tokens.getToken());
      }
      steps.push(clock.monotonic() - last);
      last = clock.monotonic();
    }
    steps.forEach((ms, n) => {
      const ceiling = Math.min(30 * SECOND, SECOND * 2 ** n);
      expect(ms, `step ${n}`).toBeGreaterThanOrEqual(ceiling / 2);
      expect(ms, `step ${n}`).toBeLessThanOrEqual(ceiling + 100);
    });
    endpoint.answer = undefined;
    await clock.advance(30 * SECOND);
    expect(await tokens.getToken()).toMatch(/^token-/);
  });

  it('and one who leaves takes nothing from those who stay', async () => {
    const { endpoint, tokens } = stageTokens();
    const release = endpoint.hold();
    const leaving = new AbortController();
    const left = tokens.getToken({ signal: leaving.signal });
    const staying = tokens.getToken();
    leaving.abort(new Error('gone'));
    await expect(left).rejects.toThrow('gone');
    release();
    expect(await staying).toBe('token-1');
  });

  it('outside of the unit of work that happened to ask first', async () => {
    const { endpoint, tokens } = stageTokens();
    let seen: unknown = 'not asked';
    endpoint.answer = () => {
      seen = currentWork();
      return endpoint.plain();
    };
    await runWork({ timeoutMs: 50 }, () => tokens.getToken());
    expect(seen).toBeUndefined();
  });

  it('and an endpoint that says when to come back is believed, for five minutes at most', async () => {
    for (const [header, asked, waits] of [
      ['120', 120 * SECOND, 120 * SECOND],
      ['86400', 86_400 * SECOND, 300 * SECOND],
      // The virtual clock begins with the year.
      ['Thu, 01 Jan 2026 00:01:30 GMT', 90 * SECOND, 90 * SECOND],
      ['Wed, 31 Dec 2025 00:00:00 GMT', 0, SECOND],
      // A gateway's own beside that of the service.
      ['30, 120', 120 * SECOND, 120 * SECOND],
      ['soon', undefined, SECOND],
    ] as const) {
      const { clock, endpoint, tokens } = stageTokens();
      endpoint.fail(429, { 'retry-after': header });
      expect(await failureOf(tokens.getToken())).toMatchObject({ status: 429, retryAfterMs: asked });
      await clock.advance(waits > SECOND ? waits - 1 : 499);
      await failureOf(tokens.getToken());
      expect(endpoint.calls).toBe(1);
      await clock.advance(waits > SECOND ? 1 : 501);
      await failureOf(tokens.getToken());
      expect(endpoint.calls).toBe(2);
    }
  });
});

describe('A24: a fleet', () => {
  it('of 100 that began at once refreshes spread over a tenth of the lifetime and more', async () => {
    for (const lifetime of [60, 3_600]) {
      const refreshedAt = await Promise.all(
        Array.from({ length: 100 }, async (_, n) => {
          const { clock, endpoint, tokens } = stageTokens({ random: seededRandom(n) });
          endpoint.grant = { expires_in: lifetime };
          await tokens.getToken();
          while (endpoint.calls === 1) {
            await clock.advance((lifetime * SECOND) / 200);
            tokens.peekToken();
          }
          return clock.monotonic();
        }),
      );
      const spread = Math.max(...refreshedAt) - Math.min(...refreshedAt);
      expect(spread, `lifetime ${lifetime}`).toBeGreaterThanOrEqual(lifetime * SECOND * 0.1);
      // And not in a heap: no tenth of that time sees a third of them.
      const tenths = Array.from<number>({ length: 11 }).fill(0);
      for (const at of refreshedAt) tenths[Math.floor(((at - Math.min(...refreshedAt)) / spread) * 10)]!++;
      expect(Math.max(...tenths)).toBeLessThan(33);
    }
  });
});

describe('A25: while tokens cannot be had', () => {
  it('the old one is given out, without waiting, until 10 seconds before its end', async () => {
    const { clock, endpoint, tokens } = stageTokens();
    await tokens.getToken();
    endpoint.fail();
    for (let at = 0; at < HOUR - 10 * SECOND; at += 5 * SECOND) {
      expect(tokens.peekToken() ?? (await tokens.getToken()), `after ${at} ms`).toBe('token-1');
      await clock.advance(5 * SECOND);
    }
    expect(tokens.peekToken()).toBeUndefined();
    expect(await failureOf(tokens.getToken())).toMatchObject({ reason: 'refused', status: 503 });
    expect(tokens.stats().failures).toBe(endpoint.calls - 1);
  });

  it('a hung endpoint delays nobody while there is an old one', async () => {
    const { clock, endpoint, tokens } = stageTokens();
    await tokens.getToken();
    endpoint.answer = () => new Promise(() => {});
    await clock.advance(0.95 * HOUR);
    expect(tokens.peekToken()).toBe('token-1');
    expect(await tokens.getToken()).toBe('token-1');
    await clock.settle();
    expect(endpoint.calls).toBe(2);
  });
});

describe('A26: a token', () => {
  it('that ends within the time of a request is waited for, not sent', async () => {
    const { clock, endpoint, tokens } = stageTokens({ minRemainingMs: 2 * MINUTE });
    await tokens.getToken();
    await clock.advance(HOUR - 2 * MINUTE - 1);
    const release = endpoint.hold();
    expect(tokens.peekToken()).toBe('token-1');
    await clock.advance(1);
    expect(tokens.peekToken()).toBeUndefined();
    const next = tokens.getToken();
    release();
    expect(await next).toBe('token-2');
  });

  it('is never given out with less than that left, by a source that works', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 20, max: 86_400 }), fc.integer(), async (lifetime, seed) => {
        const { clock, endpoint, tokens } = stageTokens({ random: seededRandom(seed), minRemainingMs: 10 * SECOND });
        endpoint.grant = { expires_in: lifetime };
        for (let step = 0; step < 20; step++) {
          await tokens.getToken();
          const left = tokens.stats().expiresInMs ?? 0;
          expect(left).toBeGreaterThanOrEqual(10 * SECOND);
          await clock.advance((lifetime * SECOND) / 7);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('takes no less than 10 seconds for that', () => {
    expect(() => clientCredentials({ ...client, minRemainingMs: 9_999 })).toThrow(/minRemainingMs/);
  });

  it('that lives shorter than that is used for half of its life', async () => {
    const { clock, endpoint, tokens } = stageTokens();
    endpoint.grant = { expires_in: 20 };
    await tokens.getToken();
    await clock.advance(9_999);
    expect(tokens.peekToken()).toBe('token-1');
    await clock.settle();
    await clock.advance(5_000);
    expect(await tokens.getToken()).toBe('token-2');
  });
});

describe('A27: a 401', () => {
  it('gives up the token it was for, and none that came after', async () => {
    const { endpoint, tokens } = stageTokens();
    const first = await tokens.getToken();
    tokens.invalidate('another token');
    expect(tokens.peekToken()).toBe(first);
    tokens.invalidate(first);
    expect(tokens.peekToken()).toBeUndefined();
    const second = await tokens.getToken();
    tokens.invalidate(first);
    expect(tokens.peekToken()).toBe(second);
    expect(endpoint.calls).toBe(2);
  });

  it('in a burst of them costs one grant', async () => {
    const { endpoint, tokens } = stageTokens();
    const auth = bearer(tokens);
    const context = { signal: new AbortController().signal };
    const sent = await Promise.all(Array.from({ length: 500 }, async () => await auth.authorize({}, context)));
    const again = await Promise.all(
      sent.map(async (headers) => {
        auth.invalidate?.(headers);
        return await auth.authorize({}, context);
      }),
    );
    expect(new Set(again.map(({ authorization }) => authorization))).toEqual(new Set(['Bearer token-2']));
    expect(endpoint.calls).toBe(2);
    expect(tokens.stats().invalidations).toBe(1);
  });

  it('for every token costs five grants in a row, and then one in 10 seconds', async () => {
    const { clock, endpoint, tokens } = stageTokens();
    for (let call = 0; call < 100; call++) tokens.invalidate(await tokens.getToken());
    expect(endpoint.calls).toBe(6);
    expect(tokens.stats()).toMatchObject({ invalidations: 5, invalidationsRefused: 95 });
    for (let second = 0; second < 60; second++) {
      await clock.advance(SECOND);
      tokens.invalidate(await tokens.getToken());
    }
    expect(endpoint.calls).toBeLessThanOrEqual(13);
  });

  it('is never answered with the token that it was for, even while no other can be had', async () => {
    const { endpoint, tokens } = stageTokens();
    const first = await tokens.getToken();
    endpoint.fail();
    tokens.invalidate(first);
    await failureOf(tokens.getToken());
    expect(tokens.peekToken()).toBeUndefined();
  });
});

describe('A28: a lifetime', () => {
  const rows: [name: string, expiresIn: unknown, seconds: number, odd: 0 | 1][] = [
    ['as it should be', 1_800, 1_800, 0],
    ['that is missing', undefined, 300, 1],
    ['as a text', '1800', 1_800, 1],
    ['of words', 'an hour', 300, 1],
    ['that is null', null, 300, 1],
    ['that is an object', { seconds: 1 }, 300, 1],
    ['of 0', 0, 10, 1],
    ['below 0', -60, 10, 1],
    ['too large for a timer', 1e300, 86_400, 1],
    ['of years', 315_360_000, 86_400, 1],
    ['of half a second', 0.5, 1, 1],
  ];
  it.each(rows)('%s is made one', async (_name, expiresIn, seconds, odd) => {
    const { endpoint, tokens } = stageTokens();
    endpoint.grant = { expires_in: expiresIn };
    expect(await tokens.getToken()).toBe('token-1');
    expect(tokens.stats()).toMatchObject({ expiresInMs: seconds * SECOND, oddLifetimes: odd });
    expect(tokens.peekToken()).toBe('token-1');
  });

  it('that does not fit into a number is made one, too', async () => {
    const { endpoint, tokens } = stageTokens();
    endpoint.answer = () =>
      new Response('{"access_token":"token-1","token_type":"bearer","expires_in":1e999}', {
        headers: { 'content-type': 'application/json' },
      });
    await tokens.getToken();
    expect(tokens.stats()).toMatchObject({ expiresInMs: 24 * HOUR, oddLifetimes: 1 });
  });
});

describe('A29: two clients', () => {
  it('with the same id share neither tokens, nor failures, nor waiting times', async () => {
    const endpoint = new TokenEndpoint();
    endpoint.answer = ({ form }) =>
      form.get('scope') === 'b'
        ? new Response('slow down', { status: 429, headers: { 'retry-after': '60' } })
        : endpoint.plain({ access_token: `for ${form.get('scope')}`.replace(' ', '-') });
    const { clock, tokens: a } = stageTokens({ scope: 'a', fetch: endpoint.fetch });
    const b = clientCredentials({ ...client, scope: 'b', fetch: endpoint.fetch, clock, random: seededRandom(2) });
    const c = clientCredentials({ ...client, scope: 'c', fetch: endpoint.fetch, clock, random: seededRandom(3) });
    await failureOf(b.getToken());
    expect(await a.getToken()).toBe('for-a');
    expect(await c.getToken()).toBe('for-c');
    await failureOf(b.getToken());
    expect(endpoint.calls).toBe(3);
    a.invalidate('for-c');
    expect(c.peekToken()).toBe('for-c');
  });
});

describe('an answer', () => {
  const json = (value: unknown, init: ResponseInit = {}): Response => Response.json(value, init);
  const rows: [name: string, answer: () => Response, expected: object][] = [
    [
      'with an OAuth error',
      () => json({ error: 'invalid_client' }, { status: 401 }),
      { error: 'invalid_client', status: 401, retryable: false },
    ],
    [
      'with an error of no known form',
      () => json({ error: SECRET.repeat(9) }, { status: 400 }),
      { error: undefined, status: 400 },
    ],
    [
      'that is a page',
      () => new Response('<html>', { headers: { 'content-type': 'text/html' } }),
      { reason: 'malformed' },
    ],
    ['that is no object', () => json(['token']), { reason: 'malformed' }],
    ['without a token', () => json({ token_type: 'bearer' }), { reason: 'malformed' }],
    [
      'with a token of two lines',
      () => json({ access_token: 'a\r\nb: c', token_type: 'bearer' }),
      { reason: 'malformed' },
    ],
    ['of another type', () => json({ access_token: 'a', token_type: 'mac' }), { reason: 'malformed' }],
    ['bound to a key nobody has', () => json({ access_token: 'a', token_type: 'DPoP' }), { reason: 'malformed' }],
    [
      'that redirects',
      () => new Response(null, { status: 302, headers: { location: 'https://evil.example' } }),
      { reason: 'refused', status: 302 },
    ],
    [
      'that is longer than 64 KiB',
      () => json({ access_token: 'a'.repeat(70_000), token_type: 'bearer' }),
      { reason: 'malformed' },
    ],
    ['of a server in trouble', () => new Response('{}', { status: 500 }), { reason: 'refused', retryable: true }],
  ];
  it.each(rows)('%s is an error that says so', async (_name, answer, expected) => {
    const { endpoint, tokens } = stageTokens();
    endpoint.answer = answer;
    expect(await failureOf(tokens.getToken())).toMatchObject({ code: 'MAC_TOKEN_REQUEST', ...expected });
    expect(tokens.peekToken()).toBeUndefined();
  });

  it('that does not come is given up in time', async () => {
    const { clock, endpoint, tokens } = stageTokens({ timeoutMs: 2_000 });
    endpoint.answer = () => new Promise(() => {});
    const failed = failureOf(tokens.getToken());
    await clock.advance(2_000);
    expect(await failed).toMatchObject({ reason: 'unreachable', retryable: true });
  });

  it('that does not end is given up as well', async () => {
    const { clock, endpoint, tokens } = stageTokens();
    endpoint.answer = () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) }));
    const failed = failureOf(tokens.getToken());
    await clock.advance(5_000);
    expect(await failed).toMatchObject({ reason: 'unreachable' });
  });

  it('never shows up in an error, nor does the secret', async () => {
    for (const answer of [
      () => json({ error: 'invalid_client', error_description: SECRET }, { status: 401 }),
      () => json({ access_token: SECRET }),
      () => json({ access_token: SECRET, token_type: SECRET }),
    ]) {
      const { endpoint, tokens } = stageTokens();
      endpoint.answer = answer;
      const error = await failureOf(tokens.getToken());
      expect(inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error)).not.toContain(SECRET);
    }
    expect(() => clientCredentials({ ...client, tokenUrl: 'http://id.example.com', clientSecret: SECRET })).toThrow(
      expect.not.stringContaining(SECRET) as never,
    );
  });
});

it('what cannot stand in a header is no token, wherever it comes from, and is not shown', async () => {
  const source = (token: unknown) => ({
    peekToken: () => token as string,
    getToken: () => Promise.resolve(token as string),
    invalidate() {},
  });
  for (const token of [`${SECRET}\r\nx: y`, `${SECRET} `, '', 7, null]) {
    for (const auth of [bearer(source(token)), dpop(source(token), createDpopKey())]) {
      const request = { method: 'GET', url: 'https://api.example.com/' };
      const error = await Promise.resolve()
        .then(() => auth.authorize(request))
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'MAC_INVALID_OPTIONS' });
      expect(inspect(error)).not.toContain(SECRET);
    }
  }
});

describe('what a fetch fails with', () => {
  it('is told without the request that hangs on it, and without what the request was made with', async () => {
    const { endpoint, tokens } = stageTokens();
    endpoint.answer = ({ headers }) => {
      const below = Object.assign(new Error(`ECONNREFUSED, sent ${headers['authorization']}`), {
        code: 'ECONNREFUSED',
      });
      const error = new TypeError(`fetch failed for ${SECRET}`, { cause: below });
      throw Object.assign(error, { config: { headers, secret: SECRET } });
    };
    const error = await failureOf(tokens.getToken());
    const basic = endpoint.requests[0]!.headers['authorization']!.slice('Basic '.length);
    const told = inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error);
    expect(told).not.toContain(SECRET);
    expect(told).not.toContain(basic);
    expect(error).toMatchObject({ reason: 'unreachable', retryable: true });
    expect(error.cause).toMatchObject({ name: 'TypeError', cause: { code: 'ECONNREFUSED' } });
    expect(told).toContain('fetch failed for [redacted]');
  });

  it('is told as it is where it is of ours, and not at all where it is none', async () => {
    const { endpoint, tokens } = stageTokens();
    const ours = new TimeoutError('Too late.', 5);
    endpoint.answer = () => Promise.reject(ours);
    expect((await failureOf(tokens.getToken())).cause).toBe(ours);
    for (const thrown of [`no ${SECRET}`, { secret: SECRET }]) {
      const other = stageTokens();
      other.endpoint.answer = () => Promise.reject(thrown as never);
      const { cause } = await failureOf(other.tokens.getToken());
      expect(cause).toBe(typeof thrown === 'string' ? 'no [redacted]' : undefined);
    }
  });

  it('tells no word of the endpoint that is not a code of OAuth', async () => {
    const { endpoint, tokens } = stageTokens();
    endpoint.refuse('s3cr3t-of-the-client', 401);
    expect(await failureOf(tokens.getToken())).toMatchObject({ reason: 'refused', error: undefined });
    const other = stageTokens();
    other.endpoint.refuse('invalid_client', 401);
    expect(await failureOf(other.tokens.getToken())).toMatchObject({ reason: 'refused', error: 'invalid_client' });
  });
});

describe('a client that is closed', () => {
  it('lets those who wait go, and still gives out what it has', async () => {
    const { clock, endpoint, tokens } = stageTokens();
    await tokens.getToken();
    endpoint.answer = () => new Promise(() => {});
    await clock.advance(HOUR);
    const failed = expect(tokens.getToken()).rejects.toMatchObject({ code: 'MAC_CLOSED', retryable: false });
    await tokens.close();
    await failed;
    expect(clock.pendingTimers).toBe(0);
  });
});
