// Permissions that are decided by an OpenFGA server over its HTTP API (Check and BatchCheck). Concurrent checks share a
// request. When there is no response within the time limit, the action is denied, unless `onFailure` says otherwise.
import {
  assertClock,
  assertDurationMs,
  assertFunction,
  assertInteger,
  assertKnownOptions,
  assertObject,
  assertOneOf,
  assertText,
  abortable,
  type Clock,
  currentWork,
  OptionsError,
  systemClock,
  underPath,
  withheld,
} from '@macadam/core';
import type { FetchLike } from '../fetch/bounded-fetch.ts';
import { endpointName, endpointUrl } from '../fetch/endpoint-url.ts';
import { assertAllowed, type Decision, decisionOf, synchronous, withCause } from './decision.ts';
import { DecisionCache, type DecisionCacheOptions } from './decision-cache.ts';
import { type Consistency, FgaBatcher, type FgaCheck, FgaRequestError, type FgaTuple } from './open-fga-batcher.ts';
import type { CheckOptions, RemotePermissions } from './remote-permissions.ts';

/** Options of {@link openFgaPermissions}. */
export interface OpenFgaPermissionsOptions<P, R, A extends string = string> {
  /** URL of the server, without query and fragment: `https`, or `http` on loopback. */
  apiUrl: string;
  /** The store that holds the relations. */
  storeId: string;
  /**
   * The authorization model that decides. Required: otherwise permissions would change when somebody writes a model.
   */
  authorizationModelId: string;
  /** Returns the user: `user:u1`. `undefined`, or a name with a `#` (a userset), is denied. */
  userOf: (principal: P) => string | undefined;
  /** Returns the object: `document:7`. `undefined` is denied. */
  objectOf: (resource: R | undefined) => string | undefined;
  /** The relation that an action needs: `{ 'doc:read': 'viewer' }`, or a function. An action without one is denied. */
  relationOf: Readonly<Partial<Record<A, string>>> | ((action: A) => string | undefined);
  /** Returns values for the conditions of the model. Default: none. */
  contextOf?: (principal: P, action: A, resource: R | undefined) => Readonly<Record<string, unknown>> | undefined;
  /** Returns relations that hold for this request only. Default: none. */
  contextualTuplesOf?: (principal: P, resource: R | undefined) => readonly FgaTuple[];
  /** Time limit of a decision, in milliseconds. Default: 300. */
  timeoutMs?: number;
  /**
   * The decision when the server does not respond in time: `open` allows everything while it is down. A request that
   * cannot be built or that the server refuses as invalid, since one of the functions throws or returns an invalid
   * value, is denied in any case. Default: `closed`.
   */
  onFailure?: 'closed' | 'open';
  /** `higher` bypasses the caches of the server. After a write, ask with `higher`. Default: `minimizeLatency`. */
  consistency?: Consistency;
  /** Maximum number of checks in one request; the server allows 50 unless it is configured otherwise. Default: 50. */
  maxBatch?: number;
  /** Caches decisions; those asked with `higher` are never read from it. Default: `false`. */
  cache?: DecisionCacheOptions | false;
  /** Returns the header fields of each request, such as `authorization`. Default: none. */
  headersOf?: (signal: AbortSignal) => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;
  /**
   * Sends the requests. That of a client of `@macadam/http` adds retries and a circuit breaker. Default: the global
   * `fetch`.
   */
  fetch?: FetchLike;
  /** Source of time. Default: the system clock. */
  clock?: Clock;
}

const OPTIONS = [
  'apiUrl',
  'storeId',
  'authorizationModelId',
  'userOf',
  'objectOf',
  'relationOf',
  'contextOf',
  'contextualTuplesOf',
  'timeoutMs',
  'onFailure',
  'consistency',
  'maxBatch',
  'cache',
  'headersOf',
  'fetch',
  'clock',
];
const CONSISTENCIES: readonly Consistency[] = ['minimizeLatency', 'higher'];
const FAILURES = ['closed', 'open'] as const;

/**
 * Creates permissions that an OpenFGA server decides.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`)
 * @example
 * ```ts
 * import { openFgaPermissions } from '@macadam/auth';
 *
 * const can = openFgaPermissions<{ subject: string }, { id: string }>({
 *   apiUrl: 'https://fga.example.com',
 *   storeId: '01HVMMBCMGZNT3SED4Z17ECXCA',
 *   authorizationModelId: '01HVMMBDJ3Z8V1Q7X3S1Z4E4M5',
 *   userOf: ({ subject }) => `user:${subject}`,
 *   objectOf: (doc) => doc && `doc:${doc.id}`,
 *   relationOf: { 'doc:read': 'viewer', 'doc:write': 'editor' },
 * });
 * ```
 */
export function openFgaPermissions<P, R, A extends string = string>(
  options: OpenFgaPermissionsOptions<P, R, A>,
): RemotePermissions<P, R, A> {
  assertObject('openFgaPermissions', options);
  return underPath('openFgaPermissions', () => makeOpenFgaPermissions(options));
}

