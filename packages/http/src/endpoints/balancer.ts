import { circuitBreakers, type CircuitBreakers, type ExecuteOptions, type Verdict } from '@macadam/resilience';
import type { AttemptLog, HttpAttempt } from '../attempts.ts';
import type { Transport } from '../dispatcher.ts';
import { DrainingConnections } from '../transport/draining-connections.ts';
import { breakerOptions } from '../policies.ts';
import type { PreparedRequest } from '../request.ts';
import type { HttpClientSettings } from '../settings.ts';
import { AttemptRouter } from './attempt-router.ts';
import type { BalancingStats } from './balancing-stats.ts';
import { Discovery } from './discovery.ts';
import { Ejections, NO_EJECTIONS } from './ejections.ts';
import { Endpoint, type EndpointStats } from './endpoint.ts';
import type { EndpointsSettings, EndpointTarget } from './options.ts';
import { maxEjected } from './outliers.ts';
import { Region, type RegionStats } from './region.ts';
import { mayProbe, PROBE_SHARE } from './region-health.ts';

/** When no circuit admits an attempt, one attempt per this interval bypasses a circuit. */
const BYPASS_INTERVAL_MS = 1_000;

/**
 * Picks the endpoint of each attempt: the first healthy region, and in it the better of two endpoints, without those that are
 * ejected, whose circuit is open, whose adaptive limit is reached, or that the call has attempted already. There is no timer
 * and no scan of the list: calls trigger what is due.
 */
export class Balancer {
  readonly #settings: HttpClientSettings;
  readonly #options: EndpointsSettings;
  readonly #breakers: CircuitBreakers | undefined;
  readonly #hasRoutePolicies: boolean;
  /**
   * Whether an endpoint may refuse an attempt although no failure was recorded here: by the user's own rules for circuits, or
   * by an adaptive limit.
   */
  readonly #mayRefuseWithoutFailure: boolean;
  /** By origin. */
  #endpoints = new Map<string, Endpoint>();
  /** In the order of the list. */
  #regions: Region[] = [];
  readonly #regionChanges = { down: 0, up: 0 };
  readonly #ejections: Ejections | undefined;
  /** The connections to endpoints that have left the list. */
  readonly #draining = new DrainingConnections();
  #nextBypassAt = -Infinity;
  readonly #discovery: Discovery | undefined;

  constructor(settings: HttpClientSettings, options: EndpointsSettings) {
    this.#settings = settings;
    this.#options = options;
    this.#ejections = options.ejectsOutliers ? new Ejections() : undefined;
    const { circuitBreaker, perRoute } = settings;
    this.#hasRoutePolicies = perRoute.has('circuitBreaker') || perRoute.has('adaptiveConcurrency');
    const hasOwnRules =
      circuitBreaker !== false && (circuitBreaker.trip !== undefined || circuitBreaker.classify !== undefined);
    this.#mayRefuseWithoutFailure = hasOwnRules || settings.adaptiveConcurrency !== false;
    if (circuitBreaker !== false) {
      const { name: _, ...each } = breakerOptions(settings, circuitBreaker);
      const maxKeys = Math.max(1_000, options.targets?.length ?? 0);
      this.#breakers = circuitBreakers({ ...each, maxKeys, idleMs: Infinity });
    }
    const { targets, source } = options;
    if (targets !== undefined) this.#applyList(targets);
    if (source !== undefined) this.#discovery = new Discovery(source, settings.name, (list) => this.#applyList(list));
  }

  /** A promise of the first list from a function; undefined when there is a list. Triggers the refresh of the list. */
  ensureList(): Promise<void> | undefined {
    return this.#discovery?.ensureList(this.#settings.clock.monotonic());
  }

  /** Endpoints that stay in the list keep their connections and their history. */
  #applyList(targets: readonly EndpointTarget[]): void {
    const now = this.#settings.clock.monotonic();
    const previous = this.#endpoints;
    // An endpoint that comes back to the list may have an open circuit.
    const needsCheck = this.#mayRefuseWithoutFailure || previous.size > 0;
    const regions = new Map<string, Region>();
    this.#endpoints = new Map();
    for (const target of targets) {
      let region = regions.get(target.region);
      if (region === undefined) {
        region = new Region(target.region, now);
        region.health = this.#regions.find(({ name }) => name === target.region)?.health ?? region.health;
        regions.set(target.region, region);
      }
      const endpoint =
        previous.get(target.origin)?.update(target, region) ??
        new Endpoint(target, region, this.#settings, this.#breakers, needsCheck);
      previous.delete(target.origin);
      this.#endpoints.set(target.origin, endpoint);
    }
    this.#regions = [...regions.values()];
    for (const removed of previous.values()) {
      removed.isListed = false;
      this.#draining.add(removed.close());
    }
    this.#ejections?.onListChange(this.#endpoints.size);
  }

  /** Represents the transports of all endpoints, where a client without endpoints has its only one. */
  get transport(): Transport {
    return {
      // Never used: every attempt goes through the transport of its endpoint.
      dispatcher: undefined as never,
      crossOrigin: undefined,
      describe: () => this.describe(),
      stats: () => undefined,
      close: () => this.close(),
    };
  }

