import type { CircuitBreakers, Policy } from '@macadam/resilience';
import type { Transport } from '../dispatcher.ts';
import type { HttpClientSettings } from '../settings.ts';
import { createTransport } from '../transport/transport.ts';
import { EndpointPolicies } from './endpoint-policies.ts';
import type { EndpointTarget } from './options.ts';
import { ejectionMs, timesEjected, type EjectionReason } from './outliers.ts';
import type { Region } from './region.ts';

/** The state of one endpoint. */
export interface EndpointStats {
  /** Host and port. */
  readonly endpoint: string;
  /** Its region; undefined without one. */
  readonly region: string | undefined;
  /** Its zone; undefined without one. */
  readonly zone: string | undefined;
  /** Its weight. */
  readonly weight: number;
  /** Attempts in flight now. */
  readonly inFlight: number;
  /** Attempts that have ended. */
  readonly calls: number;
  /** How many of those attempts failed. */
  readonly failures: number;
  /** The moving average of its latency that balancing goes by, in milliseconds. It rises at once with a peak and decays. */
  readonly latencyMs: number;
  /** Whether it is ejected as an outlier now. */
  readonly ejected: boolean;
  /** How often it has been ejected. */
  readonly ejections: number;
  /** Why it was ejected the last time; undefined if it never was. */
  readonly ejectionReason: EjectionReason | undefined;
  /** Time until it is used again, in milliseconds; 0 unless it is ejected now. */
  readonly ejectionLeftMs: number;
  /** The state of its circuit breaker, or the worst of several kept per route; undefined without one. */
  readonly circuit: string | undefined;
}

/** One place a service is at: its connections, its policies, and what its answers were like. Made when first needed. */
export class Endpoint {
  target: EndpointTarget;
  region: Region;
  /** Where it stands in the list of its region, and in the table of loads. */
  place: number;
  readonly #settings: HttpClientSettings;
  readonly #policies: EndpointPolicies;
  /** The one of all routes, where nothing is kept by route. */
  #policy: Policy | undefined = undefined;
  calls = 0;
  failures = 0;
  consecutiveFailures = 0;
  failedAt: number = -Infinity;
  intervalCalls = 0;
  intervalFailures = 0;
  ejectedUntil: number = -Infinity;
  /** Forgiven one by one while it is not ejected. */
  #timesEjected = 0;
  #ejections = 0;
  #ejectionReason: EjectionReason | undefined = undefined;
  /** Whether it is in the list still. */
  isListed = true;
  #transport: Transport | undefined = undefined;

  /** @param isSuspect - whether it may be out of use from the first, or without a failure of its own */
  constructor(
    target: EndpointTarget,
    region: Region,
    settings: HttpClientSettings,
    breakers: CircuitBreakers | undefined,
    isSuspect: boolean,
  ) {
    this.target = target;
    this.region = region;
    this.place = region.add(this, isSuspect);
    this.#settings = settings;
    this.#policies = new EndpointPolicies(settings, breakers);
  }

  /** Takes over what a new list says of it, which may be another weight or region. */
  follow(target: EndpointTarget, region: Region): this {
    this.target = target;
    this.place = region.take(this);
    this.region = region;
    return this;
  }

  get transport(): Transport {
    return (this.#transport ??= createTransport(this.target.origin, this.#settings));
  }

  /** Its circuit breaker and its adaptive limit, those of `route` where they are kept by route. */
  policyFor(route: string | undefined): Policy | undefined {
    if (route !== undefined) return this.#policies.of(this.target.authority, route);
    return (this.#policy ??= this.#policies.of(this.target.authority, undefined));
  }

  /** Its adaptive limit alone. */
  limitFor(route: string | undefined): Policy | undefined {
    return this.#policies.limitOf(this.target.authority, route);
  }

  /** It has answered a try that its circuit would not have let through. */
  foundWell(route: string | undefined): void {
    this.#policies.halfOpen(this.target.authority, route);
  }

  /** Whether neither an ejection nor the circuit that a try of `route` goes through speaks against it, nor, unless `evenFull`, its limit. */
  usable(now: number, route?: string, evenFull = false): boolean {
    if (now < this.ejectedUntil || !this.admits(route)) return false;
    return evenFull || this.#policies.hasRoom(this.target.authority, route);
  }

  /** Whether the circuit that a try of `route` goes through would let it pass. */
  admits(route: string | undefined): boolean {
    return this.#policies.admits(this.target.authority, route);
  }

  eject(reason: EjectionReason, now: number): void {
    this.#ejections++;
    this.#ejectionReason = reason;
    this.#timesEjected = timesEjected(this.#timesEjected, this.ejectedUntil, now);
    this.ejectedUntil = now + ejectionMs(this.#timesEjected);
    this.consecutiveFailures = 0;
  }

  stats(now: number): EndpointStats {
    const { authority, zone, weight, region } = this.target;
    const { load } = this.region;
    return {
      endpoint: authority,
      region: region === '' ? undefined : region,
      zone,
      weight,
      inFlight: load.inFlight(this.place),
      calls: this.calls,
      failures: this.failures,
      latencyMs: Math.round(load.latencyMs(this.place, now) * 1_000) / 1_000,
      ejected: now < this.ejectedUntil,
      ejections: this.#ejections,
      ejectionReason: this.#ejectionReason,
      ejectionLeftMs: Math.max(0, this.ejectedUntil - now),
      circuit: this.#policies.circuit,
    };
  }

  /** Lets what is in flight end, then closes its connections. What is sent there nevertheless makes new ones. */
  async close(): Promise<void> {
    const transport = this.#transport;
    this.#transport = undefined;
    await transport?.close();
  }
}
