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

/** What a call goes through. */
export interface CallPolicies {
  /** For calls that may be sent twice. */
  readonly repeatable: Policy;
  /** For calls that must not: only what never left is tried again. Everything else is shared with the above. */
  readonly once: Policy;
}

/** What guards the calls of one client. */
export interface Policies extends CallPolicies {
  /** For each route, when something is kept by route. */
  readonly routes: RoutePolicies | undefined;
  describe(): string[];
  stats(): PolicyStats;
}

/** A probe may take a whole attempt, and a second for the event loop, before another takes its place. */
const PROBE_GRACE_MS = 1_000;

/**
 * The layers of a call, outermost first: bulkhead, total timeout, retry, hedge, pacing, breaker, adaptive concurrency,
 * attempt timeout. The two pipelines differ in what they retry; places, budget, circuit and counts are the same. With several
 * endpoints, breaker and adaptive concurrency are those of the endpoint a try is sent to. What is kept by route differs
 * between the pipelines of the routes, which have all the rest in common.
 */
export function createPolicies(settings: HttpClientSettings): Policies {
  assertLaterPolicies(settings);
  const { clock, name, endpoints } = settings;
  const total = timeout({ timeoutMs: settings.timeoutMs, clock });
  const attempt = timeout({ timeoutMs: settings.attemptTimeoutMs, clock });
  const route = endpoints === undefined ? undefined : routed({ clock });
  const budget = budgetOf(settings);
  const retries = createRetries(settings, budget);
  const racing = settings.hedge === false ? undefined : createHedge(settings, settings.hedge, budget);
  const pacing = settings.pacing && createPacing(settings, settings.pacing);
  const layers = (retrying: Policy, { places, breaker, limit }: Guards): Policy[] =>
    [places, total, retrying, racing, pacing, route, breaker, limit, attempt].filter((policy) => policy !== undefined);
  const around = (own: Guards): CallPolicies => ({
    repeatable: pipeline(...layers(retries.repeatable, own)),
    once: pipeline(...layers(retries.once, own)),
  });
  const shared = guards(settings, false, name);
  const ofRoute = (key: string): Guards => guards(settings, true, `${name} ${key}`);
  return {
    ...around(shared),
    routes: !keepsByRoute(settings)
      ? undefined
      : new RoutePolicies((key) => {
          const own = ofRoute(key);
          return { ...around({ ...shared, ...own }), stats: () => statsOf(own) };
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
      ...(racing === undefined ? {} : { hedge: racing.stats() }),
      ...(pacing === undefined ? {} : { paced: pacing.stats() }),
      attemptTimeout: attempt.stats(),
    }),
  };
}

/** Whether the layers of the client differ by route; those of endpoints are with each endpoint. */
function keepsByRoute({ perRoute, endpoints }: HttpClientSettings): boolean {
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

/** Those layers that may be kept by route. */
interface Guards {
  readonly places?: Policy;
  readonly breaker?: Policy;
  readonly limit?: Policy;
}

/** The layers that are kept by route, or those that are not. */
function guards(settings: HttpClientSettings, byRoute: boolean, name: string): Guards {
  const { clock, endpoints, bulkhead: places, circuitBreaker: breaker, adaptiveConcurrency: limit } = settings;
  const isHere = (policy: PerRoutePolicy): boolean => settings.perRoute.has(policy) === byRoute;
  // With several endpoints each has these two of its own.
  const hasEndpoints = endpoints !== undefined;
  return {
    ...(places !== false && isHere('bulkhead') && { places: bulkhead({ ...places, clock }) }),
    ...(breaker !== false &&
      !hasEndpoints &&
      isHere('circuitBreaker') && {
        breaker: circuitBreaker({ ...breakerOptions(settings, breaker), name: nameOf(breaker, byRoute, name) }),
      }),
    ...(limit !== false &&
      !hasEndpoints &&
      isHere('adaptiveConcurrency') && { limit: adaptiveConcurrency({ ...limit, clock }) }),
  };
}

/** A name of the user's stands for one breaker; of many, each needs its own. */
function nameOf({ name: own }: { readonly name?: string }, byRoute: boolean, name: string): string {
  return byRoute ? name : (own ?? name);
}

function statsOf({ places, breaker, limit }: Guards): PolicyStats {
  return {
    ...(places === undefined ? {} : { bulkhead: places.stats() }),
    ...(breaker === undefined ? {} : { circuitBreaker: breaker.stats() }),
    ...(limit === undefined ? {} : { adaptiveConcurrency: limit.stats() }),
  };
}

/** The options of a breaker of this client, the user's laid over them. */
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
  // Without a rule of the user's, what an error says of itself decides: that is what `retryable` is set for.
  return { repeatable: retry(shared), once: retry({ ...shared, retryIf: retryUnsent }) };
}

/** Several endpoints are one service, with one quota. */
function createPacing({ clock, name, authority, endpoints }: HttpClientSettings, pacing: HttpPacing): Policy {
  return paced({ pacer: pacerOf(pacing, endpoints === undefined ? authority : name), clock });
}

/** A hedge that would be sent when the call is over is none. Source: .NET's validator. */
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
