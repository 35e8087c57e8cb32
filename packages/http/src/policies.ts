/** Builds the policies of a client: which layers a call passes through, what is shared, and what is kept per route. */
import { assertKnownOptions, OptionsError } from '@macadam/core';
import {
  adaptiveConcurrency,
  bulkhead,
  circuitBreaker,
  circuitBreakers,
  hedge,
  paced,
  pipeline,
  retry,
  retryBudget,
  routed,
  timeout,
  type CircuitBreakerOptions,
  type Policy,
  type PolicyStats,
  type RetryBudget,
} from '@macadam/resilience';
import { pacerOf, type HttpPacing } from './pacing.ts';
import { RoutePolicies, type PerRoutePolicy } from './route-policies.ts';
import type { HttpClientSettings } from './settings.ts';
import { classifyAttempt, isThrottled, isTransparent, isUnsent, retryUnsent } from './retry-rules.ts';

/** The pipelines of a call. They differ in what is retried and share everything else. */
export interface CallPolicies {
  /** For requests that may be sent twice. */
  readonly repeatable: Policy;
  /** For requests that must not be sent twice: retries only what the server has not processed. */
  readonly once: Policy;
}

/** The policies of one client. */
export interface Policies extends CallPolicies {
  /** The pipelines of each route; undefined if nothing is kept per route. */
  readonly routes: RoutePolicies | undefined;
  describe(): string[];
  stats(): PolicyStats;
}

/** Added to the attempt timeout for the lease of a probe, since a busy event loop delays the end of the attempt. */
const PROBE_GRACE_MS = 1_000;

/**
 * Creates the layers of a call, outermost first: bulkhead, total timeout, retry, hedge, pacing, circuit breaker, adaptive
 * concurrency, attempt timeout. With several endpoints, breaker and adaptive concurrency belong to the endpoint an attempt is
 * sent to. The pipelines of routes share all layers that are not kept per route.
 */
export function createPolicies(settings: HttpClientSettings): Policies {
  assertLaterPolicies(settings);
  const { clock, name, endpoints } = settings;
  const total = timeout({ timeoutMs: settings.timeoutMs, clock });
  const attempt = timeout({ timeoutMs: settings.attemptTimeoutMs, clock });
  const route = endpoints === undefined ? undefined : routed({ clock });
  const budget = budgetOf(settings);
  const retries = createRetries(settings, budget);
  const hedging = settings.hedge === false ? undefined : createHedge(settings, settings.hedge, budget);
  const pacing = settings.pacing && createPacing(settings, settings.pacing);
  const layers = (retrying: Policy, { places, breaker, limit }: RoutePolicySet): Policy[] =>
    [places, total, retrying, hedging, pacing, route, breaker, limit, attempt].filter((policy) => policy !== undefined);
  const pipelinesOf = (own: RoutePolicySet): CallPolicies => ({
    repeatable: pipeline(...layers(retries.repeatable, own)),
    once: pipeline(...layers(retries.once, own)),
  });
  const shared = createRoutePolicySet(settings, false, name);
  const ofRoute = (key: string): RoutePolicySet => createRoutePolicySet(settings, true, `${name} ${key}`);
  return {
    ...pipelinesOf(shared),
    routes: !hasRoutePolicies(settings)
      ? undefined
      : new RoutePolicies((key) => {
          const own = ofRoute(key);
          return { ...pipelinesOf({ ...shared, ...own }), stats: () => statsOf(own) };
        }),
    describe: () => {
      const own = ofRoute('*');
      const isOwn = new Set<Policy | undefined>([own.places, own.breaker, own.limit]);
      return layers(retries.repeatable, { ...shared, ...own }).map((policy) =>
        isOwn.has(policy) ? `${policy.describe()}; for each route` : policy.describe(),
      );
    },
    stats: () => ({
      ...statsOf(shared),
      timeout: total.stats(),
      retry: retries.repeatable.stats(),
      retryUnsent: retries.once.stats(),
      ...(hedging === undefined ? {} : { hedge: hedging.stats() }),
      ...(pacing === undefined ? {} : { paced: pacing.stats() }),
      attemptTimeout: attempt.stats(),
    }),
  };
}

/** Whether the client has layers per route. With several endpoints, only the bulkhead is not part of the endpoint. */
function hasRoutePolicies({ perRoute, endpoints }: HttpClientSettings): boolean {
  return endpoints === undefined ? perRoute.size > 0 : perRoute.has('bulkhead');
}

/**
 * Policies kept per route or per endpoint are created on first use. Their options are checked here, so that a wrong one is
 * reported when the client is created.
 */
function assertLaterPolicies(settings: HttpClientSettings): void {
  const {
    clock,
    endpoints,
    perRoute,
    bulkhead: places,
    circuitBreaker: breaker,
    adaptiveConcurrency: limit,
  } = settings;
  if (places !== false && perRoute.has('bulkhead')) bulkhead({ ...places, clock });
  if (breaker !== false && (endpoints !== undefined || perRoute.has('circuitBreaker'))) {
    assertBreakerOptions(breakerOptions(settings, breaker));
  }
  if (limit !== false && (endpoints !== undefined || perRoute.has('adaptiveConcurrency'))) {
    adaptiveConcurrency({ ...limit, clock });
  }
}

