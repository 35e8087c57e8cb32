/**
 * Parses the rate limit fields of a response, in all dialects: the structured fields since draft 8 (`r` and `t`, and `a`
 * and `w`, their possible next names), the dictionary of draft 7, the three fields of earlier drafts, the `X-RateLimit`
 * fields, and `Retry-After` with its variants in milliseconds. The input is untrusted: nothing throws, and every wait is
 * bounded by `maxWaitMs`.
 */
import {
  assertDurationMs,
  assertKnownOptions,
  assertObject,
  parseHttpDate,
  parseRetryAfter,
  systemClock,
  type Clock,
} from '@macadam/core';
import { parseItems, parseNumbers } from './structured-fields.ts';

/** Header fields: a `Headers`, or an object as Node has it. */
export type HeaderFields =
  { get(name: string): string | null | undefined } | Readonly<Record<string, string | readonly string[] | undefined>>;

/** What a server says about one of its limits. */
export interface ServerLimit {
  /** Its name; `default` in dialects without names. */
  readonly name: string;
  /** What is left of the quota. */
  readonly remaining: number;
  /** When more is available, in milliseconds; undefined when it is not said. */
  readonly resetAfterMs?: number;
  /** The quota; undefined when it is not said. */
  readonly limit?: number;
  /** The window of the quota, in milliseconds; undefined when it is not said. */
  readonly windowMs?: number;
  /** What is counted: `content-bytes`, `concurrent-requests`. Undefined for requests, or when it is not said. */
  readonly unit?: string;
}

/** What a server says about its limits. */
export interface ServerLimits {
  /** Its limits; empty when it says nothing. */
  readonly limits: readonly ServerLimit[];
  /** When it allows another request (`Retry-After`), in milliseconds; undefined when it is not said. */
  readonly retryAfterMs?: number;
}

/** Options of `parseRateLimitHeaders`. */
export interface ParseRateLimitOptions {
  /**
   * The longest wait that is returned, in milliseconds, above 0; longer ones are cut. Default: 600 000 (ten minutes).
   */
  maxWaitMs?: number;
  /** Source of time, for waits that are given as a date when the response has no `Date`. Default: the system clock. */
  clock?: Clock;
}

/**
 * Returns what the header fields of a response say about limits; empty when they say nothing, or the response came from
 * a cache.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option; never for what a server sent.
 * @example
 * ```ts
 * import { parseRateLimitHeaders } from '@macadam/ratelimit';
 *
 * const { limits } = parseRateLimitHeaders({ ratelimit: '"minute";r=5;t=12' });
 * if (limits[0]?.resetAfterMs !== 12_000) throw new Error('12 seconds');
 * ```
 */
export function parseRateLimitHeaders(fields: HeaderFields, options: ParseRateLimitOptions = {}): ServerLimits {
  assertObject('parseRateLimitHeaders.fields', fields);
  assertObject('parseRateLimitHeaders', options);
  assertKnownOptions('parseRateLimitHeaders', options, ['maxWaitMs', 'clock']);
  const { maxWaitMs = 600_000, clock = systemClock } = options;
  assertDurationMs('parseRateLimitHeaders.maxWaitMs', maxWaitMs);
  const get = fieldReader(fields);
  // A response from a cache has the limits of an earlier request, possibly of another client.
  if (Number(get('age') ?? 0) > 0) return { limits: [] };
  const date = get('date');
  const now = parseHttpDate(date, clock.now()) ?? clock.now();
  const limits =
    parseStructured(get, maxWaitMs) ??
    parseTriple(get, 'ratelimit', now, maxWaitMs) ??
    parseTriple(get, 'x-ratelimit', now, maxWaitMs);
  const inMs = get('retry-after-ms') ?? get('x-ms-retry-after-ms');
  const delayMs = parseRetryAfter({ retryAfter: get('retry-after'), retryAfterMs: inMs, date }, now);
  return { limits: limits ?? [], ...(delayMs === undefined ? {} : { retryAfterMs: Math.min(maxWaitMs, delayMs) }) };
}

