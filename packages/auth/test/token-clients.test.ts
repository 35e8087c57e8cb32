// A23 to A29: tokens are requested once and in time, and kept as long as possible. In virtual time.
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

describe('A23: a token is requested once', () => {
  it('by 1,000 concurrent callers', async () => {
    const { endpoint, tokens } = stageTokens();
    const got = await Promise.all(Array.from({ length: 1_000 }, () => tokens.getToken()));
    expect(new Set(got)).toEqual(new Set(['token-1']));
    expect(endpoint.calls).toBe(1);
    expect(tokens.stats()).toMatchObject({ requests: 1, failures: 0 });
  });

  it('and a failure is shared, with a backoff that doubles up to 30 seconds', async () => {
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
    endpoint.respond = undefined;
    await clock.advance(30 * SECOND);
    expect(await tokens.getToken()).toMatch(/^token-/);
  });

  it('and a caller that aborts does not affect the others', async () => {
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

  it('outside of the unit of work of its first caller', async () => {
    const { endpoint, tokens } = stageTokens();
    let seen: unknown = 'not asked';
    endpoint.respond = () => {
      seen = currentWork();
      return endpoint.plain();
    };
    await runWork({ timeoutMs: 50 }, () => tokens.getToken());
    expect(seen).toBeUndefined();
  });

  it('and Retry-After is followed, up to five minutes', async () => {
    for (const [header, asked, waits] of [
      ['120', 120 * SECOND, 120 * SECOND],
      ['86400', 86_400 * SECOND, 300 * SECOND],
      // The virtual clock starts at the beginning of the year.
      ['Thu, 01 Jan 2026 00:01:30 GMT', 90 * SECOND, 90 * SECOND],
      ['Wed, 31 Dec 2025 00:00:00 GMT', 0, SECOND],
      // The Retry-After of a gateway beside that of the service.
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

describe('A24: 100 instances', () => {
  it('that started together refresh spread over at least a tenth of the lifetime', async () => {
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
      // Not clustered: no tenth of that time has a third of the refreshes.
      const tenths = Array.from<number>({ length: 11 }).fill(0);
      for (const at of refreshedAt) tenths[Math.floor(((at - Math.min(...refreshedAt)) / spread) * 10)]!++;
      expect(Math.max(...tenths)).toBeLessThan(33);
    }
  });
});

describe('A25: while no token can be obtained', () => {
  it('the current one is returned without waiting until 10 seconds before it expires', async () => {
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

  it('a hanging endpoint delays no caller while there is a current one', async () => {
    const { clock, endpoint, tokens } = stageTokens();
    await tokens.getToken();
    endpoint.respond = () => new Promise(() => {});
    await clock.advance(0.95 * HOUR);
    expect(tokens.peekToken()).toBe('token-1');
    expect(await tokens.getToken()).toBe('token-1');
    await clock.settle();
    expect(endpoint.calls).toBe(2);
  });
});

describe('A26: a token', () => {
  it('with less than minRemainingMs left is not sent: callers wait for a new one', async () => {
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

  it('is never returned with less than minRemainingMs left while the endpoint works', async () => {
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

  it('requires a minRemainingMs of at least 10 seconds', () => {
    expect(() => clientCredentials({ ...client, minRemainingMs: 9_999 })).toThrow(/minRemainingMs/);
  });

  it('with a lifetime below minRemainingMs is used for half of it', async () => {
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
  it('invalidates the token it was for, and no later one', async () => {
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

  it('causes one token request in a burst of them', async () => {
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

  it('for every token causes five token requests at once, then one per 10 seconds', async () => {
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

  it('removes its token even if no other one can be obtained', async () => {
    const { endpoint, tokens } = stageTokens();
    const first = await tokens.getToken();
    endpoint.fail();
    tokens.invalidate(first);
    await failureOf(tokens.getToken());
    expect(tokens.peekToken()).toBeUndefined();
  });
});

describe('A28: expires_in', () => {
  const rows: [name: string, expiresIn: unknown, seconds: number, odd: 0 | 1][] = [
    ['as it should be', 1_800, 1_800, 0],
    ['that is missing', undefined, 300, 1],
    ['as a string', '1800', 1_800, 1],
    ['that is not numeric', 'an hour', 300, 1],
    ['that is null', null, 300, 1],
    ['that is an object', { seconds: 1 }, 300, 1],
    ['of 0', 0, 10, 1],
    ['below 0', -60, 10, 1],
    ['too large for a timer', 1e300, 86_400, 1],
    ['of years', 315_360_000, 86_400, 1],
    ['of half a second', 0.5, 1, 1],
  ];
  it.each(rows)('%s is turned into a usable lifetime', async (_name, expiresIn, seconds, odd) => {
    const { endpoint, tokens } = stageTokens();
    endpoint.grant = { expires_in: expiresIn };
    expect(await tokens.getToken()).toBe('token-1');
    expect(tokens.stats()).toMatchObject({ expiresInMs: seconds * SECOND, oddLifetimes: odd });
    expect(tokens.peekToken()).toBe('token-1');
  });

  it('that does not fit into a number is turned into a usable lifetime', async () => {
    const { endpoint, tokens } = stageTokens();
    endpoint.respond = () =>
      new Response('{"access_token":"token-1","token_type":"bearer","expires_in":1e999}', {
        headers: { 'content-type': 'application/json' },
      });
    await tokens.getToken();
    expect(tokens.stats()).toMatchObject({ expiresInMs: 24 * HOUR, oddLifetimes: 1 });
  });
});

describe('A29: two clients', () => {
  it('with the same id share no tokens, failures or backoff', async () => {
    const endpoint = new TokenEndpoint();
    endpoint.respond = ({ form }) =>
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

describe('a token response', () => {
  const json = (value: unknown, init: ResponseInit = {}): Response => Response.json(value, init);
  const rows: [name: string, response: () => Response, expected: object][] = [
    [
      'with an OAuth error',
      () => json({ error: 'invalid_client' }, { status: 401 }),
      { error: 'invalid_client', status: 401, retryable: false },
    ],
    [
      'with an error that is not an OAuth error',
      () => json({ error: SECRET.repeat(9) }, { status: 400 }),
      { error: undefined, status: 400 },
    ],
    [
      'that is an HTML page',
      () => new Response('<html>', { headers: { 'content-type': 'text/html' } }),
      { reason: 'malformed' },
    ],
    ['that is not an object', () => json(['token']), { reason: 'malformed' }],
    ['without a token', () => json({ token_type: 'bearer' }), { reason: 'malformed' }],
    [
      'with a line break in the token',
      () => json({ access_token: 'a\r\nb: c', token_type: 'bearer' }),
      { reason: 'malformed' },
    ],
    ['of another type', () => json({ access_token: 'a', token_type: 'mac' }), { reason: 'malformed' }],
    ['bound to an unknown key', () => json({ access_token: 'a', token_type: 'DPoP' }), { reason: 'malformed' }],
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
    ['of a failing server', () => new Response('{}', { status: 500 }), { reason: 'refused', retryable: true }],
  ];
  it.each(rows)('%s rejects with a reason', async (_name, response, expected) => {
    const { endpoint, tokens } = stageTokens();
    endpoint.respond = response;
    expect(await failureOf(tokens.getToken())).toMatchObject({ code: 'MAC_TOKEN_REQUEST', ...expected });
    expect(tokens.peekToken()).toBeUndefined();
  });

  it('that does not arrive times out after timeoutMs', async () => {
    const { clock, endpoint, tokens } = stageTokens({ timeoutMs: 2_000 });
    endpoint.respond = () => new Promise(() => {});
    const failed = failureOf(tokens.getToken());
    await clock.advance(2_000);
    expect(await failed).toMatchObject({ reason: 'unreachable', retryable: true });
  });

  it('that does not end times out after timeoutMs', async () => {
    const { clock, endpoint, tokens } = stageTokens();
    endpoint.respond = () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) }));
    const failed = failureOf(tokens.getToken());
    await clock.advance(5_000);
    expect(await failed).toMatchObject({ reason: 'unreachable' });
  });

  it('never appears in an error, and neither does the secret', async () => {
    for (const response of [
      () => json({ error: 'invalid_client', error_description: SECRET }, { status: 401 }),
      () => json({ access_token: SECRET }),
      () => json({ access_token: SECRET, token_type: SECRET }),
    ]) {
      const { endpoint, tokens } = stageTokens();
      endpoint.respond = response;
      const error = await failureOf(tokens.getToken());
      expect(inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error)).not.toContain(SECRET);
    }
    expect(() => clientCredentials({ ...client, tokenUrl: 'http://id.example.com', clientSecret: SECRET })).toThrow(
      expect.not.stringContaining(SECRET) as never,
    );
  });
});

it('a token that is not valid in a header field is rejected and not shown', async () => {
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

describe('the cause of a failed fetch', () => {
  it('contains neither the request nor its credentials', async () => {
    const { endpoint, tokens } = stageTokens();
    endpoint.respond = ({ headers }) => {
      const below = Object.assign(new Error(`ECONNREFUSED, sent ${headers['authorization']}`), {
        code: 'ECONNREFUSED',
      });
      const error = new TypeError(`fetch failed for ${SECRET}`, { cause: below });
      throw Object.assign(error, { config: { headers, secret: SECRET } });
    };
    const error = await failureOf(tokens.getToken());
    const basic = endpoint.requests[0]!.headers['authorization']!.slice('Basic '.length);
    const printed = inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error);
    expect(printed).not.toContain(SECRET);
    expect(printed).not.toContain(basic);
    expect(error).toMatchObject({ reason: 'unreachable', retryable: true });
    expect(error.cause).toMatchObject({ name: 'TypeError', cause: { code: 'ECONNREFUSED' } });
    expect(printed).toContain('fetch failed for [redacted]');
  });

  it('contains no credential in the encoding of a body or a URL', async () => {
    const clientSecret = 'Xy7~Q.abc+def/ghi==';
    for (const clientAuth of ['client_secret_post', 'client_secret_basic'] as const) {
      const { endpoint, tokens } = stageTokens({ clientSecret, clientAuth });
      let sent = '';
      endpoint.respond = ({ headers, form }) => {
        sent = `${form} ${headers['authorization']} ${encodeURIComponent(clientSecret)}`;
        throw new Error(`socket hang up, sent ${sent}`);
      };
      const { cause } = await failureOf(tokens.getToken());
      expect(sent).toContain('Xy7~Q.abc%2Bdef');
      expect((cause as Error).message).toMatch(/^socket hang up, sent grant_type=.* \[redacted\]$/);
      expect(inspect(cause)).not.toContain('abc');
    }
  });

  it('contains no credential of the query of the URL, whole or alone, as it was sent or decoded', async () => {
    const query = 'tenant=1&api_key=Xy7~Q.abc+def%2Fghi';
    const decoded = 'Xy7~Q.abc def/ghi';
    for (const quoted of [query, 'Xy7~Q.abc+def%2Fghi', decoded, encodeURIComponent(decoded)]) {
      const { endpoint, tokens } = stageTokens({ tokenUrl: `https://id.example.com/token?${query}` });
      endpoint.respond = () => Promise.reject(new Error(`socket hang up, sent ${quoted}`));
      const { cause } = await failureOf(tokens.getToken());
      expect((cause as Error).message).toBe('socket hang up, sent [redacted]');
    }
  });

  it('contains no part of a credential that begins with another one', async () => {
    const { redactedCause, requestSecrets } = await import('../src/fetch/redacted-cause.ts');
    const url = new URL('https://id.example.com/token');
    const body = new URLSearchParams({ client_secret: 'long-enough', refresh_token: 'long-enough-and-more' });
    const { message } = redactedCause(new Error(`no ${body}`), requestSecrets(url, {}, body)) as Error;
    expect(message).toBe('no client_secret=[redacted]&refresh_token=[redacted]');
  });

  it('is preserved if it is an error of this library, and dropped if it is not an error', async () => {
    const { endpoint, tokens } = stageTokens();
    const ours = new TimeoutError('Too late.', 5);
    endpoint.respond = () => Promise.reject(ours);
    expect((await failureOf(tokens.getToken())).cause).toBe(ours);
    for (const thrown of [`no ${SECRET}`, { secret: SECRET }]) {
      const other = stageTokens();
      other.endpoint.respond = () => Promise.reject(thrown as never);
      const { cause } = await failureOf(other.tokens.getToken());
      expect(cause).toBe(typeof thrown === 'string' ? 'no [redacted]' : undefined);
    }
  });

  it('contains no text of the endpoint except an OAuth error code', async () => {
    const { endpoint, tokens } = stageTokens();
    endpoint.refuse('s3cr3t-of-the-client', 401);
    expect(await failureOf(tokens.getToken())).toMatchObject({ reason: 'refused', error: undefined });
    const other = stageTokens();
    other.endpoint.refuse('invalid_client', 401);
    expect(await failureOf(other.tokens.getToken())).toMatchObject({ reason: 'refused', error: 'invalid_client' });
  });
});

describe('a closed client', () => {
  it('rejects waiting callers, and still returns a valid token', async () => {
    const { clock, endpoint, tokens } = stageTokens();
    await tokens.getToken();
    endpoint.respond = () => new Promise(() => {});
    await clock.advance(HOUR);
    const failed = expect(tokens.getToken()).rejects.toMatchObject({ code: 'MAC_CLOSED', retryable: false });
    await tokens.close();
    await failed;
    expect(clock.pendingTimers).toBe(0);
  });
});