/**
 * Creates no breaker if the options are right: it would report itself to telemetry. Hence the check by the registry, which
 * also takes options of its own and reports wrong ones as `circuitBreakers.…`; `circuitBreaker()` rejects the same ones under
 * the name that the user wrote.
 */
function assertBreakerOptions(options: CircuitBreakerOptions): void {
  const { name: _, ...each } = options;
  try {
    if (!('maxKeys' in each || 'idleMs' in each)) {
      circuitBreakers(each);
      return;
    }
  } catch {
    // Reported by the call below.
  }
  circuitBreaker(options);
}

/** The layers that may be kept per route. */
interface RoutePolicySet {
  readonly places?: Policy;
  readonly breaker?: Policy;
  readonly limit?: Policy;
}

/** Creates the layers that are kept per route, or with `perRoute: false` the other ones. */
function createRoutePolicySet(settings: HttpClientSettings, perRoute: boolean, name: string): RoutePolicySet {
  const { clock, endpoints, bulkhead: places, circuitBreaker: breaker, adaptiveConcurrency: limit } = settings;
  const belongs = (policy: PerRoutePolicy): boolean => settings.perRoute.has(policy) === perRoute;
  // Each endpoint has a circuit breaker and an adaptive limit of its own.
  const hasEndpoints = endpoints !== undefined;
  return {
    ...(places !== false && belongs('bulkhead') && { places: bulkhead({ ...places, clock }) }),
    ...(breaker !== false &&
      !hasEndpoints &&
      belongs('circuitBreaker') && {
        breaker: circuitBreaker({ ...breakerOptions(settings, breaker), name: breakerName(breaker, perRoute, name) }),
      }),
    ...(limit !== false &&
      !hasEndpoints &&
      belongs('adaptiveConcurrency') && { limit: adaptiveConcurrency({ ...limit, clock }) }),
  };
}

/** The user's name fits a single breaker only; those of routes need names of their own. */
function breakerName({ name: own }: { readonly name?: string }, perRoute: boolean, name: string): string {
  return perRoute ? name : (own ?? name);
}

function statsOf({ places, breaker, limit }: RoutePolicySet): PolicyStats {
  return {
    ...(places === undefined ? {} : { bulkhead: places.stats() }),
    ...(breaker === undefined ? {} : { circuitBreaker: breaker.stats() }),
    ...(limit === undefined ? {} : { adaptiveConcurrency: limit.stats() }),
  };
}

/** The options of a circuit breaker of this client: the user's, merged over the defaults for HTTP. */
export function breakerOptions(
  { clock, random, attemptTimeoutMs }: HttpClientSettings,
  own: Omit<CircuitBreakerOptions, 'clock' | 'random'>,
): CircuitBreakerOptions {
  return { classify: classifyAttempt, probeLeaseMs: attemptTimeoutMs + PROBE_GRACE_MS, ...own, clock, random };
}

function budgetOf({ retry: own, clock }: HttpClientSettings): RetryBudget | false {
  return own === false ? false : (own.budget ?? retryBudget({ clock }));
}

function createRetries(
  { retry: own, clock, random }: HttpClientSettings,
  budget: RetryBudget | false,
): { repeatable: Policy; once: Policy } {
  if (own === false) {
    const never = retry({ maxAttempts: 1, budget: false, clock, random });
    return { repeatable: never, once: never };
  }
  const shared = { isThrottled, transparentIf: isTransparent, ...own, budget, clock, random };
  // Without a `retryIf` of the user, the `retryable` of the error decides.
  return { repeatable: retry(shared), once: retry({ ...shared, retryIf: retryUnsent }) };
}

/** Several endpoints are one service and share one quota. */
function createPacing({ clock, name, authority, endpoints }: HttpClientSettings, pacing: HttpPacing): Policy {
  return paced({ pacer: pacerOf(pacing, endpoints === undefined ? authority : name), clock });
}

/** Rejects a hedge delay that is longer than the call may take. Source: the validator of .NET's hedging handler. */
function createHedge(
  { clock, timeoutMs }: HttpClientSettings,
  own: Exclude<HttpClientSettings['hedge'], false>,
  budget: RetryBudget | false,
): Policy {
  assertKnownOptions('hedge', own, ['delayMs', 'maxHedges', 'maxExtraLoad']);
  const { delayMs, maxHedges = 1 } = own;
  if (typeof delayMs === 'number' && delayMs * maxHedges >= timeoutMs) {
    throw new OptionsError(
      'hedge.delayMs',
      delayMs,
      `such that ${maxHedges} x delayMs is less than timeoutMs (${timeoutMs})`,
    );
  }
  return hedge({ ...own, ...(budget !== false && { budget }), isUnsent, clock });
}
