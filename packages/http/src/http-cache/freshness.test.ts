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
  ])('%s means %s seconds', (text, seconds) => expect(new CacheControl(text).seconds('max-age')).toBe(seconds));

  test('a list of fields qualifies a directive', () => {
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
  ])('%s is about the whole message: %s, and about %j', (text, isUnqualified, fields) => {
    const control = new CacheControl(text);
    expect(control.isUnqualified('no-cache')).toBe(isUnqualified);
    expect(control.fieldNames('no-cache')).toEqual(fields);
  });
});

describe('how long a response is fresh, in seconds (RFC 9111, section 4.2.1)', () => {
  test.each<[string, Record<string, string>, number, number?]>([
    ['by max-age', { 'cache-control': 'max-age=60', expires: at(5) }, 60],
    [
      'not at all by a max-age that is none, whatever else there is',
      { 'cache-control': 'max-age=x', expires: at(5) },
      0,
    ],
    ['by Expires less Date', { expires: at(60), date: at(10) }, 50],
    ['not at all when that is past', { expires: at(5), date: at(10) }, 0],
    ['not at all by an Expires that is no date', { expires: '0', 'last-modified': at(-1_000) }, 0],
    ['by Expires, with a Date that is none', { expires: at(60), date: 'foo' }, 60],
    ['by Expires in the form of RFC 850', { expires: 'Thursday, 01-Jan-26 00:01:00 GMT', date: at(0) }, 60],
    ['by Expires in the form of asctime', { expires: 'Thu Jan  1 00:01:00 2026', date: at(0) }, 60],
    ['by Expires in any case', { expires: 'THU, 01 jan 2026 00:01:00 gmt', date: at(0) }, 60],
    ['a tenth of the time since the last change, by guess', { 'last-modified': at(-1_000), date: at(0) }, 100],
    ['a day at most, by guess', { 'last-modified': at(-1e8), date: at(0) }, 86_400],
    ['not by guess without a last change', { date: at(0) }, 0],
    ['not by guess with a status that says nothing about it', { 'last-modified': at(-1_000), date: at(0) }, 0, 202],
    [
      'by guess with such a status, when it is public',
      { 'last-modified': at(-1_000), date: at(0), 'cache-control': 'public' },
      100,
      599,
    ],
    ['by guess with 404', { 'last-modified': at(-1_000), date: at(0) }, 100, 404],
  ])('%s', (_, headers, seconds, status = 200) => expect(lifetime(stored(headers, { status }))).toBe(seconds));

  test.each<[string, CacheMode, number]>([
    ['max-age=5, s-maxage=60', 'shared', 60],
    ['s-maxage=5, max-age=60', 'shared', 5],
    ['s-maxage=x, max-age=60', 'shared', 0],
    ['max-age=5, s-maxage=60', 'private', 5],
    ['s-maxage=60', 'private', 0],
  ])('%s is, to a %s cache, fresh for %s', (control, mode, seconds) =>
    expect(lifetime(stored({ 'cache-control': control }), mode)).toBe(seconds),
  );
});

describe('how old a response is, in seconds (section 4.2.3)', () => {
  test.each<[string, Record<string, string>, Partial<StoredResponse>, number]>([
    ['since it was there', { date: at(0) }, {}, 10],
    ['by Date', { date: at(-5) }, {}, 15],
    ['not less than nothing by a Date ahead', { date: at(500) }, {}, 10],
    ['by Age', { date: at(0), age: '30' }, {}, 40],
    ['by Age and the time it took', { date: at(0), age: '30' }, { requestedAtMs: NOW - 2_000 }, 42],
    ['by the larger of Date and Age', { date: at(-100), age: '30' }, {}, 110],
    ['by the first of two ages', { date: at(0), age: '30, 0' }, {}, 40],
    ['without an Age that is none', { date: at(0), age: 'abc' }, {}, 10],
    ['without an Age below zero', { date: at(0), age: '-7200' }, {}, 10],
    ['without an Age that is a fraction', { date: at(0), age: '7200.0' }, {}, 10],
    ['by an Age beyond all bounds', { date: at(0), age: '99999999999' }, {}, 2_147_483_658],
  ])('%s', (_, headers, more, seconds) =>
    expect(currentAgeMs(stored(headers, more), NOW + 10_000) / 1_000).toBe(seconds),
  );

  test('is not less for a clock that was set back', () => {
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
])('%s is no date', (text) => expect(parseDate(text, NOW)).toBeUndefined());

test('a list keeps what is quoted together and leaves out what is empty', () => {
  expect(listMembers(' a , "b, c" ,, d="e,\\"f" ,')).toEqual(['a', '"b, c"', 'd="e,\\"f"']);
  expect(deltaSeconds(' 5')).toBeUndefined();
});
