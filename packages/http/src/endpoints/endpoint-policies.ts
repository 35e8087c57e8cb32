import { RecencyMap } from '@macadam/core';
import {
  adaptiveConcurrency,
  pipeline,
  type CircuitBreaker,
  type CircuitBreakers,
  type Policy,
} from '@macadam/resilience';
import type { HttpClientSettings } from '../settings.ts';

/** The policies of at most this many routes are kept per endpoint; the least recently used are evicted. */
const MAX_ROUTES = 1_000;
/** `stats()` shows the worst of several circuits. */
const WORST_STATE_FIRST = ['isolated', 'open', 'halfOpen', 'closed'] as const;

/** What adaptiveConcurrency() returns. `hasRoom` is in no public type: it spares an object of `stats()` for each choice. */
type Limiter = Policy & { readonly hasRoom: boolean };

/** The policies of the attempts at one endpoint, for all routes or for one. */
interface AttemptPolicies {
  readonly breaker: CircuitBreaker | undefined;
  readonly limiter: Limiter | undefined;
  /** Both, as one policy; undefined without either. */
  readonly combined: Policy | undefined;
}

/** The circuit breaker and the adaptive limit of one endpoint, per route where configured. They are made when first needed. */
export class EndpointPolicies {
  readonly #settings: HttpClientSettings;
  readonly #breakers: CircuitBreakers | undefined;
  /** The policies of all routes, when none is kept by route. */
  #shared: AttemptPolicies | undefined = undefined;
  #byRoute: RecencyMap<string, AttemptPolicies> | undefined = undefined;
  /** The limit of all routes, when only circuits are kept by route. */
  #sharedLimiter: Limiter | undefined = undefined;

  constructor(settings: HttpClientSettings, breakers: CircuitBreakers | undefined) {
    this.#settings = settings;
    this.#breakers = breakers;
  }

  /** The policy of an attempt for `route`; undefined without any. */
  policyFor(authority: string, route: string | undefined): Policy | undefined {
    return this.#policiesFor(authority, route).combined;
  }

  /** The policy of an attempt that bypasses the circuit. */
  limiterFor(authority: string, route: string | undefined): Policy | undefined {
    return this.#policiesFor(authority, route).limiter;
  }

  /** Lets probes through at once, before the circuit has been open for its full time. */
  halfOpen(authority: string, route: string | undefined): void {
    this.#policiesFor(authority, route).breaker?.halfOpen();
  }

  /** Whether the circuit admits an attempt for `route`. */
  admits(authority: string, route: string | undefined): boolean {
    return this.#policiesFor(authority, route).breaker?.admits !== false;
  }

  /** Whether the adaptive limit admits one more attempt for `route`. */
  hasRoom(authority: string, route: string | undefined): boolean {
    return this.#policiesFor(authority, route).limiter?.hasRoom !== false;
  }

  /** The state of the circuit, the worst of several; undefined without one. */
  get circuitState(): string | undefined {
    const states = new Set(this.#circuits().map((breaker) => breaker?.state));
    return WORST_STATE_FIRST.find((state) => states.has(state));
  }

  /** Whether the circuit of all routes is open. False where each route has its own, since others may be closed. */
  get isOpenForAllRoutes(): boolean {
    const isPerRoute = this.#settings.perRoute.has('circuitBreaker');
    return !isPerRoute && this.#circuits().some((breaker) => breaker?.admits === false);
  }

  #circuits(): (CircuitBreaker | undefined)[] {
    if (this.#byRoute === undefined) return [this.#shared?.breaker];
    return Array.from(this.#byRoute, ([, { breaker }]) => breaker);
  }

  #policiesFor(authority: string, route: string | undefined): AttemptPolicies {
    if (route === undefined) return (this.#shared ??= this.#create(authority, undefined));
    this.#byRoute ??= new RecencyMap();
    let policies = this.#byRoute.get(route);
    if (policies === undefined) {
      if (this.#byRoute.size >= MAX_ROUTES) this.#byRoute.deleteOldest();
      policies = this.#create(authority, route);
      this.#byRoute.set(route, policies);
    }
    return policies;
  }

  #create(authority: string, route: string | undefined): AttemptPolicies {
    const { perRoute } = this.#settings;
    const breakerKey = route !== undefined && perRoute.has('circuitBreaker') ? `${authority} ${route}` : authority;
    const breaker = this.#breakers?.for(breakerKey);
    const limiter = perRoute.has('adaptiveConcurrency')
      ? this.#createLimiter()
      : (this.#sharedLimiter ??= this.#createLimiter());
    const both = [breaker, limiter].filter((policy) => policy !== undefined);
    return { breaker, limiter, combined: both.length > 1 ? pipeline(...both) : both[0] };
  }

  #createLimiter(): Limiter | undefined {
    const { adaptiveConcurrency: options, clock } = this.#settings;
    return options === false ? undefined : (adaptiveConcurrency({ ...options, clock }) as Limiter);
  }
}
