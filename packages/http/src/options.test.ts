import { inspect } from 'node:util';
import { virtualClock } from '@macadam/testkit';
import { describe, expect, test } from 'vitest';
import { MockAgent } from 'undici';
import { createHttpClient } from './client.ts';
import type { HttpClientOptions } from './options.ts';
import { httpClientSettings } from './settings.ts';

const baseUrl = 'http://billing.internal';

describe('wrong options are rejected when the client is created', () => {
  const rows: [what: string, options: object, path: string, allowed: string][] = [
    ['no baseUrl', {}, 'baseUrl', 'a string'],
    ['a baseUrl that is none', { baseUrl: 'billing' }, 'baseUrl', 'http or https'],
    ['another scheme', { baseUrl: 'ftp://billing' }, 'baseUrl', 'http or https'],
    ['credentials in baseUrl', { baseUrl: 'http://me:canary@billing' }, 'baseUrl', 'without credentials'],
    ['a query in baseUrl', { baseUrl: 'http://billing/?key=canary' }, 'baseUrl', 'without query'],
    ['a fragment in baseUrl', { baseUrl: 'http://billing/#canary' }, 'baseUrl', 'without query and fragment'],
    ['a broken baseUrl with a secret', { baseUrl: 'http://me:canary@billing:port' }, 'baseUrl', 'http or https'],
    ['a slash in a password', { baseUrl: 'https://me:can/ary-canary@billing' }, 'baseUrl', 'http or https'],
    ['a hash in a password', { baseUrl: 'https://me:pa#canary@billing' }, 'baseUrl', 'http or https'],
    ['credentials after one slash', { baseUrl: 'https:/me:canary@billing' }, 'baseUrl', 'without credentials'],
    ['credentials after no slash', { baseUrl: 'https:me:canary@billing' }, 'baseUrl', 'without credentials'],
    ['credentials after backslashes', { baseUrl: 'https:\\\\me:canary@billing' }, 'baseUrl', 'without credentials'],
    ['credentials without a scheme', { baseUrl: 'me:canary@billing' }, 'baseUrl', 'http or https'],
    ['an address in a query', { baseUrl: 'http://billing/?user=me@canary' }, 'baseUrl', 'without query'],
    ['an unknown name', { baseUrl, timeout: 5 }, 'timeout', 'did you mean timeoutMs?'],
    ['an option that there is not', { baseUrl, grpc: true }, 'grpc', 'one of'],
    ['no redirect at all, in numbers', { baseUrl, redirects: { max: 0 } }, 'redirects.max', 'at least 1'],
    ['a misspelt rule', { baseUrl, redirects: { crossorigin: true } }, 'redirects.crossorigin', 'crossOrigin'],
    ['a header name that is none', { baseUrl, redirects: { secretHeaders: [1] } }, 'redirects.secretHeaders', 'a list'],
    ['null for a breaker', { baseUrl, circuitBreaker: null }, 'circuitBreaker', 'an object'],
    ['null for a bulkhead', { baseUrl, bulkhead: null }, 'bulkhead', 'an object'],
    ['null for hedges', { baseUrl, hedge: null }, 'hedge', 'an object'],
    ['null for a limit', { baseUrl, adaptiveConcurrency: null }, 'adaptiveConcurrency', 'an object'],
    ['null for a name', { baseUrl, name: null }, 'name', 'a string'],
    ['a token for a hook', { baseUrl, auth: 'canary' }, 'auth', 'authorize()'],
    ['a negative limit', { baseUrl, timeoutMs: -1 }, 'timeoutMs', 'above 0'],
    ['a limit of 0', { baseUrl, attemptTimeoutMs: 0 }, 'attemptTimeoutMs', 'above 0'],
    ['NaN', { baseUrl, timeoutMs: NaN }, 'timeoutMs', 'above 0'],
    [
      'a try longer than the call',
      { baseUrl, timeoutMs: 500, attemptTimeoutMs: 501 },
      'attemptTimeoutMs',
      'at most 500',
    ],
    ['a try longer than the default', { baseUrl, attemptTimeoutMs: 30_001 }, 'attemptTimeoutMs', 'at most 30000'],
    [
      'connecting longer than a try',
      { baseUrl, attemptTimeoutMs: 100, connectTimeoutMs: 200 },
      'connectTimeoutMs',
      'at most 100',
    ],
    [
      'connecting, through a dispatcher',
      { baseUrl, dispatcher: new MockAgent(), connectTimeoutMs: 1 },
      'connectTimeoutMs',
      'left out',
    ],
    ['a dispatcher that is none', { baseUrl, dispatcher: {} }, 'dispatcher', 'Dispatcher'],
    ['an empty name', { baseUrl, name: '' }, 'name', 'not empty'],
    ['a peer of no kind', { baseUrl, peer: 'friend' }, 'peer', '"internal", "external"'],
    ['a header that injects another', { baseUrl, headers: { a: 'canary\r\nb: c' } }, 'headers.a', 'line breaks'],
    ['retry: true', { baseUrl, retry: true }, 'retry', 'an object'],
    ['an unknown retry option', { baseUrl, retry: { limit: 3 } }, 'retry.limit', 'one of'],
    ['no attempt', { baseUrl, retry: { maxAttempts: 0 } }, 'retry.maxAttempts', 'at least 1'],
    ['statuses that are none', { baseUrl, retry: { statuses: ['503'] } }, 'retry.statuses', 'a list of statuses'],
    ['a status that is no number', { baseUrl, retry: { statuses: [NaN] } }, 'retry.statuses', 'a list of statuses'],
    ['a clock of the retry alone', { baseUrl, retry: { clock: {} } }, 'retry.clock', 'methods'],
    ['headers that are no plain object', { baseUrl, headers: new Headers({ a: '1' }) }, 'headers', 'values by name'],
    [
      'a secret header without a name',
      { baseUrl, redirects: { secretHeaders: ['a b'] } },
      'redirects.secretHeaders',
      'names',
    ],
    ['an unknown breaker option', { baseUrl, circuitBreaker: { threshold: 1 } }, 'circuitBreaker.threshold', 'one of'],
    ['no place', { baseUrl, bulkhead: { maxConcurrent: 0 } }, 'bulkhead.maxConcurrent', 'at least 1'],
    ['no byte', { baseUrl, responseLimits: { maxBytes: 0 } }, 'responseLimits.maxBytes', 'at least 1'],
    ['an unknown limit', { baseUrl, responseLimits: { bytes: 1 } }, 'responseLimits.bytes', 'one of'],
    ['a string for a boolean', { baseUrl, throwOnStatus: 'no' }, 'throwOnStatus', 'true or false'],
    ['a clock that is none', { baseUrl, clock: Date }, 'clock', 'a clock'],
    ['a clock that cannot wait', { baseUrl, clock: { monotonic: () => 0 } }, 'clock', 'setTimer'],
    ['no silence at all', { baseUrl, streams: { idleTimeoutMs: 0 } }, 'streams.idleTimeoutMs', 'above 0'],
    ['an unknown limit of streams', { baseUrl, streams: { idle: 1 } }, 'streams.idle', 'did you mean idleTimeoutMs'],
    ['auth that is a text', { baseUrl, auth: 'canary' }, 'auth', 'authorize()'],
  ];
  test.each(rows)('%s', (_what, options, path, allowed) => {
    let thrown: unknown;
    try {
      createHttpClient(options as HttpClientOptions);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({
      code: 'MAC_INVALID_OPTIONS',
      path: `createHttpClient.${path}`,
      allowed: expect.stringContaining(allowed),
    });
    expect(inspect(thrown)).not.toContain('canary');
  });
});

test('rejects missing options', () => {
  expect(() => createHttpClient(undefined as never)).toThrow(expect.objectContaining({ path: 'createHttpClient' }));
});

describe('defaults', () => {
  test('are those of the documentation', () => {
    expect(httpClientSettings({ baseUrl })).toMatchObject({
      name: 'billing.internal',
      authority: 'billing.internal:80',
      timeoutMs: 30_000,
      attemptTimeoutMs: 10_000,
      connectTimeoutMs: 2_000,
      maxAttemptNumber: 3,
      limits: { maxBytes: 10_485_760, maxRatio: 100, maxEncodings: 2 },
      throwOnStatus: true,
      peer: 'internal',
    });
  });

  test('shrink with the limits that contain them', () => {
    expect(httpClientSettings({ baseUrl, timeoutMs: 800 })).toMatchObject({
      attemptTimeoutMs: 800,
      connectTimeoutMs: 800,
    });
  });

  test('for port and path come from baseUrl', () => {
    expect(httpClientSettings({ baseUrl: 'https://api.example.com/v2/' })).toMatchObject({
      authority: 'api.example.com:443',
      origin: 'https://api.example.com',
      pathPrefix: '/v2',
      peer: 'external',
    });
  });

  test('AC42: are described by describe(), layer by layer, and each layer can be switched off', async () => {
    const clock = virtualClock();
    await using client = createHttpClient({ name: 'billing', baseUrl, clock });
    for (const word of [
      '1000 in flight',
      '30000 ms',
      '3 attempts',
      'circuit breaker "billing"',
      '10000 ms',
      '10485760',
      'a silence of 10000 ms, or 60000 ms for events',
      'up to 5 redirects, within the origin',
    ]) {
      expect(client.describe()).toContain(word);
    }
    const streams = { idleTimeoutMs: Infinity, unreadTimeoutMs: 5_000 };
    await using bare = createHttpClient({
      baseUrl,
      retry: false,
      circuitBreaker: false,
      bulkhead: false,
      streams,
      clock,
    });
    expect(bare.describe()).toContain('a silence of Infinity ms, and when they are left unread for 5000 ms');
    expect(bare.describe()).toContain('retry: none');
    expect(bare.describe()).not.toContain('retries GET');
    expect(bare.describe()).not.toContain('circuit breaker');
    expect(bare.describe()).not.toContain('in flight');
    expect(bare.describe()).not.toContain('credentials');
    expect(Object.keys(bare.stats().policies)).not.toContain('circuitBreaker');
  });
});