type GetField = (name: string) => string | undefined;

function fieldReader(fields: HeaderFields): GetField {
  if (typeof fields.get === 'function') {
    const { get } = fields as { get(name: string): string | null | undefined };
    return (name) => get.call(fields, name) ?? undefined;
  }
  const values = new Map<string, string>();
  for (const [name, value] of Object.entries(fields as Record<string, string | readonly string[] | undefined>)) {
    if (value !== undefined) values.set(name.toLowerCase(), typeof value === 'string' ? value : value.join(', '));
  }
  return (name) => values.get(name);
}

/** Parses `RateLimit` with `RateLimit-Policy`, as a list of items (since draft 8) or as a dictionary (draft 7). */
function parseStructured(get: GetField, maxWaitMs: number): ServerLimit[] | undefined {
  const text = get('ratelimit');
  if (text === undefined) return undefined;
  const policyItems = parseItems(get('ratelimit-policy') ?? '') ?? [];
  const policies = new Map(policyItems.map(({ name, parameters }) => [name, parameters]));
  const named = parseItems(text)?.flatMap(({ name, parameters }) => {
    const remaining = count(parameters['r'] ?? parameters['a']);
    if (remaining === undefined) return [];
    const policy = policies.get(name);
    const reset = count(parameters['t'] ?? parameters['w']);
    const limit = limitOf(name, remaining, reset, count(policy?.['q']), count(policy?.['w']), maxWaitMs);
    const unit = policy?.['qu'];
    return [typeof unit === 'string' && unit !== 'requests' ? { ...limit, unit } : limit];
  });
  if (named !== undefined && named.length > 0) return named;
  const numbers = parseNumbers(text);
  const remaining = count(numbers?.get('remaining'));
  if (remaining === undefined) return undefined;
  const [first] = policies.values();
  const limit = count(numbers?.get('limit'));
  return [limitOf('default', remaining, count(numbers?.get('reset')), limit, count(first?.['w']), maxWaitMs)];
}

/** Parses the fields `-Limit`, `-Remaining` and `-Reset` with a common prefix. */
function parseTriple(get: GetField, prefix: string, now: number, maxWaitMs: number): ServerLimit[] | undefined {
  const remaining = parseWhole(get(`${prefix}-remaining`));
  if (remaining === undefined) return undefined;
  const limit = parseWhole(get(`${prefix}-limit`)?.split(/[,;]/)[0]);
  return [limitOf('default', remaining, secondsUntil(get(`${prefix}-reset`), now), limit, undefined, maxWaitMs)];
}

function limitOf(
  name: string,
  remaining: number,
  resetSeconds: number | undefined,
  limit: number | undefined,
  windowSeconds: number | undefined,
  maxWaitMs: number,
): ServerLimit {
  return {
    name,
    remaining,
    ...(resetSeconds === undefined ? {} : { resetAfterMs: Math.min(maxWaitMs, Math.ceil(resetSeconds * 1_000)) }),
    ...(limit === undefined ? {} : { limit }),
    ...(windowSeconds === undefined ? {} : { windowMs: windowSeconds * 1_000 }),
  };
}

function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : undefined;
}

/** Rounds down: some servers send fractions, of which only whole requests can be sent. */
function parseWhole(text: string | undefined): number | undefined {
  const value = parseDecimal(text);
  return value === undefined ? undefined : Math.floor(value);
}

function parseDecimal(text: string | undefined): number | undefined {
  return text !== undefined && /^\s*\d{1,15}(\.\d{1,6})?\s*$/.test(text) ? Number(text) : undefined;
}

/** Servers send a delay in seconds, or a time in epoch seconds or epoch milliseconds. The magnitude tells which. */
function secondsUntil(text: string | undefined, now: number): number | undefined {
  const value = parseDecimal(text);
  if (value === undefined) return undefined;
  if (value > 1e12) return Math.max(0, Math.ceil((value - now) / 1_000));
  return value > 1e9 ? Math.max(0, Math.ceil(value - now / 1_000)) : value;
}
