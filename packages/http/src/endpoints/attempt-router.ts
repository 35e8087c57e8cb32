import type { Outcome, Policy, Route, Verdict } from '@macadam/resilience';
import type { HttpAttempt } from '../attempts.ts';
import { HttpStatusError } from '../errors.ts';
import type { Balancer } from './balancer.ts';
import type { Endpoint } from './endpoint.ts';

/** Routes the attempts of one call to endpoints, and reports to the balancer how they ended. */
export class AttemptRouter implements Route {
  readonly #balancer: Balancer;
  /** Whether the call may be repeated. If not, it waits longer before it probes a region that is down. */
  readonly isRepeatable: boolean;
  /** Method and path template; undefined unless policies are kept by route. */
  readonly route: string | undefined;
  /** The endpoints of the attempts so far, in order. */
  readonly attempted: Endpoint[] = [];
  /** Where the requests in flight count. */
  readonly #counted = new Map<HttpAttempt, Endpoint>();
  /** The endpoint of the attempt that is about to begin. */
  #picked: Endpoint | undefined;
  #bypassesCircuit = false;
  /** Endpoints that were sent an attempt in spite of an open circuit. */
  #bypassed: Endpoint[] | undefined;

  constructor(balancer: Balancer, isRepeatable: boolean, route: string | undefined) {
    this.#balancer = balancer;
    this.isRepeatable = isRepeatable;
    this.route = route;
  }

  next(): Policy | undefined {
    this.#bypassesCircuit = false;
    this.#picked = this.#balancer.pick(this);
    if (!this.#bypassesCircuit) return this.#picked.policyFor(this.route);
    (this.#bypassed ??= []).push(this.#picked);
    return this.#picked.limiterFor(this.route);
  }

  /** Called by the balancer while it picks: the attempt goes to the picked endpoint in spite of its open circuit. */
  bypassCircuit(): void {
    this.#bypassesCircuit = true;
  }

  /** `Retry-After` of one endpoint does not concern the others, except with a 429: the quota is that of the service. */
  movesOn(outcome: Outcome): boolean {
    const isQuota = !outcome.ok && outcome.error instanceof HttpStatusError && outcome.error.status === 429;
    return !isQuota && this.#balancer.hasOtherEndpoint(this);
  }

  /** Returns the endpoint that was picked for the attempt that begins now. */
  takeEndpoint(): Endpoint {
    const picked = this.#picked as Endpoint;
    this.attempted.push(picked);
    return picked;
  }

  recordStart(attempt: HttpAttempt): void {
    const endpoint = this.#endpointAt(attempt.endpoint);
    if (endpoint === undefined) return;
    this.#counted.set(attempt, endpoint);
    endpoint.region.load.recordStart(endpoint.index);
  }

  recordEnd(attempt: HttpAttempt, verdict: Verdict, now: number): void {
    const endpoint = this.#counted.get(attempt);
    if (endpoint === undefined) return;
    this.#counted.delete(attempt);
    if (verdict === 'success' && this.#bypassed?.includes(endpoint) === true) endpoint.halfOpenCircuit(this.route);
    this.#balancer.recordEnd(endpoint, attempt, verdict, now);
  }

  /** Undefined for the target of a cross-origin redirect. */
  #endpointAt(authority: string): Endpoint | undefined {
    return this.attempted.find(({ target }) => target.authority === authority);
  }
}
