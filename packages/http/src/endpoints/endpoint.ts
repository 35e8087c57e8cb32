import type { CircuitBreakers, Policy } from '@macadam/resilience';
import type { Transport } from '../dispatcher.ts';
import type { HttpClientSettings } from '../settings.ts';
import { createTransport } from '../transport/transport.ts';
import { EndpointPolicies } from './endpoint-policies.ts';
import type { EndpointTarget } from './options.ts';
import { ejectionDurationMs, ejectionMultiplier, type EjectionReason } from './outliers.ts';
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

/** One endpoint: its connections, its policies and its counters. Connections and policies are made when first needed. */
export class Endpoint {
  target: EndpointTarget;
  region: Region;
  /** Its index in the list and in the load table of its region. */
  index: number;
  readonly #settings: HttpClientSettings;
  readonly #policies: EndpointPolicies;
  /** The policy of all routes, when none is kept by route. */
  #policy: Policy | undefined = undefined;
  calls = 0;
  failures = 0;
  consecutiveFailures = 0;
  lastFailureAt: number = -Infinity;
  /** Counts of the current interval of outlier detection. */
  intervalCalls = 0;
  intervalFailures = 0;
  ejectedUntil: number = -Infinity;
  /** How many times the base duration the last ejection took. */
  #ejectionMultiplier = 0;
  #ejections = 0;
  #ejectionReason: EjectionReason | undefined = undefined;
  /** False once the list no longer contains it; attempts may still be in flight. */
  isListed = true;
  #transport: Transport | undefined = undefined;

  /** @param needsCheck - whether it may be unusable from the start, or without a failure that is recorded here */
  constructor(
    target: EndpointTarget,
    region: Region,
    settings: HttpClientSettings,
    breakers: CircuitBreakers | undefined,
    needsCheck: boolean,
  ) {
    this.target = target;
    this.region = region;
    this.index = region.add(this, needsCheck);
    this.#settings = settings;
    this.#policies = new EndpointPolicies(settings, breakers);
  }

  /** Applies a new list, in which its weight, zone or region may differ. */
  update(target: EndpointTarget, region: Region): this {
    this.target = target;
    this.index = region.adopt(this);
    this.region = region;
    return this;
  }

  get transport(): Transport {
    return (this.#transport ??= createTransport(this.target.origin, this.#settings));
  }

  /** The circuit breaker and the adaptive limit, those of `route` where they are kept by route. */
  policyFor(route: string | undefined): Policy | undefined {
    if (route !== undefined) return this.#policies.policyFor(this.target.authority, route);
    return (this.#policy ??= this.#policies.policyFor(this.target.authority, undefined));
  }

  /** The adaptive limit alone. */
  limiterFor(route: string | undefined): Policy | undefined {
    return this.#policies.limiterFor(this.target.authority, route);
  }

  /** Called after a successful attempt that bypassed the open circuit: probes may follow at once. */
  halfOpenCircuit(route: string | undefined): void {
    this.#policies.halfOpen(this.target.authority, route);
  }

  /** Whether it is not ejected, its circuit admits an attempt and, unless `ignoreLimit`, so does its adaptive limit. */
  isUsable(now: number, route?: string, ignoreLimit = false): boolean {
    if (now < this.ejectedUntil || !this.admits(route)) return false;
    return ignoreLimit || this.#policies.hasRoom(this.target.authority, route);
  }

  /** Whether it is not ejected and its circuit admits attempts, at least for some routes. */
  isInUse(now: number): boolean {
    return now >= this.ejectedUntil && !this.#policies.isOpenForAllRoutes;
  }

  /** Whether the circuit for `route` admits an attempt. */
  admits(route: string | undefined): boolean {
    return this.#policies.admits(this.target.authority, route);
  }

  eject(reason: EjectionReason, now: number): void {
    this.#ejections++;
    this.#ejectionReason = reason;
    this.#ejectionMultiplier = ejectionMultiplier(this.#ejectionMultiplier, this.ejectedUntil, now);
    this.ejectedUntil = now + ejectionDurationMs(this.#ejectionMultiplier);
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
      inFlight: load.inFlight(this.index),
      calls: this.calls,
      failures: this.failures,
      latencyMs: Math.round(load.latencyMs(this.index, now) * 1_000) / 1_000,
      ejected: now < this.ejectedUntil,
      ejections: this.#ejections,
      ejectionReason: this.#ejectionReason,
      ejectionLeftMs: Math.max(0, this.ejectedUntil - now),
      circuit: this.#policies.circuitState,
    };
  }

  /** Lets requests in flight end, then closes its connections. A later request opens new ones. */
  async close(): Promise<void> {
    const transport = this.#transport;
    this.#transport = undefined;
    await transport?.close();
  }
}
