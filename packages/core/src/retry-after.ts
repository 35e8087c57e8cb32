/**
 * Parses how long a response asks the client to wait: `Retry-After` (RFC 9110, section 10.2.3) and the headers in milliseconds that
 * some APIs send. The values are untrusted: anything unknown is undefined, and nothing throws.
 */

/** A response has one value, or one more from each gateway. A header of thousands would take long to parse. */
const MAX_VALUES = 16;
/** Longer waits are cut to this, so that a value with any number of digits stays a finite, exact number. */
const MAX_WAIT_MS: number = Number.MAX_SAFE_INTEGER;

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `Sun, 06 Nov 1994 08:49:37 GMT`: the form that senders must use. Java's `RFC_1123_DATE_TIME` omits the 0 of the day. */
const IMF_FIXDATE = /^[A-Z][a-z]{2}, (\d{1,2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
/** `Sunday, 06-Nov-94 08:49:37 GMT`: obsolete, with a year of two digits. */
const RFC_850 = /^[A-Z][a-z]{5,8}, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
/** `Sun Nov  6 08:49:37 1994`: obsolete, from C's `asctime`, always UTC. */
const ASCTIME = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/;

/** The headers of a response that say how long to wait before the next request. */
export interface RetryAfterHeaders {
  /**
   * `Retry-After`: seconds or an HTTP date (RFC 9110, section 10.2.3). Of several values, of which 16 are read, the
   * longest counts, since a gateway may add its own.
   */
  readonly retryAfter: string | readonly string[] | undefined;
  /** `Retry-After-Ms` (OpenAI) or `x-ms-retry-after-ms` (Azure): milliseconds. Takes precedence over `Retry-After`. */
  readonly retryAfterMs: string | undefined;
  /** `Date` of the response, which an HTTP date is measured from, so that a difference between clocks does not matter. */
  readonly date: string | undefined;
}

/**
 * Returns how long the server asks to wait, in milliseconds, at least 0; undefined if it does not ask, or not in a known form. Never
 * throws.
 *
 * @param now - the wall-clock time in epoch milliseconds, for an HTTP date in a response without `Date`
 * @example
 * ```ts
 * import { parseRetryAfter } from '@macadam/core';
 *
 * const waitMs = parseRetryAfter({ retryAfter: '2', retryAfterMs: undefined, date: undefined }, Date.now()); // 2 000
 * ```
 */
export function parseRetryAfter(headers: RetryAfterHeaders, now: number): number | undefined {
  const precise = parseNumber(headers.retryAfterMs, 1);
  if (precise !== undefined) return precise;
  const { retryAfter, date } = headers;
  if (retryAfter === undefined) return undefined;
  let longest: number | undefined;
  const values = typeof retryAfter === 'string' ? membersOf(retryAfter) : retryAfter.flatMap(membersOf);
  for (const one of values.slice(0, MAX_VALUES)) {
    const waitMs = parseOne(one, date, now);
    if (waitMs !== undefined) longest = Math.max(longest ?? 0, waitMs);
  }
  return longest;
}

/** The values of a header that several were joined to. The comma inside of a date, before its day, does not separate. */
function membersOf(value: string): readonly string[] {
  return value.split(/,(?! ?\d{1,2}[ -][A-Z])/, MAX_VALUES);
}

function parseOne(value: string, date: string | undefined, now: number): number | undefined {
  const seconds = parseNumber(value, 1_000);
  if (seconds !== undefined) return seconds;
  const atMs = parseHttpDate(value, now);
  return atMs === undefined ? undefined : Math.max(0, atMs - (parseHttpDate(date, now) ?? now));
}

function parseNumber(text: string | undefined, unitMs: number): number | undefined {
  // The grammar has no fractions, but servers send them, and their meaning is clear.
  if (text === undefined || !/^\s*\d+(\.\d+)?\s*$/.test(text)) return undefined;
  return Math.min(Math.ceil(Number(text) * unitMs), MAX_WAIT_MS);
}

/**
 * Parses an HTTP date in any of the three forms that a recipient must accept (RFC 9110, section 5.6.7). Returns epoch milliseconds, or
 * undefined for anything else.
 *
 * @param now - the wall-clock time in epoch milliseconds, for years of two digits
 */
export function parseHttpDate(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  const value = text.trim();
  const fixed = IMF_FIXDATE.exec(value);
  if (fixed !== null) {
    const [, day, month, year, hours, minutes, seconds] = fixed;
    return utc(Number(year), month, Number(day), hours, minutes, seconds);
  }
  const rfc850 = RFC_850.exec(value);
  if (rfc850 !== null) {
    const [, day, month, year, hours, minutes, seconds] = rfc850;
    return utc(fullYear(Number(year), now), month, Number(day), hours, minutes, seconds);
  }
  const asctime = ASCTIME.exec(value);
  if (asctime !== null) {
    const [, month, day, hours, minutes, seconds, year] = asctime;
    return utc(Number(year), month, Number(day), hours, minutes, seconds);
  }
  return undefined;
}

/** The year with these last digits that is at most 50 years in the future and less than 50 in the past (RFC 9110, section 5.6.7). */
function fullYear(twoDigits: number, now: number): number {
  const thisYear = new Date(now).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + twoDigits;
  if (year > thisYear + 50) return year - 100;
  return year <= thisYear - 50 ? year + 100 : year;
}

function utc(
  year: number,
  monthName: string | undefined,
  day: number,
  hours: string | undefined,
  minutes: string | undefined,
  seconds: string | undefined,
): number | undefined {
  const month = MONTHS.indexOf(monthName ?? '');
  if (month < 0) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month, day);
  // `Date` turns 31 Feb into 3 Mar. A leap second (60) is valid, and becomes the first second of the next minute.
  if (date.getUTCDate() !== day || date.getUTCMonth() !== month) return undefined;
  if (Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 60) return undefined;
  return date.setUTCHours(Number(hours), Number(minutes), Number(seconds));
}
