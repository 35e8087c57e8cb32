import { virtualClock, type VirtualClock } from '@macadam/testkit';
import { beforeEach, describe, expect, test } from 'vitest';
import type { HttpCacheOptions } from '../src/index.ts';
import { withCacheControl, cachingClient, runScenario, type Step } from './cache-scenario.ts';
import { scriptedDispatcher, type Script } from './scripted-dispatcher.ts';

let clock: VirtualClock;
beforeEach(() => {
  clock = virtualClock();
});

async function run(cache: HttpCacheOptions, steps: readonly Step[]): Promise<void> {
  await runScenario(clock, cache, steps);
}

const DIGITS = '0123456789';
const whole = (control = 'max-age=60', more: Record<string, string> = {}): Script => ({
  status: 200,
  ...withCacheControl(control, more),
  body: DIGITS,
});
/** The bytes from `first` to `last`, of ten. */
const part = (first: number, last: number, more: Record<string, string> = {}): Script => ({
  status: 206,
  ...withCacheControl('max-age=60', { 'content-range': `bytes ${first}-${last}/10`, ...more }),
  body: DIGITS.slice(first, last + 1),
});
const range = (text: string) => ({ headers: { range: `bytes=${text}` } });

describe('a part', () => {
  test.each([
    ['2-4', '234', 'bytes 2-4/10'],
    ['8-', '89', 'bytes 8-9/10'],
    ['-3', '789', 'bytes 7-9/10'],
    ['-99', DIGITS, 'bytes 0-9/10'],
    ['6-99', '6789', 'bytes 6-9/10'],
  ])('of what is stored whole is cut out of it: bytes=%s', (asked, body, contentRange) =>
    run({ mode: 'private' }, [
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
    ['10-12', 'is not there'],
    ['4-2', 'makes no sense'],
    ['0-1,5-6', 'is of several ranges'],
    ['-', 'is empty'],
    ['-0', 'is of no bytes'],
  ])('the origin is asked for when it %s', (asked) =>
    run({ mode: 'private' }, [{ origin: whole() }, { ...range(asked), forwardedHeaders: { range: `bytes=${asked}` } }]),
  );

  test('in another unit, and of what is encoded, is up to the origin', () =>
    run({ mode: 'private' }, [
      { origin: { ...whole('max-age=60', { 'content-encoding': 'identity' }) } },
      range('0-1'),
      { path: '/b', origin: whole() },
      { path: '/b', headers: { range: 'lines=0-1' } },
    ]));

  test('is asked for as it is, not encoded: of an encoded body it could not be decoded', () =>
    run({ mode: 'private' }, [
      { ...range('0-1'), forwardedHeaders: { 'accept-encoding': 'identity' } },
      { headers: { range: 'bytes=0-1', 'accept-encoding': 'br' }, forwardedHeaders: { 'accept-encoding': 'br' } },
      { forwardedHeaders: { 'accept-encoding': 'gzip, deflate, br, zstd' } },
    ]));

  test('is kept, and gives what lies within it', () =>
    run({ mode: 'private' }, [
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

  test('of a representation whose size is not known has no end to count from', () =>
    run({ mode: 'private' }, [
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

  test('does not answer a request for the whole', () =>
    run({ mode: 'private' }, [
      { ...range('2-7'), origin: part(2, 7), status: 206 },
      { origin: whole(), body: DIGITS, forwardedHeaders: { range: null } },
      { ...range('8-9'), forwarded: false, status: 206, body: '89' },
    ]));

  test.each<[string, Record<string, string>]>([
    ['AC18: (undici #4970) holds more than it says', { 'content-range': 'bytes 2-6/10' }],
    ['AC18: holds less than it says', { 'content-range': 'bytes 2-8/10' }],
    ['ends behind the end', { 'content-range': 'bytes 2-7/7' }],
    ['does not say which it is', { 'content-range': '' }],
    ['is of several ranges', { 'content-range': '', 'content-type': 'multipart/byteranges; boundary=x' }],
    ['is encoded', { 'content-encoding': 'identity' }],
  ])('is handed on, and not kept, when it %s', (_, headers) =>
    run({ mode: 'private' }, [
      { ...range('2-7'), origin: part(2, 7, headers), status: 206 },
      { ...range('3-4'), origin: part(3, 4), status: 206 },
    ]),
  );

  test('AC19: of the caller passes untouched when nothing is stored', () =>
    run({ mode: 'private' }, [
      {
        ...range('2-7'),
        forwardedHeaders: { range: 'bytes=2-7', 'if-range': null, 'if-match': null },
        origin: part(2, 7),
        status: 206,
      },
    ]));

  test('that is all there is answers a request for the whole', () =>
    run({ mode: 'private' }, [
      { ...range('0-'), origin: part(0, 9), status: 206 },
      { forwarded: false, body: DIGITS, responseHeaders: { 'content-range': null } },
      { ...range('3-4'), forwarded: false, status: 206, body: '34' },
    ]));

  test('what answers a range with all of it is kept as the whole it is', () =>
    run({ mode: 'private' }, [
      { ...range('2-7'), origin: whole() },
      { forwarded: false, body: DIGITS },
    ]));

  test('that there is none says nothing about the whole', () =>
    run({ mode: 'private' }, [
      { ...range('20-'), origin: { status: 416, ...withCacheControl('max-age=60') }, status: 416 },
      { origin: whole() },
    ]));

  test('is cut out of what is stale when the origin says it is still good', () =>
    run({ mode: 'private' }, [
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

  test('with a precondition of its own goes to the origin', () =>
    run({ mode: 'private' }, [
      { origin: whole('max-age=60', { etag: '"1"' }) },
      { headers: { range: 'bytes=1-2', 'if-range': '"1"' } },
    ]));
});

describe('parts of the same version', () => {
  const etag = { etag: '"1"' };

  test('are put together, and make a whole in the end', () =>
    run({ mode: 'private' }, [
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

  test('with a gap between them are not: the newer one stays', () =>
    run({ mode: 'private' }, [
      { ...range('0-3'), origin: part(0, 3, etag), status: 206 },
      { ...range('6-7'), origin: part(6, 7, etag), status: 206 },
      { ...range('6-7'), forwarded: false, status: 206, body: '67' },
      { ...range('0-1'), origin: part(0, 1, etag), status: 206 },
    ]));

  test.each([
    ['another', '"2"'],
    ['a weak', 'W/"1"'],
    ['no', undefined],
  ])('are told by a strong tag, not by %s', (_, other) =>
    run({ mode: 'private' }, [
      { ...range('0-3'), origin: part(0, 3, other === 'W/"1"' ? { etag: other } : etag), status: 206 },
      { ...range('4-6'), origin: part(4, 6, other === undefined ? {} : { etag: other }), status: 206 },
      { ...range('2-5'), origin: part(2, 5), status: 206 },
    ]),
  );

  test('what is missing of the whole is asked for alone', () =>
    run({ mode: 'private' }, [
      { ...range('0-3'), origin: part(0, 3, etag), status: 206 },
      {
        forwardedHeaders: { range: 'bytes=4-', 'if-range': '"1"' },
        origin: part(4, 9, etag),
        body: DIGITS,
        responseHeaders: { 'cache-status': 'prices; fwd=partial; fwd-status=206', 'content-range': null },
      },
      { forwarded: false, body: DIGITS },
    ]));

  test('a whole that has changed meanwhile comes whole', () =>
    run({ mode: 'private' }, [
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
    ['of another place', part(5, 9, etag)],
    ['AC18: longer than it says', { ...part(4, 9, etag), body: '4567890' }],
    ['that there is none', { status: 416 }],
  ])('a rest that does not fit is thrown away, and all of it asked for: %s', async (_, rest) => {
    const origin = scriptedDispatcher(part(0, 3, etag), rest, whole());
    await using client = cachingClient(clock, { mode: 'private' }, origin);
    await clock.runUntil(client.get('/a', range('0-3')));
    const response = await clock.runUntil(client.get('/a'));
    expect([response.status, response.text()]).toEqual([200, DIGITS]);
    expect(origin.headersOf(2)['range']).toBeUndefined();
  });

  test('AC19: a rest is asked for by a strong tag only', () =>
    run({ mode: 'private' }, [
      { ...range('0-3'), origin: part(0, 3, { etag: 'W/"1"' }), status: 206 },
      { forwardedHeaders: { range: null } },
      { path: '/b', ...range('1-3'), origin: part(1, 3, etag), status: 206 },
      { path: '/b', forwardedHeaders: { range: null } },
    ]));
});

test('a part that is streamed by fetch is cut out of what is stored, too', async () => {
  const origin = scriptedDispatcher(whole());
  await using client = cachingClient(clock, {}, origin);
  await (await client.fetch('/a')).text();
  const response = await client.fetch('/a', { headers: { range: 'bytes=1-2' } });
  expect([response.status, await response.text(), origin.sent.length]).toEqual([206, '12', 1]);
});
