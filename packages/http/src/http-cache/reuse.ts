/**
 * Whether a stored response may answer a request: RFC 9111, section 4, with the extensions of RFC 5861
 * (`stale-while-revalidate`, `stale-if-error`) and RFC 8246 (`immutable`). Pure decisions: request, stored response and time
 * in, what to do out.
 */
import { CacheControl } from './cache-control.ts';
import { hasValidator } from './conditional.ts';
import { requestField, responseField } from './fields.ts';
import { currentAgeMs, freshnessLifetimeMs, type DatedResponse } from './freshness.ts';
import type { CacheMode, StoredResponse } from './stored-response.ts';

/**
 * How long a stale response may be served while the origin is unreachable, unless the response says otherwise. RFC 9111,
 * section 4.2.4, allows it and sets no limit. Source: `staleIfErrorMs` of `@macadam/cache`.
 */
const DEFAULT_STALE_IF_UNREACHABLE_MS = 3_600_000;
/** How long a response with a validator is stored beyond its freshness, to be revalidated. */
const STORED_FOR_VALIDATION_MS = 86_400_000;

/** How far the clocks of processes that share a store may be apart. A receipt further ahead is from before a clock was set back. */
const MAX_CLOCK_DIFFERENCE_MS = 10_000;

/** Directives of a response that must be validated before it is served stale, or at all. */
const VALIDATION_DIRECTIVES = ['must-revalidate', 'no-cache', 'proxy-revalidate', 's-maxage'];

/** Directives of a request that limits how old or stale its response may be. */
const FRESHNESS_DEMANDS = ['max-age', 'max-stale', 'min-fresh', 'no-cache', 'stale-if-error'];

/** What to do with a stored response that matches a request. */
export interface Reuse {
  /** `serve-while-revalidate`: serve it stale, and revalidate it in the background. */
  readonly action: 'revalidate' | 'serve-while-revalidate' | 'serve';
  /** Its current age. */
  readonly ageMs: number;
  /** How long it remains fresh; zero or negative when it is stale. */
  readonly freshForMs: number;
  /** Whether it may be served when the origin answers with an error status. */
  readonly allowsStaleIfError: boolean;
  /** Whether it may be served when the origin cannot be reached. */
  readonly allowsStaleIfUnreachable: boolean;
}

export function decideReuse(
  stored: StoredResponse,
  requestHeaders: readonly string[],
  now: number,
  mode: CacheMode,
): Reuse {
  const control = new CacheControl(responseField(stored.headers, 'cache-control'));
  const requestControl = new CacheControl(requestField(requestHeaders, 'cache-control'));
  const ageMs = currentAgeMs(stored, now);
  const lifetimeMs = freshnessLifetimeMs(stored, control, mode);
  const freshForMs = lifetimeMs - ageMs;
  // How old it really is is unknown.
  const isFromFuture = stored.receivedAtMs - now > MAX_CLOCK_DIFFERENCE_MS;
  const mustValidate = stored.outdated || isFromFuture || control.isUnqualified('no-cache');
  // A directive that forbids stale responses wins over every directive that allows them (section 4.2.4).
  const mayBeStale = !mustValidate && !forbidsStale(control, mode);
  const isStaleWithin = (directives: CacheControl, name: string): boolean =>
    -freshForMs <= (directives.seconds(name) ?? -Infinity) * 1_000;
  const allowsStaleIfError =
    mayBeStale && (isStaleWithin(control, 'stale-if-error') || isStaleWithin(requestControl, 'stale-if-error'));
  // A response without a freshness lifetime was never meant to be used again.
  const wasFresh = freshForMs <= 0 && lifetimeMs > 0;
  const defaultLimitMs = staleIfUnreachableMs(control);
  const isWithinDefault =
    defaultLimitMs > 0 &&
    wasFresh &&
    -freshForMs <= defaultLimitMs &&
    !FRESHNESS_DEMANDS.some((name) => requestControl.has(name));
  return {
    action: mustValidate ? 'revalidate' : action(),
    ageMs,
    freshForMs,
    allowsStaleIfError,
    allowsStaleIfUnreachable: allowsStaleIfError || (mayBeStale && isWithinDefault),
  };

  function action(): Reuse['action'] {
    const isFresh = freshForMs > 0;
    if (requestControl.has('no-cache')) return 'revalidate';
    // A reload sends max-age=0, which an immutable response ignores while it is fresh (RFC 8246, section 2).
    const isTooOld =
      !(isFresh && control.has('immutable')) && ageMs > (requestControl.seconds('max-age') ?? Infinity) * 1_000;
    if (isTooOld) return 'revalidate';
    if (freshForMs < (requestControl.seconds('min-fresh') ?? -Infinity) * 1_000) return 'revalidate';
    if (isFresh) return 'serve';
    if (!mayBeStale) return 'revalidate';
    if (requestControl.hasNoArgument('max-stale') || isStaleWithin(requestControl, 'max-stale')) return 'serve';
    return isStaleWithin(control, 'stale-while-revalidate') ? 'serve-while-revalidate' : 'revalidate';
  }
}

/** `s-maxage` implies `proxy-revalidate`; both apply to shared caches only (sections 5.2.2.8 and 5.2.2.10). */
function forbidsStale(control: CacheControl, mode: CacheMode): boolean {
  if (control.has('must-revalidate')) return true;
  return mode === 'shared' && (control.has('proxy-revalidate') || control.has('s-maxage'));
}

/** How long a stale response may be served while the origin is unreachable, if the request sets no limit. */
function staleIfUnreachableMs(control: CacheControl): number {
  if (VALIDATION_DIRECTIVES.some((name) => control.has(name))) return 0;
  if (!control.has('stale-if-error')) return DEFAULT_STALE_IF_UNREACHABLE_MS;
  return (control.seconds('stale-if-error') ?? 0) * 1_000;
}

/** Whether a response says that it must be validated when it is stale, even if the origin is unreachable. */
export function requiresValidation({ headers }: StoredResponse): boolean {
  const control = new CacheControl(responseField(headers, 'cache-control'));
  return VALIDATION_DIRECTIVES.some((name) => control.has(name));
}

/** How long a response may be of use in the store, including the time in which it can only be revalidated. */
export function usableForMs(response: DatedResponse, now: number, mode: CacheMode): number {
  const { headers } = response;
  const control = new CacheControl(responseField(headers, 'cache-control'));
  const lifetimeMs = freshnessLifetimeMs(response, control, mode);
  const freshForMs = lifetimeMs - currentAgeMs(response, now);
  const staleSeconds = Math.max(control.seconds('stale-while-revalidate') ?? 0, control.seconds('stale-if-error') ?? 0);
  const staleMs = Math.max(staleSeconds * 1_000, lifetimeMs > 0 ? staleIfUnreachableMs(control) : 0);
  if (hasValidator(response)) return Math.max(0, freshForMs) + Math.max(staleMs, STORED_FOR_VALIDATION_MS);
  return Math.max(0, freshForMs + staleMs);
}
