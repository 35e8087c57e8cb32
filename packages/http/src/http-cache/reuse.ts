/**
 * Whether a stored response may answer a request: RFC 9111, section 4, with the extensions of RFC 5861 (stale content)
 * and RFC 8246 (immutable). A decision, with no effect: request, response and time in; what to do out.
 */
import { CacheControl } from './cache-control.ts';
import { requestField, responseField } from './fields.ts';
import { currentAgeMs, freshnessLifetimeMs, type Aged } from './freshness.ts';
import type { CacheMode, StoredResponse } from './stored-response.ts';

/**
 * Who cannot reach the origin may give what is stale, unless told otherwise (section 4.2.4); for how long, the RFC leaves
 * open. Source: `staleIfErrorMs` of `@macadam/cache`.
 */
const STANDS_IN_FOR_MS = 3_600_000;
/** What can be asked about is kept so much longer than it is fresh. */
const KEPT_FOR_VALIDATION_MS = 86_400_000;

/** What a response says that must not be used unless the origin has been asked. */
const ASK_FIRST = ['must-revalidate', 'no-cache', 'proxy-revalidate', 's-maxage'];

/** What a request says that will not have just anything that is stored. */
const DEMANDS = ['max-age', 'max-stale', 'min-fresh', 'no-cache', 'stale-if-error'];

/** What to do about a request for which something is stored. */
export interface Reuse {
  /** `refresh`: answer with it, and ask for a new one in the background. */
  readonly action: 'revalidate' | 'refresh' | 'serve';
  readonly ageMs: number;
  /** How long it stays fresh; negative when it is stale. */
  readonly freshForMs: number;
  /** Whether it may stand in for an answer that fails. */
  readonly onError: boolean;
  /** Whether it may stand in when the origin cannot be asked. */
  readonly onUnreachable: boolean;
}

export function decideReuse(
  stored: StoredResponse,
  requestHeaders: readonly string[],
  now: number,
  mode: CacheMode,
): Reuse {
  const control = new CacheControl(responseField(stored.headers, 'cache-control'));
  const asked = new CacheControl(requestField(requestHeaders, 'cache-control'));
  const ageMs = currentAgeMs(stored, now);
  const lifetimeMs = freshnessLifetimeMs(stored, control, mode);
  const freshForMs = lifetimeMs - ageMs;
  const mustAsk = stored.outdated || control.isUnqualified('no-cache');
  // A directive against stale answers wins over every one that allows them (section 4.2.4).
  const staleAllowed = !mustAsk && !forbidsStale(control, mode);
  const within = (directives: CacheControl, name: string): boolean =>
    -freshForMs <= (directives.seconds(name) ?? -Infinity) * 1_000;
  const onError = staleAllowed && (within(control, 'stale-if-error') || within(asked, 'stale-if-error'));
  // What never was fresh was not meant to be used twice.
  const wasFresh = freshForMs <= 0 && lifetimeMs > 0;
  const standsInMs = standsInForMs(control);
  const unasked = standsInMs > 0 && wasFresh && -freshForMs <= standsInMs && !DEMANDS.some((name) => asked.has(name));
  return {
    action: mustAsk ? 'revalidate' : action(),
    ageMs,
    freshForMs,
    onError,
    onUnreachable: onError || (staleAllowed && unasked),
  };

  function action(): Reuse['action'] {
    const fresh = freshForMs > 0;
    if (asked.has('no-cache')) return 'revalidate';
    // Reloading sends max-age=0; an immutable response has nothing new to say while it is fresh.
    const reloads = !(fresh && control.has('immutable')) && ageMs > (asked.seconds('max-age') ?? Infinity) * 1_000;
    if (reloads) return 'revalidate';
    if (freshForMs < (asked.seconds('min-fresh') ?? -Infinity) * 1_000) return 'revalidate';
    if (fresh) return 'serve';
    if (!staleAllowed) return 'revalidate';
    if (asked.isBare('max-stale')) return 'serve';
    if (within(asked, 'max-stale')) return 'serve';
    return within(control, 'stale-while-revalidate') ? 'refresh' : 'revalidate';
  }
}

/** `s-maxage` includes `proxy-revalidate`, and both are about shared caches alone (sections 5.2.2.8 and 5.2.2.10). */
function forbidsStale(control: CacheControl, mode: CacheMode): boolean {
  if (control.has('must-revalidate')) return true;
  return mode === 'shared' && (control.has('proxy-revalidate') || control.has('s-maxage'));
}

/** How long a stale response may stand in for an origin that cannot be asked, when the request does not say. */
export function standsInForMs(control: CacheControl): number {
  if (ASK_FIRST.some((name) => control.has(name))) return 0;
  return control.has('stale-if-error') ? (control.seconds('stale-if-error') ?? 0) * 1_000 : STANDS_IN_FOR_MS;
}

/** Whether a stored response says that it must not be used unless the origin has been asked, were it out of reach. */
export function mustBeAsked({ headers }: StoredResponse): boolean {
  const control = new CacheControl(responseField(headers, 'cache-control'));
  return ASK_FIRST.some((name) => control.has(name));
}

/** How long a response may be of use, were it only to be asked about. */
export function usefulForMs(response: Aged, now: number, mode: CacheMode): number {
  const { headers } = response;
  const control = new CacheControl(responseField(headers, 'cache-control'));
  const lifetimeMs = freshnessLifetimeMs(response, control, mode);
  const freshForMs = lifetimeMs - currentAgeMs(response, now);
  const toldSeconds = Math.max(control.seconds('stale-while-revalidate') ?? 0, control.seconds('stale-if-error') ?? 0);
  const staleMs = Math.max(toldSeconds * 1_000, lifetimeMs > 0 ? standsInForMs(control) : 0);
  const hasValidator = Object.hasOwn(headers, 'etag') || Object.hasOwn(headers, 'last-modified');
  if (hasValidator) return Math.max(0, freshForMs) + Math.max(staleMs, KEPT_FOR_VALIDATION_MS);
  return Math.max(0, freshForMs + staleMs);
}
