import { describe, expect, test } from 'vitest';
import { CacheControl } from './cache-control.ts';
import { deltaSeconds, listMembers, parseDate } from './fields.ts';
import { currentAgeMs, freshnessLifetimeMs } from './freshness.ts';
import type { CacheMode, StoredResponse } from './stored-response.ts';

const NOW = Date.UTC(2026, 0, 1);
const at = (seconds: number): string => new Date(NOW + seconds * 1_000).toUTCString();

function stored(headers: Record<string, string>, more: Partial<StoredResponse> = {}): StoredResponse {
  const times = { requestedAtMs: NOW, receivedAtMs: NOW };
  const credentials = { authorization: '', cookie: '' };
  return {
    status: 200,
    headers,
    body: new Uint8Array(),
    selecting: {},
    ...credentials,
    ...times,
    outdated: false,
    ...more,
  };
}

function lifetime(response: StoredResponse, mode: CacheMode = 'private'): number {
  return freshnessLifetimeMs(response, new CacheControl(response.headers['cache-control'] as string), mode) / 1_000;
}

describe('Cache-Control', () => {
  test.each<[string, number | undefined]>([
    ['max-age=60', 60],
    ['MaX-aGe=60', 60],
    ['max-age="60"', 60],
    ['max-age=0060', 60],
    ['foo, max-age=60, bar=1', 60],
    ['max-age=1, max-age=60', 1],
    ['max-age=60, extension="max-age=1"', 60],
    ['extension="max-age=1, x", max-age=60', 60],
    ['extension="a\\"b, max-age=1", max-age=60', 60],
    ['extension="never closed, max-age=60', undefined],
    ['max-age =60', undefined],
    ['max-age= 60', undefined],
    ["max-age='60'", undefined],
    ['max-age=60.0', undefined],
    ['max-age=60a', undefined],
    ['max-age=-60', undefined],
    ['max-age', undefined],
    ['max-age=99999999999', 2_147_483_648],
    ['', undefined],
  ])('%s has a max-age of %s', (text, seconds) => expect(new CacheControl(text).seconds('max-age')).toBe(seconds));

  test('a list of field names qualifies a directive', () => {
    const control = new CacheControl('no-cache="X-A, x-b", private');
    expect(control.fieldNames('no-cache')).toEqual(['x-a', 'x-b']);
    expect([control.isUnqualified('no-cache'), control.isUnqualified('private'), control.has('public')]).toEqual([
      false,
      true,
      false,
    ]);
  });

  test.each<[string, boolean, string[]]>([
    ['no-cache="a", no-cache', true, ['a']],
    ['no-cache, no-cache="a"', true, ['a']],
    ['no-cache="a", no-cache="b, c"', false, ['a', 'b', 'c']],
    ['no-cache="a b"', true, ['a b']],
    ['no-cache=""', true, []],
    ['no-cache=set-cookie', false, ['set-cookie']],
    ['no-cache="__proto__"', false, ['__proto__']],
  ])('%s: applies to the whole message %s, to the fields %j', (text, isUnqualified, fields) => {
    const control = new CacheControl(text);
    expect(control.isUnqualified('no-cache')).toBe(isUnqualified);
    expect(control.fieldNames('no-cache')).toEqual(fields);
  });
});

