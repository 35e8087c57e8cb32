// Decisions of an OpenFGA server, over its HTTP API (Check and BatchCheck). What is asked at once goes out as one request,
// the same question once; nobody waits longer than the deadline, and no answer means no.
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
  systemClock,
  underPath,
} from '@macadam/core';
import type { FetchLike } from '../fetch/bounded-fetch.ts';
import { endpointUrl } from '../fetch/endpoint-url.ts';
import { assertAllowed, type Decision, decisionOf, dueTo } from './decision.ts';
import { DecisionCache, type DecisionCacheOptions } from './decision-cache.ts';
import { type Consistency, FgaBatches, type FgaQuestion, type FgaTuple } from './open-fga-batches.ts';
import type { CheckOptions, RemotePermissions } from './remote-permissions.ts';

/** Options of {@link openFgaPermissions}. */
export interface OpenFgaPermissionsOptions<P, R, A extends string = string> {
  /** URL of the server: `https`, or `http` on loopback. */
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
   * The decision when the server does not respond in time: `open` allows everything while it is down. When the request
   * cannot be built, since one of the functions throws or returns an invalid value, it is denied in any case. Default:
   * `closed`.
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
  const { fetch = globalThis.fetch as FetchLike, clock = systemClock, cache: bounds = false } = options;
  const api = endpointUrl('apiUrl', options.apiUrl);
  assertText('storeId', storeId);
  assertText('authorizationModelId', authorizationModelId);
  for (const [name, value] of Object.entries({ userOf, objectOf, headersOf, fetch })) assertFunction(name, value);
  if (contextOf !== undefined) assertFunction('contextOf', contextOf);
  if (contextualTuplesOf !== undefined) assertFunction('contextualTuplesOf', contextualTuplesOf);
  const relationOf = relationReader(options.relationOf);
  assertClock('clock', clock);
  assertDurationMs('timeoutMs', timeoutMs);
  assertInteger('maxBatch', maxBatch, { min: 1 });
  assertOneOf('onFailure', onFailure, FAILURES);
  assertOneOf('consistency', consistency, CONSISTENCIES);
  const cache = bounds === false ? undefined : new DecisionCache('cache', bounds, clock);
  const url = `${api.href.replace(/\/$/, '')}/stores/${encodeURIComponent(storeId)}`;
  const batches = new FgaBatches({ url, authorizationModelId, maxBatch, timeoutMs, headersOf, fetch, clock });
  const denied = decisionOf(authorizationModelId, false, 'noRule');
  let checks = 0;
  let unavailable = 0;

  const questionOf = (principal: P, action: A, resource: R | undefined): FgaQuestion | undefined => {
    const [user, relation, object] = [userOf(principal), relationOf(action), objectOf(resource)];
    if (!isName(user) || relation === undefined || !isName(object)) return undefined;
    const context = contextOf?.(principal, action, resource);
    const tuples = contextualTuplesOf?.(principal, resource) ?? [];
    return {
      tuple_key: { user, relation, object },
      ...(context !== undefined && { context }),
      ...(tuples.length > 0 && { contextual_tuples: { tuple_keys: tuples } }),
    };
  };

  const ask = async (principal: P, action: A, resource?: R, how: CheckOptions = {}): Promise<Decision> => {
    const { consistency: wanted = consistency, onFailure: fallback = onFailure } = how;
    const signal = how.signal ?? currentWork()?.signal;
    assertOneOf('consistency', wanted, CONSISTENCIES);
    assertOneOf('onFailure', fallback, FAILURES);
    signal?.throwIfAborted();
    checks++;
    const undecided = (cause: unknown, allowed: boolean): Decision => {
      unavailable++;
      return dueTo(cause, decisionOf(authorizationModelId, allowed, 'unavailable'));
    };
    let question: FgaQuestion | undefined;
    let key: string;
    try {
      question = questionOf(principal, action, resource);
      key = JSON.stringify([authorizationModelId, question]);
    } catch (cause) {
      // Nobody failed to answer: there was no question, and whoever can spoil it must not get in by that.
      return undecided(cause, false);
    }
    if (question === undefined) return denied;
    const known = wanted === 'higher' ? undefined : cache?.get(key);
    if (known !== undefined) return known;
    const answer = await abortable(batches.ask(key, question, wanted), signal);
    if (typeof answer !== 'boolean') return undecided(answer, fallback === 'open');
    const decision = answer ? decisionOf(authorizationModelId, true, 'allowed', question.tuple_key.relation) : denied;
    cache?.set(key, decision);
    return decision;
  };
  return Object.assign(
    (principal: P, action: A, resource?: R, how?: CheckOptions) => ask(principal, action, resource, how),
    {
      version: authorizationModelId,
      many: (principal: P, action: A, resources: readonly R[], how?: CheckOptions) =>
        Promise.all(resources.map((one) => ask(principal, action, one, how))),
      async assert(principal: P, action: A, resource?: R, how?: CheckOptions): Promise<void> {
        assertAllowed(action, await ask(principal, action, resource, how));
      },
      describe: () =>
        `asks OpenFGA at ${api.origin} by the model ${authorizationModelId}, up to ${maxBatch} questions at once; ` +
        `without an answer in ${timeoutMs} ms it ${onFailure === 'open' ? 'allows' : 'denies'}`,
      stats: () => ({
        checks,
        requests: batches.requests,
        unavailable,
        cache: { hits: cache?.hits ?? 0, misses: cache?.misses ?? 0, entries: cache?.size ?? 0 },
      }),
    },
  );
}

/** `kind:id`, and no relation of it. */
function isName(text: string | undefined): text is string {
  return text !== undefined && /^[^\s#:]+:[^\s#]+$/.test(text);
}

function relationReader<A extends string>(
  given: OpenFgaPermissionsOptions<unknown, unknown, A>['relationOf'],
): (action: A) => string | undefined {
  if (typeof given === 'function') return given;
  assertObject('relationOf', given);
  const table = new Map(Object.entries(given) as [string, string][]);
  for (const [action, relation] of table) assertText(`relationOf.${action}`, relation);
  return (action) => table.get(action);
}
