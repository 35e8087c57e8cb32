import { parseRetryAfter } from '@macadam/core';
import type { RawHeaders } from './dispatcher.ts';
import { parseRateLimitReset } from './rate-limit-reset.ts';

/** Statuses whose rate limit headers say when to come back. In other responses they say what is left of a quota. */
const THROTTLED: ReadonlySet<number> = new Set([429, 503]);

/** How long the server asks to wait before the next request, in milliseconds: by `Retry-After`, else by rate limit headers. */
export function retryAfterOf(status: number, headers: RawHeaders, now: number): number | undefined {
  const retryAfter = headers['retry-after'];
  const retryAfterMs = firstOf(headers['retry-after-ms'] ?? headers['x-ms-retry-after-ms']);
  if (retryAfter !== undefined || retryAfterMs !== undefined) {
    const requestedMs = parseRetryAfter({ retryAfter, retryAfterMs, date: firstOf(headers['date']) }, now);
    if (requestedMs !== undefined) return requestedMs;
  }
  return THROTTLED.has(status) ? parseRateLimitReset(headers, now) : undefined;
}

/** The first value of a header that may be repeated. */
export function firstOf(value: string | string[] | undefined): string | undefined {
  return typeof value === 'object' ? value[0] : value;
}
