import { describe, expect, test } from 'vitest';
import { parseHttpDate, parseRetryAfter } from './retry-after.ts';

const NOW = Date.UTC(1994, 10, 6, 8, 49, 37);

describe('parseRetryAfter', () => {
  const rows: [
    step: string,
    headers: { after?: string | string[]; ms?: string; date?: string },
    waitMs: number | undefined,
  ][] = [
    ['1 seconds', { after: '120' }, 120_000],
    ['2 zero', { after: '0' }, 0],
    ['3 padded', { after: ' 5 ' }, 5_000],
    ['4 a fraction', { after: '0.25' }, 250],
    ['5 negative', { after: '-1' }, undefined],
    ['6 empty', { after: '' }, undefined],
    ['7 words', { after: 'soon' }, undefined],
    ['8 exponent', { after: '1e3' }, undefined],
    ['9 hexadecimal', { after: '0x10' }, undefined],
    ['10 the fixed date', { after: 'Sun, 06 Nov 1994 08:50:37 GMT' }, 60_000],
    ['11 the RFC 850 date', { after: 'Sunday, 06-Nov-94 08:50:37 GMT' }, 60_000],
    ['12 the asctime date, which is always UTC', { after: 'Sun Nov  6 08:50:37 1994' }, 60_000],
    ['13 a date that has passed', { after: 'Sun, 06 Nov 1994 08:00:00 GMT' }, 0],
    ['14 a date in no known form', { after: '1994-11-06T08:50:37Z' }, undefined],
    ['15 a day that does not exist', { after: 'Sun, 31 Feb 1994 08:50:37 GMT' }, undefined],
    ['16 a time that does not exist', { after: 'Sun, 06 Nov 1994 24:50:37 GMT' }, undefined],
    [
      '17 measured from the Date of the response, not from our clock',
      { after: 'Sun, 06 Nov 1994 10:00:10 GMT', date: 'Sun, 06 Nov 1994 10:00:00 GMT' },
      10_000,
    ],
    ['18 milliseconds', { ms: '150' }, 150],
    ['19 milliseconds win', { ms: '150', after: '60' }, 150],
    ['20 an invalid number of milliseconds falls back to seconds', { ms: 'x', after: '60' }, 60_000],
    ['21 nothing', {}, undefined],
    ['22 axios-retry, got: 9999999999 s is not at once', { after: '9999999999' }, 9_999_999_999_000],
    ['23 2147484 s is above what setTimeout holds', { after: '2147484' }, 2_147_484_000],
    ['24 more digits than a number can hold', { after: '9'.repeat(400) }, Number.MAX_SAFE_INTEGER],
    [
      '25 a date in the far future',
      { after: 'Fri, 31 Dec 9999 23:59:59 GMT' },
      Date.UTC(9999, 11, 31, 23, 59, 59) - NOW,
    ],
    ['26 the longer of two', { after: ['1', '2'] }, 2_000],
    ['27 the longer of two, in any order', { after: ['Sun, 06 Nov 1994 08:50:37 GMT', '2'] }, 60_000],
    ['28 two that a proxy has joined', { after: '5, 2' }, 5_000],
    ['29 one of two invalid', { after: ['soon', '2'] }, 2_000],
    ['30 a date and a number, joined', { after: 'Sun, 06 Nov 1994 08:50:37 GMT, 2' }, 60_000],
    ['31 the other way round, the date in its older form', { after: '90, Sunday, 06-Nov-94 08:50:37 GMT' }, 90_000],
    ['32 the fixed date without the 0 of its day, as Java makes it', { after: 'Sun, 6 Nov 1994 08:50:37 GMT' }, 60_000],
  ];
  test.each(rows)('%s', (_step, { after, ms, date }, waitMs) => {
    expect(parseRetryAfter({ retryAfter: after, retryAfterMs: ms, date }, NOW)).toBe(waitMs);
  });

  test('reads sixteen values, whatever a server sends', () => {
    const headers = (retryAfter: string | string[]) => ({ retryAfter, retryAfterMs: undefined, date: undefined });
    const seconds = Array.from({ length: 20_000 }, (_, i) => String(i + 1));
    expect(parseRetryAfter(headers(seconds.join(',')), NOW)).toBe(16_000);
    expect(parseRetryAfter(headers(seconds), NOW)).toBe(16_000);
  });
});

describe('parseHttpDate', () => {
  test.each([
    ['fifty years ahead', '44', 2044],
    ['51 years ahead is the past', '45', 1945],
    ['this year', '94', 1994],
    ['over the turn of the century', '01', 2001],
  ])('a two-digit year: %s', (_what, digits, year) => {
    const at = Date.UTC(year, 10, 6, 8, 49, 37);
    expect(parseHttpDate(`Sunday, 06-Nov-${digits} 08:49:37 GMT`, NOW)).toBe(at);
  });

  test('accepts a leap second, as the first second of the next minute', () => {
    expect(parseHttpDate('Sun, 31 Dec 1995 23:59:60 GMT', NOW)).toBe(Date.UTC(1996, 0, 1));
  });
});
