import { virtualClock } from '@macadam/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concurrency, createRateLimiter, slidingWindow, tokenBucket, type Limit } from '../index.ts';
import { parseRateLimitHeaders } from './parse-rate-limit.ts';
import { rateLimitHeaders } from './rate-limit-headers.ts';

function limiterOf(...limits: Limit[]) {
  return createRateLimiter({ name: 'headers', limits, clock: virtualClock() });
}

describe('rateLimitHeaders', () => {
  const minute = tokenBucket({ limit: 60, periodMs: 60_000, name: 'minute' });

  it('writes the fields of the current draft', async () => {
    const limiter = limiterOf(minute);
    expect(rateLimitHeaders(await limiter.take('a', { cost: 10 }))).toEqual({
      'RateLimit-Policy': '"minute";q=60;w=60',
      RateLimit: '"minute";r=50;t=10',
    });
  });

  it('a denial adds Retry-After, rounded up and never below the t of the limit that denied', async () => {
    const limiter = limiterOf(minute, slidingWindow({ limit: 100, periodMs: 3_600_000, name: 'hour' }));
    await limiter.take('a', { cost: 60 });
    expect(rateLimitHeaders(await limiter.take('a', { cost: 1.5 }))).toEqual({
      'RateLimit-Policy': '"minute";q=60;w=60, "hour";q=100;w=3600',
      RateLimit: '"minute";r=0;t=2, "hour";r=40;t=3960',
      'Retry-After': '2',
    });
  });

  it('omits a window below a second, and never sends Retry-After: 0', async () => {
    const limiter = limiterOf(tokenBucket({ limit: 10, periodMs: 250, name: 'short' }));
    await limiter.take('a', { cost: 10 });
    expect(rateLimitHeaders(await limiter.take('a'))).toEqual({
      'RateLimit-Policy': '"short";q=10',
      RateLimit: '"short";r=0;t=1',
      'Retry-After': '1',
    });
  });

  it('a concurrency limit has a unit and no window', async () => {
    const headers = rateLimitHeaders(await limiterOf(concurrency({ limit: 4, name: 'jobs' })).take('a'));
    expect(headers).toEqual({
      'RateLimit-Policy': '"jobs";q=4;qu="concurrent-requests"',
      RateLimit: '"jobs";r=3;t=30',
    });
  });

  it('sends the partition as a digest', async () => {
    const limiter = limiterOf(minute);
    const headers = rateLimitHeaders(await limiter.take('ann@example.com'), { partition: 'ann@example.com' });
    expect(headers['RateLimit']).toMatch(/^"minute";r=59;t=1;pk=:[A-Za-z0-9+/]{12}:$/);
    expect(headers['RateLimit-Policy']).toContain(';pk=:');
  });

  it.each([
    ['x', { 'X-RateLimit-Limit': '60', 'X-RateLimit-Remaining': '50', 'X-RateLimit-Reset': '10' }],
    ['draft-6', { 'RateLimit-Limit': '60, 60;w=60', 'RateLimit-Remaining': '50', 'RateLimit-Reset': '10' }],
    ['draft-7', { 'RateLimit-Policy': '60;w=60', RateLimit: 'limit=60, remaining=50, reset=10' }],
  ] as const)('writes the dialect %s for those who ask for it', async (legacy, fields) => {
    const decision = await limiterOf(minute).take('a', { cost: 10 });
    expect(rateLimitHeaders(decision, { legacy })).toMatchObject(fields);
  });

  it('caps numbers at the largest integer of a structured field', async () => {
    const limiter = limiterOf(minute);
    await limiter.penalize('a', { cost: 1e300 });
    const headers = rateLimitHeaders(await limiter.take('a'));
    expect(headers).toMatchObject({ RateLimit: '"minute";r=0;t=999999999999999', 'Retry-After': '999999999999999' });
  });

  it('rejects invalid options', async () => {
    const decision = await limiterOf(concurrency({ limit: 1 })).take('a');
    const refused = expect.objectContaining({ code: 'MAC_INVALID_OPTIONS' });
    expect(() => rateLimitHeaders(decision, { legacy: 'draft5' as never })).toThrow(refused);
    expect(() => rateLimitHeaders(decision, { partition: '' })).toThrow(refused);
  });
});

