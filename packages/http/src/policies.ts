import { assertKnownOptions, OptionsError } from '@macadam/core';
import {
  adaptiveConcurrency,
  bulkhead,
  circuitBreaker,
  hedge,
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
import type { HttpClientSettings } from './settings.ts';
import { classifyAttempt, isThrottled, isTransparent, retryUnsent } from './retry-rules.ts';

/** What guards the calls of one client. */
export interface Policies {
  /** For calls that may be sent twice. */
  readonly repeatable: Policy;
  /** For calls that must not: only what never left is tried again. Everything else is shared with the above. */
  readonly once: Policy;
  describe(): string[];
  stats(): PolicyStats;
}

/** A probe may take a whole attempt, and a second for the event loop, before another takes its place. */
const PROBE_GRACE_MS = 1_000;

/**
 * The layers of a call, outermost first: bulkhead, total timeout, retry, hedge, breaker, adaptive concurrency, attempt
 * timeout. The two pipelines differ in what they retry; places, budget, circuit and counts are the same. With several
 * endpoints, breaker and adaptive concurrency are those of the endpoint a try is sent to.
 */
export function createPolicies(settings: HttpClientSettings): Policies {
  const { clock, name, endpoints } = settings;
  const total = timeout({ timeoutMs: settings.timeoutMs, clock });
  const attempt = timeout({ timeoutMs: settings.attemptTimeoutMs, clock });
  const places = settings.bulkhead === false ? undefined : bulkhead({ ...settings.bulkhead, clock });
  const route = endpoints === undefined ? undefined : routed({ clock });
  const breaker =
    settings.circuitBreaker === false || route !== undefined
      ? undefined
      : circuitBreaker({
          ...breakerOptions(settings, settings.circuitBreaker),
          name: settings.circuitBreaker.name ?? name,
        });
  const limit =
    settings.adaptiveConcurrency === false || route !== undefined
      ? undefined
      : adaptiveConcurrency({ ...settings.adaptiveConcurrency, clock });
  const budget = budgetOf(settings);
  const retries = createRetries(settings, budget);
  const racing = settings.hedge === false ? undefined : createHedge(settings, settings.hedge, budget);
  const layers = (retrying: Policy): Policy[] =>
    [places, total, retrying, racing, route, breaker, limit, attempt].filter((policy) => policy !== undefined);
  return {
    repeatable: pipeline(...layers(retries.repeatable)),
    once: pipeline(...layers(retries.once)),
    describe: () => layers(retries.repeatable).map((policy) => policy.describe()),
    stats: () => ({
      ...(places === undefined ? {} : { bulkhead: places.stats() }),
      timeout: total.stats(),
      retry: retries.repeatable.stats(),
      retryUnsent: retries.once.stats(),
      ...(racing === undefined ? {} : { hedge: racing.stats() }),
      ...(breaker === undefined ? {} : { circuitBreaker: breaker.stats() }),
      ...(limit === undefined ? {} : { adaptiveConcurrency: limit.stats() }),
      attemptTimeout: attempt.stats(),
    }),
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
  return hedge({ ...own, ...(budget !== false && { budget }), clock });
}