describe('freshness lifetime in seconds (RFC 9111, section 4.2.1)', () => {
  test.each<[string, Record<string, string>, number, number?]>([
    ['max-age', { 'cache-control': 'max-age=60', expires: at(5) }, 60],
    ['zero for an invalid max-age, even with Expires', { 'cache-control': 'max-age=x', expires: at(5) }, 0],
    ['Expires minus Date', { expires: at(60), date: at(10) }, 50],
    ['zero when Expires is before Date', { expires: at(5), date: at(10) }, 0],
    ['zero for an invalid Expires, even with Last-Modified', { expires: '0', 'last-modified': at(-1_000) }, 0],
    ['Expires minus the time of receipt, for an invalid Date', { expires: at(60), date: 'foo' }, 60],
    ['Expires in RFC 850 format', { expires: 'Thursday, 01-Jan-26 00:01:00 GMT', date: at(0) }, 60],
    ['Expires in asctime format', { expires: 'Thu Jan  1 00:01:00 2026', date: at(0) }, 60],
    ['Expires in any letter case', { expires: 'THU, 01 jan 2026 00:01:00 gmt', date: at(0) }, 60],
    ['heuristic: a tenth of the time since Last-Modified', { 'last-modified': at(-1_000), date: at(0) }, 100],
    ['heuristic: at most a day', { 'last-modified': at(-1e8), date: at(0) }, 86_400],
    ['heuristic: zero without Last-Modified', { date: at(0) }, 0],
    [
      'heuristic: zero for a status that is not heuristically cacheable',
      { 'last-modified': at(-1_000), date: at(0) },
      0,
      202,
    ],
    [
      'heuristic: for any status with public',
      { 'last-modified': at(-1_000), date: at(0), 'cache-control': 'public' },
      100,
      599,
    ],
    ['heuristic: for a 404', { 'last-modified': at(-1_000), date: at(0) }, 100, 404],
  ])('%s', (_, headers, seconds, status = 200) => expect(lifetime(stored(headers, { status }))).toBe(seconds));

  test.each<[string, CacheMode, number]>([
    ['max-age=5, s-maxage=60', 'shared', 60],
    ['s-maxage=5, max-age=60', 'shared', 5],
    ['s-maxage=x, max-age=60', 'shared', 0],
    ['max-age=5, s-maxage=60', 'private', 5],
    ['s-maxage=60', 'private', 0],
  ])('%s in a %s cache: %s', (control, mode, seconds) =>
    expect(lifetime(stored({ 'cache-control': control }), mode)).toBe(seconds),
  );
});

describe('current age in seconds (RFC 9111, section 4.2.3)', () => {
  test.each<[string, Record<string, string>, Partial<StoredResponse>, number]>([
    ['the time since it was received', { date: at(0) }, {}, 10],
    ['plus the time from Date to receipt', { date: at(-5) }, {}, 15],
    ['without a Date in the future', { date: at(500) }, {}, 10],
    ['plus Age', { date: at(0), age: '30' }, {}, 40],
    ['plus Age and the response delay', { date: at(0), age: '30' }, { requestedAtMs: NOW - 2_000 }, 42],
    ['the larger of both by Date and by Age', { date: at(-100), age: '30' }, {}, 110],
    ['the first of several Age values', { date: at(0), age: '30, 0' }, {}, 40],
    ['without an invalid Age', { date: at(0), age: 'abc' }, {}, 10],
    ['without a negative Age', { date: at(0), age: '-7200' }, {}, 10],
    ['without a fractional Age', { date: at(0), age: '7200.0' }, {}, 10],
    ['an Age above 2^31 counts as 2^31', { date: at(0), age: '99999999999' }, {}, 2_147_483_658],
  ])('%s', (_, headers, more, seconds) =>
    expect(currentAgeMs(stored(headers, more), NOW + 10_000) / 1_000).toBe(seconds),
  );

  test('does not decrease when the clock is set back', () => {
    expect(currentAgeMs(stored({ date: at(0), age: '30' }), NOW - 3_600_000)).toBe(30_000);
  });
});

test.each([
  ['Thu, 18 Aug 2050 02:01:18 UTC'],
  ['Thu, 18 Aug 50 02:01:18 GMT'],
  ['Thu 18 Aug 2050 02:01:18 GMT'],
  ['Thu, 18  Aug  2050 02:01:18 GMT'],
  ['Thu, 18-Aug-2050 02:01:18 GMT'],
  ['Thu, 18 Aug 2050 02.01.18 GMT'],
  ['Thu, 18 Aug 2050 2:01:18 GMT'],
  ['Thu, 18 Aug 2050 02:01:18 GMT, Thu, 18 Aug 2050 02:01:19 GMT'],
])('%s is not an HTTP date', (text) => expect(parseDate(text, NOW)).toBeUndefined());

test('list members keep quoted commas; empty members are dropped', () => {
  expect(listMembers(' a , "b, c" ,, d="e,\\"f" ,')).toEqual(['a', '"b, c"', 'd="e,\\"f"']);
  expect(deltaSeconds(' 5')).toBeUndefined();
});
