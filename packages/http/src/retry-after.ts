import { parseRetryAfter } from '@macadam/core';
import type { RawHeaders } from './dispatcher.ts';
import { parseRateLimitReset } from './rate-limit-reset.ts';

/** Statuses whose quota headers are about coming back: those of other answers tell what is left. */
const THROTTLED: ReadonlySet<number> = new Set([429, 503]);

/** How long an answer asks to be left alone, in milliseconds: by `Retry-After`, else by the quota it tells. */
export function retryAfterOf(status: number, headers: RawHeaders, now: number): number | undefined {
  const retryAfter = headers['retry-after'];
  const retryAfterMs = firstOf(headers['retry-after-ms'] ?? headers['x-ms-retry-after-ms']);
  if (retryAfter !== undefined || retryAfterMs !== undefined) {
    const asked = parseRetryAfter({ retryAfter, retryAfterMs, date: firstOf(headers['date']) }, now);
    if (asked !== undefined) return asked;
  }
  return THROTTLED.has(status) ? parseRateLimitReset(headers, now) : undefined;
}

/** A header sent more than once counts as its first. */
export function firstOf(value: string | string[] | undefined): string | undefined {
  return typeof value === 'object' ? value[0] : value;
}
