/** Range requests and partial responses (RFC 9111, sections 3.3 and 3.4). */
import { virtualClock, type VirtualClock } from '@macadam/testkit';
import { beforeEach, describe, expect, test } from 'vitest';
import type { CacheMode } from '../src/index.ts';
import { cachingClient, runScenario, type Step, withCacheControl } from './cache-scenario.ts';
import { scriptedDispatcher, type Script } from './scripted-dispatcher.ts';

let clock: VirtualClock;
beforeEach(() => {
  clock = virtualClock();
});

async function run(steps: readonly Step[], mode: CacheMode = 'private'): Promise<void> {
  await runScenario(clock, steps, { mode });
}

const DIGITS = '0123456789';

const whole = (control = 'max-age=60', more: Record<string, string> = {}): Script => ({
  status: 200,
  ...withCacheControl(control, more),
  body: DIGITS,
});

/** A 206 with the bytes from `first` to `last`, of ten. */
const part = (first: number, last: number, more: Record<string, string> = {}): Script => ({
  status: 206,
  ...withCacheControl('max-age=60', { 'content-range': `bytes ${first}-${last}/10`, ...more }),
  body: DIGITS.slice(first, last + 1),
});

const range = (text: string) => ({ headers: { range: `bytes=${text}` } });

describe('range requests and stored parts', () => {
  test.each([
    ['2-4', '234', 'bytes 2-4/10'],
    ['8-', '89', 'bytes 8-9/10'],
    ['-3', '789', 'bytes 7-9/10'],
    ['-99', DIGITS, 'bytes 0-9/10'],
    ['6-99', '6789', 'bytes 6-9/10'],
  ])('a range is cut out of a complete stored response: bytes=%s', (asked, body, contentRange) =>
    run([
      { origin: whole('max-age=60', { 'content-length': '10', etag: '"1"' }) },
      {
        ...range(asked),
        afterSeconds: 5,
        forwarded: false,
        status: 206,
        body,
        responseHeaders: {
          'content-range': contentRange,
          'content-length': String(body.length),
          age: '5',
          etag: '"1"',
        },
      },
      { forwarded: false, body: DIGITS, responseHeaders: { 'content-range': null } },
    ]),
  );

  test.each([
    ['10-12', 'is beyond the end'],
    ['4-2', 'ends before it begins'],
    ['0-1,5-6', 'has several parts'],
    ['-', 'has no positions'],
    ['-0', 'is a suffix of no bytes'],
  ])('a request is forwarded when its range %s', (asked) =>
    run([{ origin: whole() }, { ...range(asked), forwardedHeaders: { range: `bytes=${asked}` } }]),
  );

  test('a request is forwarded for another range unit, and for an encoded stored response', () =>
    run([
      { origin: { ...whole('max-age=60', { 'content-encoding': 'identity' }) } },
      range('0-1'),
      { path: '/b', origin: whole() },
      { path: '/b', headers: { range: 'lines=0-1' } },
    ]));

  test('a range request asks for identity encoding: part of an encoded body could not be decoded', () =>
    run([
      { ...range('0-1'), forwardedHeaders: { 'accept-encoding': 'identity' } },
      { headers: { range: 'bytes=0-1', 'accept-encoding': 'br' }, forwardedHeaders: { 'accept-encoding': 'br' } },
      { forwardedHeaders: { 'accept-encoding': 'gzip, deflate, br, zstd' } },
    ]));

  test('a stored part answers requests for ranges within it', () =>
    run([
      { ...range('2-7'), origin: part(2, 7), status: 206, body: '234567' },
      {
        ...range('2-7'),
        forwarded: false,
        status: 206,
        body: '234567',
        responseHeaders: { 'content-range': 'bytes 2-7/10' },
      },
      { ...range('3-4'), forwarded: false, status: 206, body: '34' },
      { ...range('5-8'), origin: part(5, 8), status: 206, body: '5678' },
    ]));

  test('a stored part of unknown total size does not answer a suffix range', () =>
    run([
      { ...range('2-7'), origin: part(2, 7, { 'content-range': 'bytes 2-7/*' }), status: 206 },
      {
        ...range('3-4'),
        forwarded: false,
        status: 206,
        body: '34',
        responseHeaders: { 'content-range': 'bytes 3-4/*' },
      },
      range('-1'),
    ]));

  test('a stored part does not answer a request without a range', () =>
    run([
      { ...range('2-7'), origin: part(2, 7), status: 206 },
      { origin: whole(), body: DIGITS, forwardedHeaders: { range: null } },
      { ...range('8-9'), forwarded: false, status: 206, body: '89' },
    ]));

  test.each<[string, Record<string, string>]>([
    ['AC18: (undici #4970) has a body longer than Content-Range says', { 'content-range': 'bytes 2-6/10' }],
    ['AC18: has a body shorter than Content-Range says', { 'content-range': 'bytes 2-8/10' }],
    ['ends beyond its total size', { 'content-range': 'bytes 2-7/7' }],
    ['has no valid Content-Range', { 'content-range': '' }],
    ['has several parts', { 'content-range': '', 'content-type': 'multipart/byteranges; boundary=x' }],
    ['has a content encoding', { 'content-encoding': 'identity' }],
  ])('a 206 is returned, and not stored, when it %s', (_, headers) =>
    run([
      { ...range('2-7'), origin: part(2, 7, headers), status: 206 },
      { ...range('3-4'), origin: part(3, 4), status: 206 },
    ]),
  );

  test('AC19: the range of the caller is forwarded unchanged when nothing is stored', () =>
    run([
      {
        ...range('2-7'),
        forwardedHeaders: { range: 'bytes=2-7', 'if-range': null, 'if-match': null },
        origin: part(2, 7),
        status: 206,
      },
    ]));

  test('a part that is the complete representation answers a request without a range', () =>
    run([
      { ...range('0-'), origin: part(0, 9), status: 206 },
      { forwarded: false, body: DIGITS, responseHeaders: { 'content-range': null } },
      { ...range('3-4'), forwarded: false, status: 206, body: '34' },
    ]));

  test('a 200 to a range request is stored as a complete response', () =>
    run([
      { ...range('2-7'), origin: whole() },
      { forwarded: false, body: DIGITS },
    ]));

  test('a 416 is not stored for a request without a range', () =>
    run([
      { ...range('20-'), origin: { status: 416, ...withCacheControl('max-age=60') }, status: 416 },
      { origin: whole() },
    ]));

  test('a range is cut out of a stale response that a 304 validated', () =>
    run([
      { origin: whole('max-age=60', { etag: '"1"' }) },
      {
        ...range('1-2'),
        afterSeconds: 61,
        forwardedHeaders: { 'if-none-match': '"1"', range: 'bytes=1-2' },
        origin: { status: 304, headers: { etag: '"1"' }, body: [] },
        status: 206,
        body: '12',
      },
    ]));

  test('a range request with If-Range is forwarded', () =>
    run([{ origin: whole('max-age=60', { etag: '"1"' }) }, { headers: { range: 'bytes=1-2', 'if-range': '"1"' } }]));
});

