import { assertOneOf, RecencyMap } from '@macadam/core';
import type { PolicyStats } from '@macadam/resilience';
import type { PolicyScope } from './options.ts';
import type { CallPolicies } from './policies.ts';

/** What may be kept by route. */
export type PerRoutePolicy = 'adaptiveConcurrency' | 'bulkhead' | 'circuitBreaker';

/** As many as a circuit breaker registry remembers. */
const MOST_ROUTES = 1_000;

interface OfRoute extends CallPolicies {
  stats(): PolicyStats;
}

/** The policies of each route, made when first needed. */
export class RoutePolicies {
  readonly #make: (route: string) => OfRoute;
  readonly #routes = new RecencyMap<string, OfRoute>();

  constructor(make: (route: string) => OfRoute) {
    this.#make = make;
  }

  of(route: string): CallPolicies {
    const known = this.#routes.get(route);
    if (known !== undefined) return known;
    if (this.#routes.size >= MOST_ROUTES) this.#routes.deleteOldest();
    const policies = this.#make(route);
    this.#routes.set(route, policies);
    return policies;
  }

  stats(): Record<string, PolicyStats> {
    return Object.fromEntries(Array.from(this.#routes, ([route, policies]) => [route, policies.stats()]));
  }
}

const POLICIES_BY_ROUTE = ['adaptiveConcurrency', 'bulkhead', 'circuitBreaker'] as const;

type OptionsByRoute = { readonly [Policy in PerRoutePolicy]?: { per?: PolicyScope } | false };

/** Checks which policies are kept by route. */
export function policiesPerRoute(options: OptionsByRoute): ReadonlySet<PerRoutePolicy> {
  const kept = new Set<PerRoutePolicy>();
  for (const name of POLICIES_BY_ROUTE) {
    const own = options[name];
    if (own === undefined || own === false || own.per === undefined) continue;
    assertOneOf(`${name}.per`, own.per, ['authority', 'route']);
    if (own.per === 'route') kept.add(name);
  }
  return kept;
}

/** The options of the policy itself. */
export function withoutPer<T extends { per?: PolicyScope }>(option: T | false): Omit<T, 'per'> | false {
  if (option === false) return false;
  const { per: _, ...own } = option;
  return own;
}
