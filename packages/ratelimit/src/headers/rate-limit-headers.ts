/**
 * The header fields that inform a client of its limits: `RateLimit-Policy` (the limits) and `RateLimit` (what is left),
 * structured fields of draft-ietf-httpapi-ratelimit-headers-11, and `Retry-After` (RFC 9110, 10.2.3).
 */
import { createHash } from 'node:crypto';
import { assertKnownOptions, assertObject, assertOneOf, assertText } from '@macadam/core';
import type { Decision, PolicyDecision } from '../decision.ts';
import { serializeItems } from './structured-fields.ts';

/** Options of `rateLimitHeaders`. */
export interface RateLimitHeadersOptions {
  /**
   * Adds an older dialect for clients that know no other: `x` (`X-RateLimit-Limit`, `-Remaining`, `-Reset` in seconds),
   * `draft-6` (`RateLimit-Limit`, `-Remaining`, `-Reset`), or `draft-7`, which replaces the current fields, since it
   * uses the same names with another syntax. Default: none.
   */
  legacy?: 'draft-6' | 'draft-7' | 'x';
  /**
   * The key that the limit is for, where clients share a connection. Sent as `pk`: a digest from which the key cannot
   * be read. Default: not sent.
   */
  partition?: string;
}

/**
 * Returns the header fields for a decision: `RateLimit`, `RateLimit-Policy` and, with a denial, `Retry-After`, which is
 * never shorter than the wait that was decided.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { createRateLimiter, rateLimitHeaders, tokenBucket } from '@macadam/ratelimit';
 *
 * const limiter = createRateLimiter({
 *   name: 'api',
 *   limits: [tokenBucket({ limit: 100, periodMs: 60_000, name: 'minute' })],
 * });
 * const headers = rateLimitHeaders(limiter.tryTake('ann'));
 * if (headers['RateLimit'] !== '"minute";r=99;t=1') throw new Error(headers['RateLimit']);
 * ```
 */
export function rateLimitHeaders(decision: Decision, options: RateLimitHeadersOptions = {}): Record<string, string> {
  assertObject('rateLimitHeaders', options);
  assertKnownOptions('rateLimitHeaders', options, ['legacy', 'partition']);
  const { legacy, partition } = options;
  if (legacy !== undefined) assertOneOf('rateLimitHeaders.legacy', legacy, ['x', 'draft-6', 'draft-7']);
  if (partition !== undefined) assertText('rateLimitHeaders.partition', partition);
  const policies = decision.policies ?? [decision];
  const headers = legacy === 'draft-7' ? draft7(decision, policies) : current(policies, partition);
  if (legacy === 'x') addTriple(headers, 'X-RateLimit', decision, String(decision.limit));
  if (legacy === 'draft-6') {
    const list = [String(decision.limit), ...policies.map((one) => `${one.limit};w=${seconds(one.periodMs)}`)];
    addTriple(headers, 'RateLimit', decision, list.join(', '));
  }
  const { allowed, retryAfterMs } = decision;
  if (!allowed && retryAfterMs < Infinity) headers['Retry-After'] = String(Math.max(1, seconds(retryAfterMs)));
  return headers;
}

function current(policies: readonly PolicyDecision[], partition: string | undefined): Record<string, string> {
  const pk = partition === undefined ? undefined : digest(partition);
  return {
    'RateLimit-Policy': serializeItems(
      policies.map(({ policy, limit, periodMs }) => ({
        name: policy,
        // `w` is in whole seconds: a shorter window is omitted, since a rounded one would give a wrong rate.
        parameters: {
          q: limit,
          qu: periodMs === 0 ? 'concurrent-requests' : undefined,
          w: periodMs < 1_000 ? undefined : seconds(periodMs),
          pk,
        },
      })),
    ),
    RateLimit: serializeItems(
      policies.map((one) => ({ name: one.policy, parameters: { r: one.remaining, t: secondsUntilMore(one), pk } })),
    ),
  };
}

function draft7(decision: Decision, policies: readonly PolicyDecision[]): Record<string, string> {
  const { limit, remaining } = decision;
  return {
    'RateLimit-Policy': policies.map((one) => `${one.limit};w=${seconds(one.periodMs)}`).join(', '),
    RateLimit: `limit=${limit}, remaining=${remaining}, reset=${secondsUntilMore(decision)}`,
  };
}

function addTriple(headers: Record<string, string>, prefix: string, decision: Decision, limit: string): void {
  headers[`${prefix}-Limit`] = limit;
  headers[`${prefix}-Remaining`] = String(decision.remaining);
  headers[`${prefix}-Reset`] = String(secondsUntilMore(decision));
}

/** Seconds until the quota is renewed: all of it, or after a denial as much as was requested. */
function secondsUntilMore({ allowed, retryAfterMs, resetAfterMs }: PolicyDecision): number {
  return seconds(allowed || retryAfterMs === Infinity ? resetAfterMs : retryAfterMs);
}

/** The largest integer of a structured field (RFC 9651, 3.3.1). */
const MAX_INTEGER = 999_999_999_999_999;

function seconds(ms: number): number {
  return Math.min(MAX_INTEGER, Math.ceil(ms / 1_000));
}

function digest(key: string): Uint8Array {
  return createHash('sha256').update(key).digest().subarray(0, 9);
}