describe('combining stored parts', () => {
  const etag = { etag: '"1"' };

  test('adjoining parts are combined until they are complete', () =>
    run([
      { ...range('0-3'), origin: part(0, 3, { ...etag, 'x-a': 'old', 'x-b': 'kept' }), status: 206 },
      { ...range('4-6'), origin: part(4, 6, { ...etag, 'x-a': 'new' }), status: 206 },
      {
        ...range('2-5'),
        forwarded: false,
        status: 206,
        body: '2345',
        responseHeaders: { 'x-a': 'new', 'x-b': 'kept', 'content-range': 'bytes 2-5/10' },
      },
      { ...range('5-9'), origin: part(5, 9, etag), status: 206 },
      { forwarded: false, body: DIGITS, responseHeaders: { 'content-range': null, 'content-length': '10' } },
    ]));

  test('parts with a gap are not combined: the newer one replaces the older', () =>
    run([
      { ...range('0-3'), origin: part(0, 3, etag), status: 206 },
      { ...range('6-7'), origin: part(6, 7, etag), status: 206 },
      { ...range('6-7'), forwarded: false, status: 206, body: '67' },
      { ...range('0-1'), origin: part(0, 1, etag), status: 206 },
    ]));

  test.each([
    ['another entity tag', '"2"'],
    ['a weak entity tag', 'W/"1"'],
    ['no entity tag', undefined],
  ])('parts are not combined with %s', (_, other) =>
    run([
      { ...range('0-3'), origin: part(0, 3, other === 'W/"1"' ? { etag: other } : etag), status: 206 },
      { ...range('4-6'), origin: part(4, 6, other === undefined ? {} : { etag: other }), status: 206 },
      { ...range('2-5'), origin: part(2, 5), status: 206 },
    ]),
  );

  test('only the missing remainder is requested for a request without a range', () =>
    run([
      { ...range('0-3'), origin: part(0, 3, etag), status: 206 },
      {
        forwardedHeaders: { range: 'bytes=4-', 'if-range': '"1"' },
        origin: part(4, 9, etag),
        body: DIGITS,
        responseHeaders: { 'cache-status': 'prices; fwd=partial; fwd-status=206', 'content-range': null },
      },
      { forwarded: false, body: DIGITS },
    ]));

  test('a representation that has changed is returned whole', () =>
    run([
      { ...range('0-3'), origin: part(0, 3, etag), status: 206 },
      {
        forwardedHeaders: { 'if-range': '"1"' },
        origin: { ...whole('max-age=60', { etag: '"2"' }), body: 'abcdef' },
        body: 'abcdef',
      },
      { forwarded: false, body: 'abcdef' },
    ]));

  test.each<[string, Script]>([
    ['of another version', part(4, 9, { etag: '"2"' })],
    ['of other bytes', part(5, 9, etag)],
    ['AC18: with a body longer than Content-Range says', { ...part(4, 9, etag), body: '4567890' }],
    ['a 416', { status: 416 }],
  ])('a remainder that does not fit is discarded, and the whole requested: %s', async (_, rest) => {
    const origin = scriptedDispatcher(part(0, 3, etag), rest, whole());
    await using client = cachingClient(clock, origin);
    await clock.runUntil(client.get('/a', range('0-3')));
    const response = await clock.runUntil(client.get('/a'));
    expect([response.status, response.text()]).toEqual([200, DIGITS]);
    expect(origin.headersOf(2)['range']).toBeUndefined();
  });

  test('parts are not combined, and no remainder is requested, beyond responseLimits.maxBytes', () =>
    runScenario(
      clock,
      [
        { ...range('0-3'), origin: part(0, 3, etag), status: 206 },
        { ...range('4-6'), origin: part(4, 6, etag), status: 206 },
        { ...range('4-5'), forwarded: false, status: 206 },
        { ...range('0-3'), origin: part(0, 3, etag), status: 206 },
        {
          origin: whole('max-age=60', { ...etag, 'content-length': '10' }),
          forwardedHeaders: { range: null },
          errorCode: 'MAC_HTTP_RESPONSE_TOO_LARGE',
        },
      ],
      {},
      { responseLimits: { maxBytes: 6 } },
    ));

  test('AC19: a remainder is requested only with a strong entity tag', () =>
    run([
      { ...range('0-3'), origin: part(0, 3, { etag: 'W/"1"' }), status: 206 },
      { forwardedHeaders: { range: null } },
      { path: '/b', ...range('1-3'), origin: part(1, 3, etag), status: 206 },
      { path: '/b', forwardedHeaders: { range: null } },
    ]));
});

test('a range requested by fetch is cut out of a stored response', async () => {
  const origin = scriptedDispatcher(whole());
  await using client = cachingClient(clock, origin);
  await (await client.fetch('/a')).text();
  const response = await client.fetch('/a', { headers: { range: 'bytes=1-2' } });
  expect([response.status, await response.text(), origin.sent.length]).toEqual([206, '12', 1]);
});