function makeOpenFgaPermissions<P, R, A extends string = string>(
  options: OpenFgaPermissionsOptions<P, R, A>,
): RemotePermissions<P, R, A> {
  assertKnownOptions('', options, OPTIONS);
  const {
    storeId,
    authorizationModelId,
    userOf,
    objectOf,
    contextOf,
    contextualTuplesOf,
    headersOf = () => ({}),
  } = options;
  const { timeoutMs = 300, onFailure = 'closed', consistency = 'minimizeLatency', maxBatch = 50 } = options;
  const { fetch = globalThis.fetch as FetchLike, clock = systemClock, cache: cacheOptions = false } = options;
  const api = endpointUrl('apiUrl', options.apiUrl);
  // Not shown in the error: it may be a credential.
  if (api.search !== '' || api.hash !== '')
    throw new OptionsError('apiUrl', withheld(options.apiUrl), 'a URL without query and fragment');
  assertText('storeId', storeId);
  assertText('authorizationModelId', authorizationModelId);
  for (const [name, value] of Object.entries({ userOf, objectOf, headersOf, fetch })) assertFunction(name, value);
  if (contextOf !== undefined) assertFunction('contextOf', contextOf);
  if (contextualTuplesOf !== undefined) assertFunction('contextualTuplesOf', contextualTuplesOf);
  const relationOf = relationLookup(options.relationOf);
  assertClock('clock', clock);
  assertDurationMs('timeoutMs', timeoutMs);
  assertInteger('maxBatch', maxBatch, { min: 1 });
  assertOneOf('onFailure', onFailure, FAILURES);
  assertOneOf('consistency', consistency, CONSISTENCIES);
  const cache = cacheOptions === false ? undefined : new DecisionCache('cache', cacheOptions, clock);
  const url = `${endpointName(api).replace(/\/$/, '')}/stores/${encodeURIComponent(storeId)}`;
  const batcher = new FgaBatcher({ url, authorizationModelId, maxBatch, timeoutMs, headersOf, fetch, clock });
  const denied = decisionOf(authorizationModelId, false, 'noRule');
  let checks = 0;
  let unavailable = 0;

  const checkOf = (principal: P, action: A, resource: R | undefined): FgaCheck | undefined => {
    const user = synchronous('userOf()', userOf(principal));
    const relation = synchronous('relationOf()', relationOf(action));
    const object = synchronous('objectOf()', objectOf(resource));
    if (!isObjectId(user) || relation === undefined || !isObjectId(object)) return undefined;
    const context = synchronous('contextOf()', contextOf?.(principal, action, resource));
    const tuples = synchronous('contextualTuplesOf()', contextualTuplesOf?.(principal, resource)) ?? [];
    if (!Array.isArray(tuples)) throw new OptionsError('contextualTuplesOf()', tuples, 'a list of tuples');
    return {
      tuple_key: { user, relation, object },
      ...(context !== undefined && { context }),
      ...(tuples.length > 0 && { contextual_tuples: { tuple_keys: tuples as readonly FgaTuple[] } }),
    };
  };

  const decide = async (principal: P, action: A, resource?: R, checkOptions: CheckOptions = {}): Promise<Decision> => {
    const { consistency: requestedConsistency = consistency, onFailure: requestedOnFailure = onFailure } = checkOptions;
    const signal = checkOptions.signal ?? currentWork()?.signal;
    assertOneOf('consistency', requestedConsistency, CONSISTENCIES);
    assertOneOf('onFailure', requestedOnFailure, FAILURES);
    signal?.throwIfAborted();
    checks++;
    const undecided = (cause: unknown, allowed: boolean, reason: 'unavailable' | 'ruleFailed'): Decision => {
      unavailable++;
      return withCause(cause, decisionOf(authorizationModelId, allowed, reason));
    };
    let check: FgaCheck | undefined;
    let key: string;
    try {
      check = checkOf(principal, action, resource);
      key = JSON.stringify([authorizationModelId, check]);
    } catch (cause) {
      // Denied even with `onFailure: 'open'`: a caller who can make the request invalid must not be allowed by that.
      return undecided(cause, false, 'unavailable');
    }
    if (check === undefined) return denied;
    const cachedDecision = requestedConsistency === 'higher' ? undefined : cache?.get(key);
    if (cachedDecision !== undefined) return cachedDecision;
    const askedAt = clock.monotonic();
    const result = await abortable(batcher.check(key, check, requestedConsistency), signal);
    if (result instanceof FgaRequestError) return undecided(result, false, 'ruleFailed');
    if (typeof result !== 'boolean') return undecided(result, requestedOnFailure === 'open', 'unavailable');
    const decision = result ? decisionOf(authorizationModelId, true, 'allowed', check.tuple_key.relation) : denied;
    cache?.set(key, decision, askedAt);
    return decision;
  };
  return Object.assign(
    (principal: P, action: A, resource?: R, checkOptions?: CheckOptions) =>
      decide(principal, action, resource, checkOptions),
    {
      version: authorizationModelId,
      many: (principal: P, action: A, resources: readonly R[], checkOptions?: CheckOptions) =>
        Promise.all(resources.map((one) => decide(principal, action, one, checkOptions))),
      async assert(principal: P, action: A, resource?: R, checkOptions?: CheckOptions): Promise<void> {
        assertAllowed(action, await decide(principal, action, resource, checkOptions));
      },
      describe: () =>
        `asks OpenFGA at ${api.origin} by the model ${authorizationModelId}, up to ${maxBatch} checks in one request; ` +
        `without a response in ${timeoutMs} ms it ${onFailure === 'open' ? 'allows' : 'denies'}`,
      stats: () => ({
        checks,
        requests: batcher.requests,
        unavailable,
        cache: { hits: cache?.hits ?? 0, misses: cache?.misses ?? 0, entries: cache?.size ?? 0 },
      }),
    },
  );
}

/** `type:id`, without a `#relation`: a userset would stand for all its members. */
function isObjectId(text: string | undefined): text is string {
  return text !== undefined && /^[^\s#:]+:[^\s#]+$/.test(text);
}

function relationLookup<A extends string>(
  relations: OpenFgaPermissionsOptions<unknown, unknown, A>['relationOf'],
): (action: A) => string | undefined {
  if (typeof relations === 'function') return relations;
  assertObject('relationOf', relations);
  const table = new Map(Object.entries(relations) as [string, string][]);
  for (const [action, relation] of table) assertText(`relationOf.${action}`, relation);
  return (action) => table.get(action);
}
