import type { RawHeaders } from './dispatcher.ts';

/** A number of seconds above this is a date: as a wait it would be 31 years. */
const EPOCH_SECONDS = 1_000_000_000;
/** A date above this is in milliseconds: in seconds it would be in the year 33658. */
const EPOCH_MS = 1_000_000_000_000;
const LONGEST_MS: number = Number.MAX_SAFE_INTEGER;

/**
 * How long until an exhausted quota is refilled, in milliseconds, at least 0; undefined when the headers do not say.
 *
 * Read in this order: `RateLimit` of the current IETF draft (draft-ietf-httpapi-ratelimit-headers-10: a list of policies
 * with `r`, what is left, and `t`, the seconds until more is), `RateLimit` in the form of drafts 7 to 9
 * (`limit=10, remaining=0, reset=5`), `RateLimit-Reset` of earlier drafts, and `X-RateLimit-Reset`, which servers send in
 * seconds or as an epoch, in seconds or milliseconds. A policy with quota left is not why the server refused, and is ignored.
 *
 * @param now - the wall clock in epoch milliseconds, for the last form
 */
export function parseRateLimitReset(headers: RawHeaders, now: number): number | undefined {
  const current = text(headers['ratelimit']);
  if (current !== undefined) {
    const seconds = resetOfPolicies(current) ?? resetOfDraft7(current);
    if (seconds !== undefined) return milliseconds(seconds);
  }
  if (hasQuotaLeft(headers['ratelimit-remaining'] ?? headers['x-ratelimit-remaining'])) return undefined;
  const older = number(text(headers['ratelimit-reset'] ?? headers['x-ratelimit-reset']));
  if (older === undefined) return undefined;
  if (older >= EPOCH_MS) return Math.max(0, older - now);
  return older >= EPOCH_SECONDS ? Math.max(0, milliseconds(older) - now) : milliseconds(older);
}

/** `"burst";r=0;t=5, "daily";r=12;t=40000`: the longest of the policies that have nothing left. */
function resetOfPolicies(value: string): number | undefined {
  let longest: number | undefined;
  // A quoted name may hold a comma or a semicolon. One that does not end takes the rest, so that the text is scanned once.
  for (const member of value.replace(/"(?:[^"\\]|\\.)*(?:"|\\?$)/gs, '""').split(',')) {
    const left = number(/;\s*r=([^;]*)/.exec(member)?.[1]);
    const seconds = number(/;\s*t=([^;]*)/.exec(member)?.[1]);
    if (left === 0 && seconds !== undefined) longest = Math.max(longest ?? 0, seconds);
  }
  return longest;
}

function resetOfDraft7(value: string): number | undefined {
  if (hasQuotaLeft(/(?:^|[,\s])remaining=([^,]*)/.exec(value)?.[1])) return undefined;
  return number(/(?:^|[,\s])reset=([^,]*)/.exec(value)?.[1]);
}

function hasQuotaLeft(remaining: string | string[] | undefined): boolean {
  return (number(text(remaining)) ?? 0) > 0;
}

function number(value: string | undefined): number | undefined {
  return value !== undefined && /^\s*\d+(\.\d+)?\s*$/.test(value) ? Number(value) : undefined;
}

function milliseconds(seconds: number): number {
  return Math.min(Math.ceil(seconds * 1_000), LONGEST_MS);
}

function text(value: string | string[] | undefined): string | undefined {
  return typeof value === 'object' ? value.join(', ') : value;
}