describe('parseRateLimitHeaders', () => {
  const clock = virtualClock();
  const inTenSeconds = new Date(clock.now() + 10_000).toUTCString();
  const date = new Date(clock.now() - 5_000).toUTCString();

  it.each([
    [
      'the current draft',
      { RateLimit: '"m";r=5;t=12', 'RateLimit-Policy': '"m";q=60;w=60' },
      { name: 'm', remaining: 5, resetAfterMs: 12_000, limit: 60, windowMs: 60_000 },
    ],
    ['the names it may get', { ratelimit: '"m";a=5;w=12' }, { name: 'm', remaining: 5, resetAfterMs: 12_000 }],
    ['tokens for names', { ratelimit: 'm;r=5' }, { name: 'm', remaining: 5 }],
    [
      'draft 7',
      { ratelimit: 'limit=60, remaining=5, reset=12', 'ratelimit-policy': '60;w=60' },
      { name: 'default', remaining: 5, resetAfterMs: 12_000, limit: 60, windowMs: 60_000 },
    ],
    [
      'draft 6',
      { 'ratelimit-limit': '60, 60;w=60', 'ratelimit-remaining': '5', 'ratelimit-reset': '12' },
      { name: 'default', remaining: 5, resetAfterMs: 12_000, limit: 60 },
    ],
    [
      'X- in seconds',
      { 'x-ratelimit-remaining': '5', 'x-ratelimit-reset': '12' },
      { name: 'default', remaining: 5, resetAfterMs: 12_000 },
    ],
    [
      'X- with parts of seconds',
      { 'x-ratelimit-remaining': '5.7', 'x-ratelimit-reset': '0.25' },
      { name: 'default', remaining: 5, resetAfterMs: 250 },
    ],
    [
      'X- in epoch seconds',
      { 'x-ratelimit-remaining': '5', 'x-ratelimit-reset': String(clock.now() / 1_000 + 12) },
      { name: 'default', remaining: 5, resetAfterMs: 12_000 },
    ],
    [
      'X- in epoch milliseconds',
      { 'x-ratelimit-remaining': '5', 'x-ratelimit-reset': String(clock.now() + 12_000) },
      { name: 'default', remaining: 5, resetAfterMs: 12_000 },
    ],
  ])('reads %s', (_, fields, limit) => {
    expect(parseRateLimitHeaders(fields, { clock })).toEqual({ limits: [limit] });
    expect(parseRateLimitHeaders(new Headers(fields), { clock })).toEqual({ limits: [limit] });
  });

  it.each([
    [{ 'retry-after': '7' }, 7_000],
    [{ 'retry-after': inTenSeconds }, 10_000],
    [{ 'retry-after': inTenSeconds, date }, 15_000],
    [{ 'retry-after': '999999999' }, 600_000],
    // Of what a gateway has added to, the longest.
    [{ 'retry-after': '2, 7' }, 7_000],
    // The other forms that a recipient must accept (RFC 9110, 5.6.7).
    [{ 'retry-after': 'Sun Nov  6 08:50:37 1994', date: 'Sun, 06 Nov 1994 08:49:37 GMT' }, 60_000],
    [{ 'retry-after': 'Sunday, 06-Nov-94 08:50:37 GMT', date: 'Sun, 06 Nov 1994 08:49:37 GMT' }, 60_000],
    [{ 'retry-after': '1', 'retry-after-ms': '250' }, 250],
    // Never earlier than was asked for.
    [{ 'retry-after': '0.5' }, 500],
    [{ 'retry-after': '1.9999' }, 2_000],
    [{ 'retry-after': '-1' }, undefined],
    [{ 'retry-after': '1e3' }, undefined],
    [{ 'retry-after': 'Infinity' }, undefined],
    [{ 'retry-after': '2026' + ' '.repeat(10_000) + 'x' }, undefined],
    [{ 'retry-after': '7', age: '30' }, undefined],
  ])('Retry-After of %o', (fields, retryAfterMs) => {
    expect(parseRateLimitHeaders(fields, { clock }).retryAfterMs).toBe(retryAfterMs);
  });

  it('reads back what rateLimitHeaders writes', async () => {
    const decision = await limiterOf(tokenBucket({ limit: 60, periodMs: 60_000, name: 'minute' })).take('a', {
      cost: 9,
    });
    const expected = { remaining: 51, resetAfterMs: 9_000 };
    for (const legacy of [undefined, 'x', 'draft-6', 'draft-7'] as const) {
      const headers = rateLimitHeaders(decision, legacy === undefined ? {} : { legacy });
      expect(parseRateLimitHeaders(headers).limits[0], legacy).toMatchObject(expected);
    }
  });

  it('never throws, and never returns a wait above maxWaitMs, whatever a server sends', () => {
    const names = [
      'ratelimit',
      'ratelimit-policy',
      'ratelimit-remaining',
      'ratelimit-reset',
      'x-ratelimit-remaining',
      'x-ratelimit-reset',
      'retry-after',
      'date',
      'age',
    ];
    const values = fc.oneof(
      fc.string(),
      fc.stringMatching(/^"a";r=\d{1,18};t=\d{1,18}(;x="[ -~]*")?$/),
      fc.integer().map(String),
      fc.constantFrom(
        '"a";r=-1;t=1',
        '"a";r=1.5',
        '"__proto__";r=1;__proto__=2',
        '((((((',
        '"a";r=1;t=1,'.repeat(2_000),
      ),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), values), (fields) => {
        const { limits, retryAfterMs = 0 } = parseRateLimitHeaders(fields, { clock, maxWaitMs: 60_000 });
        expect(retryAfterMs).toBeLessThanOrEqual(60_000);
        for (const { remaining, resetAfterMs = 0 } of limits) {
          expect(remaining).toBeGreaterThanOrEqual(0);
          expect(resetAfterMs).toBeLessThanOrEqual(60_000);
        }
      }),
    );
  });
});
