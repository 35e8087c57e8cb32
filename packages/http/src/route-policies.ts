import { assertOneOf, RecencyMap } from '@macadam/core';
import type { PolicyStats } from '@macadam/resilience';
import type { PolicyScope } from './options.ts';
import type { CallPolicies } from './policies.ts';

/** The policies that may be kept per route. */
export type PerRoutePolicy = 'adaptiveConcurrency' | 'bulkhead' | 'circuitBreaker';

/** The number of routes kept: as many as the circuit breaker registry keeps keys. */
const MAX_ROUTES = 1_000;

interface RouteEntry extends CallPolicies {
  stats(): PolicyStats;
}

/** The pipelines of each route, created on first use. */
export class RoutePolicies {
  readonly #create: (route: string) => RouteEntry;
  readonly #routes = new RecencyMap<string, RouteEntry>();

  constructor(create: (route: string) => RouteEntry) {
    this.#create = create;
  }

  for(route: string): CallPolicies {
    const known = this.#routes.get(route);
    if (known !== undefined) return known;
    if (this.#routes.size >= MAX_ROUTES) this.#routes.deleteOldest();
    const policies = this.#create(route);
    this.#routes.set(route, policies);
    return policies;
  }

  stats(): Record<string, PolicyStats> {
    return Object.fromEntries(Array.from(this.#routes, ([route, policies]) => [route, policies.stats()]));
  }
}

const PER_ROUTE_POLICIES = ['adaptiveConcurrency', 'bulkhead', 'circuitBreaker'] as const;

type PerRouteOptions = { readonly [Policy in PerRoutePolicy]?: { per?: PolicyScope } | false };

/** Checks the option `per` of each policy, and returns those that are kept per route. */
export function policiesPerRoute(options: PerRouteOptions): ReadonlySet<PerRoutePolicy> {
  const perRoute = new Set<PerRoutePolicy>();
  for (const name of PER_ROUTE_POLICIES) {
    const own = options[name];
    if (own === undefined || own === false || own.per === undefined) continue;
    assertOneOf(`${name}.per`, own.per, ['authority', 'route']);
    if (own.per === 'route') perRoute.add(name);
  }
  return perRoute;
}

/** The options of a policy without `per`, which the policy itself does not know. */
export function withoutPer<T extends { per?: PolicyScope }>(option: T | false): Omit<T, 'per'> | false {
  if (option === false) return false;
  const { per: _, ...own } = option;
  return own;
}
