import type { Outcome, Policy, Route as PolicyRoute, Verdict } from '@macadam/resilience';
import type { HttpAttempt } from '../attempts.ts';
import { HttpStatusError } from '../errors.ts';
import type { Balancer } from './balancer.ts';
import type { Endpoint } from './endpoint.ts';

/** The way of one call through the endpoints: where its tries went, and where the next one goes. */
export class Route implements PolicyRoute {
  readonly #balancer: Balancer;
  /** Whether the call may be sent to an endpoint that is likely to fail. */
  readonly repeatable: boolean;
  /** Method and path template, where policies are kept by route. */
  readonly name: string | undefined;
  /** In the order of the tries. */
  readonly tried: Endpoint[] = [];
  #picked: Endpoint | undefined;
  #goesPast = false;
  /** Where tries went past an open circuit. */
  #wentPast: Endpoint[] | undefined;

  constructor(balancer: Balancer, repeatable: boolean, name: string | undefined) {
    this.#balancer = balancer;
    this.repeatable = repeatable;
    this.name = name;
  }

  next(): Policy | undefined {
    this.#goesPast = false;
    this.#picked = this.#balancer.pick(this);
    if (!this.#goesPast) return this.#picked.policyFor(this.name);
    (this.#wentPast ??= []).push(this.#picked);
    return this.#picked.limitFor(this.name);
  }

  /** The endpoint that is about to be picked is one whose circuit is open, and is tried nevertheless. */
  goPast(): void {
    this.#goesPast = true;
  }

  /** What one endpoint asked for is no matter at another, unless it was about a quota, which is that of the service. */
  movesOn(outcome: Outcome): boolean {
    const isQuota = !outcome.ok && outcome.error instanceof HttpStatusError && outcome.error.status === 429;
    return !isQuota && this.#balancer.hasOther(this);
  }

  /** The endpoint that was picked for the try that begins. */
  take(): Endpoint {
    const picked = this.#picked as Endpoint;
    this.tried.push(picked);
    return picked;
  }

  began(authority: string): void {
    const endpoint = this.#endpoint(authority);
    endpoint?.region.load.began(endpoint.place);
  }

  ended(attempt: HttpAttempt, verdict: Verdict, now: number): void {
    const endpoint = this.#endpoint(attempt.endpoint);
    if (endpoint === undefined) return;
    if (verdict === 'success' && this.#wentPast?.includes(endpoint) === true) endpoint.foundWell(this.name);
    this.#balancer.ended(endpoint, attempt, verdict, now);
  }

  /** None for a redirect that led away. */
  #endpoint(authority: string): Endpoint | undefined {
    return this.tried.find(({ target }) => target.authority === authority);
  }
}
