import {
  bulkhead,
  circuitBreaker,
  pipeline,
  retry,
  retryBudget,
  timeout,
  type CircuitBreaker,
  type Policy,
  type PolicyStats,
  type RetryBudget,
} from '@macadam/resilience';
import type { HttpClientSettings } from './settings.ts';
import { classifyAttempt, isThrottled, retryUnsent } from './retry-rules.ts';

/** What guards the calls to one authority. */
export interface Policies {
  /** For calls that may be sent twice. */
  readonly repeatable: Policy;
  /** For calls that must not: only what never left is tried again. Everything else is shared with the above. */
  readonly once: Policy;
  readonly breaker: CircuitBreaker | undefined;
  describe(): string[];
  stats(): PolicyStats;
}

/** A probe may take a whole attempt, and a second for the event loop, before another takes its place. */
const PROBE_GRACE_MS = 1_000;

/**
 * The layers of a call, outermost first: bulkhead, total timeout, retry, breaker, attempt timeout. The two pipelines
 * differ in what they retry; places, budget, circuit and counts are the same.
 */
export function createPolicies(settings: HttpClientSettings): Policies {
  const { clock, random, name, attemptTimeoutMs } = settings;
  const total = timeout({ timeoutMs: settings.timeoutMs, clock });
  const attempt = timeout({ timeoutMs: attemptTimeoutMs, clock });
  const places = settings.bulkhead === false ? undefined : bulkhead({ ...settings.bulkhead, clock });
  const breaker =
    settings.circuitBreaker === false
      ? undefined
      : circuitBreaker({
          name,
          classify: classifyAttempt,
          probeLeaseMs: attemptTimeoutMs + PROBE_GRACE_MS,
          ...settings.circuitBreaker,
          clock,
          random,
        });
  const retries = createRetries(settings);
  const layers = (retrying: Policy): Policy[] =>
    [places, total, retrying, breaker, attempt].filter((policy) => policy !== undefined);
  return {
    repeatable: pipeline(...layers(retries.repeatable)),
    once: pipeline(...layers(retries.once)),
    breaker,
    describe: () => layers(retries.repeatable).map((policy) => policy.describe()),
    stats: () => ({
      ...(places === undefined ? {} : { bulkhead: places.stats() }),
      timeout: total.stats(),
      retry: retries.repeatable.stats(),
      retryUnsent: retries.once.stats(),
      ...(breaker === undefined ? {} : { circuitBreaker: breaker.stats() }),
      attemptTimeout: attempt.stats(),
    }),
  };
}

function createRetries({ retry: own, clock, random }: HttpClientSettings): { repeatable: Policy; once: Policy } {
  if (own === false) {
    const never = retry({ maxAttempts: 1, budget: false, clock, random });
    return { repeatable: never, once: never };
  }
  const budget: RetryBudget | false = own.budget ?? retryBudget({ clock });
  const shared = { isThrottled, ...own, budget, clock, random };
  // Without a rule of the user's, what an error says of itself decides: that is what `retryable` is set for.
  return { repeatable: retry(shared), once: retry({ ...shared, retryIf: retryUnsent }) };
}
