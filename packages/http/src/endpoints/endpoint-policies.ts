import { RecencyMap } from '@macadam/core';
import {
  adaptiveConcurrency,
  pipeline,
  type CircuitBreaker,
  type CircuitBreakers,
  type Policy,
} from '@macadam/resilience';
import type { HttpClientSettings } from '../settings.ts';

/** As many routes of one endpoint are remembered. */
const MOST_ROUTES = 1_000;
/** Of several circuits the state of the worst is told. */
const WORST_FIRST = ['isolated', 'open', 'halfOpen', 'closed'] as const;

/** What guards the tries that go to one endpoint, all of them or those of one route. */
interface Guard {
  readonly breaker: CircuitBreaker | undefined;
  readonly limit: Policy | undefined;
  /** Both. */
  readonly policy: Policy | undefined;
}

/** The circuit breaker and the adaptive limit of one endpoint; made when first needed, and by route where that is asked for. */
export class EndpointPolicies {
  readonly #settings: HttpClientSettings;
  readonly #breakers: CircuitBreakers | undefined;
  /** Where nothing is kept by route there is one, under no name. */
  #only: Guard | undefined = undefined;
  #byRoute: RecencyMap<string, Guard> | undefined = undefined;
  #sharedLimit: Policy | undefined = undefined;

  constructor(settings: HttpClientSettings, breakers: CircuitBreakers | undefined) {
    this.#settings = settings;
    this.#breakers = breakers;
  }

  /** What a try of `route` goes through; undefined for nothing. */
  of(authority: string, route: string | undefined): Policy | undefined {
    return this.#guard(authority, route).policy;
  }

  /** What a try that goes past the circuit goes through. */
  limitOf(authority: string, route: string | undefined): Policy | undefined {
    return this.#guard(authority, route).limit;
  }

  /** Lets probes through now, and not only when the circuit has been open for long enough. */
  halfOpen(authority: string, route: string | undefined): void {
    this.#guard(authority, route).breaker?.halfOpen();
  }

  /** Whether the circuit would let a try of `route` through. */
  admits(authority: string, route: string | undefined): boolean {
    return this.#guard(authority, route).breaker?.admits !== false;
  }

  /** Whether the adaptive limit has room for one more try of `route`. */
  hasRoom(authority: string, route: string | undefined): boolean {
    const stats = this.#guard(authority, route).limit?.stats();
    return stats === undefined || Number(stats['inFlight']) < Number(stats['limit']);
  }

  #guard(authority: string, route: string | undefined): Guard {
    if (route === undefined) return (this.#only ??= this.#make(authority, undefined));
    this.#byRoute ??= new RecencyMap();
    let guard = this.#byRoute.get(route);
    if (guard === undefined) {
      if (this.#byRoute.size >= MOST_ROUTES) this.#byRoute.deleteOldest();
      guard = this.#make(authority, route);
      this.#byRoute.set(route, guard);
    }
    return guard;
  }

  /** The state of its circuit, of several the worst; undefined without one. */
  get circuit(): string | undefined {
    const guards = this.#byRoute === undefined ? [this.#only] : Array.from(this.#byRoute, ([, guard]) => guard);
    const states = new Set(guards.map((guard) => guard?.breaker?.state));
    return WORST_FIRST.find((state) => states.has(state));
  }

  #make(authority: string, route: string | undefined): Guard {
    const { perRoute } = this.#settings;
    const own = route !== undefined && perRoute.has('circuitBreaker') ? `${authority} ${route}` : authority;
    const breaker = this.#breakers?.for(own);
    const limit = perRoute.has('adaptiveConcurrency') ? this.#makeLimit() : (this.#sharedLimit ??= this.#makeLimit());
    const both = [breaker, limit].filter((policy) => policy !== undefined);
    return { breaker, limit, policy: both.length > 1 ? pipeline(...both) : both[0] };
  }

  #makeLimit(): Policy | undefined {
    const { adaptiveConcurrency: limit, clock } = this.#settings;
    return limit === false ? undefined : adaptiveConcurrency({ ...limit, clock });
  }
}