  /** The execute options of a call, with its router. */
  executeOptions({ execution, repeatable, subject }: PreparedRequest, log: AttemptLog): ExecuteOptions {
    log.router = new AttemptRouter(this, repeatable, this.#hasRoutePolicies ? subject.route : undefined);
    return { ...execution, route: log.router };
  }

  /** Picks the endpoint of the next attempt of a call. */
  pick(router: AttemptRouter): Endpoint {
    const { attempted, isRepeatable, route } = router;
    const { clock, random } = this.#settings;
    const now = clock.monotonic();
    for (const region of this.#regions) {
      if (region.health.kind === 'down') {
        const isProbe = attempted.length === 0 && mayProbe(region.health, now, isRepeatable) && random() < PROBE_SHARE;
        if (!isProbe) continue;
      }
      const picked = region.pick(attempted, now, random, route);
      if (picked !== undefined) return picked;
    }
    // The healthy regions have no usable endpoint that the call has not attempted. The next choices, best first: an attempted
    // one; one at its adaptive limit, whose refusal says so and takes no time; one in a region that is down; any that is left.
    const healthy = this.#regions.filter(({ health }) => health.kind === 'up');
    const picked =
      firstPicked(healthy, (region) => region.pick([], now, random, route)) ??
      firstPicked(healthy, (region) => region.pick([], now, random, route, true)) ??
      firstPicked(this.#regions, (region) => region.pick(attempted, now, random, route)) ??
      firstPicked(this.#regions, (region) => region.pick([], now, random, route)) ??
      firstPicked(this.#regions, (region) => region.pick([], now, random, route, true));
    if (picked !== undefined) return picked;
    return this.#ejections?.pickEjected(attempted, route, random) ?? this.#pickPastCircuit(router, now);
  }

  /**
   * Circuits stay open for long because other endpoints can take the calls. When no endpoint is left, one attempt per interval
   * bypasses the circuit of the endpoint whose last failure is the oldest: of two that are down in turn, that one is healthy.
   */
  #pickPastCircuit(router: AttemptRouter, now: number): Endpoint {
    let oldest = (this.#regions[0] as Region).endpoints[0] as Endpoint;
    if (this.#endpoints.size === 1 || now < this.#nextBypassAt) return oldest;
    this.#nextBypassAt = now + BYPASS_INTERVAL_MS;
    for (const endpoint of this.#endpoints.values()) {
      if (endpoint.lastFailureAt < oldest.lastFailureAt) oldest = endpoint;
    }
    router.bypassCircuit();
    return oldest;
  }

  /** Whether a region that is picked from has a usable endpoint that the call has not attempted. */
  hasOtherEndpoint({ attempted, route }: AttemptRouter): boolean {
    const { clock, random } = this.#settings;
    const now = clock.monotonic();
    const healthy = this.#regions.filter(({ health }) => health.kind === 'up');
    const regions = healthy.length > 0 ? healthy : this.#regions;
    return firstPicked(regions, (region) => region.pick(attempted, now, random, route)) !== undefined;
  }

  recordEnd(endpoint: Endpoint, { status, durationMs }: HttpAttempt, verdict: Verdict, now: number): void {
    const { index, region } = endpoint;
    region.load.recordEnd(index);
    if (!endpoint.isListed) {
      this.#draining.add(endpoint.close());
      return;
    }
    if (verdict === 'neutral') {
      // A 429 is no sign of a failure, but refusing fast must not attract calls.
      if (status === 429) region.load.recordFailure(index, durationMs, now);
      else region.load.recordMinLatency(index, durationMs, now);
      return;
    }
    const isFailure = verdict === 'failure';
    endpoint.calls++;
    if (isFailure) {
      endpoint.failures++;
      endpoint.consecutiveFailures++;
      endpoint.lastFailureAt = now;
      region.load.recordFailure(index, durationMs, now);
    } else {
      endpoint.consecutiveFailures = 0;
      region.load.recordLatency(index, durationMs, now);
    }
    const { kind } = region.health;
    region.recordEnd(isFailure, now);
    if (region.health.kind !== kind) this.#regionChanges[region.health.kind]++;
    this.#ejections?.recordEnd(endpoint, isFailure, this.#endpoints.size, now);
  }

  describe(): string {
    const { size } = this.#endpoints;
    const regions = this.#regions.map(({ name }) => name).filter((name) => name !== '');
    const how = `${size} endpoints${regions.length > 0 ? ` in ${regions.join(', then ')}` : ''}`;
    const ejection = this.#options.ejectsOutliers
      ? `; outliers are ejected, ${maxEjected(size)} at a time at most`
      : '';
    return `endpoints: ${size === 0 ? 'fetched before the first call' : how}; the better of two drawn by weight${ejection}`;
  }

  stats(): EndpointStats[] {
    const now = this.#settings.clock.monotonic();
    return Array.from(this.#endpoints.values(), (endpoint) => endpoint.stats(now));
  }

  /** In the order of the list. */
  regions(): RegionStats[] {
    const now = this.#settings.clock.monotonic();
    const healthy = this.#regions.filter(({ health }) => health.kind === 'up');
    const active = healthy.find((region) => region.hasEndpointInUse(now)) ?? healthy[0];
    return this.#regions.map((region) => region.stats(region === active, now));
  }

  /** Includes endpoints and regions that have left the list. */
  balancing(): BalancingStats {
    return {
      ejections: { ...(this.#ejections?.counts ?? NO_EJECTIONS) },
      regionsWentDown: this.#regionChanges.down,
      regionsCameBack: this.#regionChanges.up,
    };
  }

  async close(): Promise<void> {
    const closings = Array.from(this.#endpoints.values(), (endpoint) => endpoint.close());
    await Promise.all([...closings, this.#draining.drained()]);
  }
}

function firstPicked(regions: readonly Region[], pick: (region: Region) => Endpoint | undefined): Endpoint | undefined {
  for (const region of regions) {
    const picked = pick(region);
    if (picked !== undefined) return picked;
  }
  return undefined;
}
