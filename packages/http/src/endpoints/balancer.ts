import { circuitBreakers, type CircuitBreakers, type ExecuteOptions, type Verdict } from '@macadam/resilience';
import type { AttemptLog, HttpAttempt } from '../attempts.ts';
import type { Transport } from '../dispatcher.ts';
import { breakerOptions } from '../policies.ts';
import type { PreparedRequest } from '../request.ts';
import type { HttpClientSettings } from '../settings.ts';
import type { BalancingStats } from './balancing-stats.ts';
import { Discovery } from './discovery.ts';
import { Ejections, NO_EJECTIONS } from './ejections.ts';
import { Endpoint, type EndpointStats } from './endpoint.ts';
import type { EndpointsSettings, EndpointTarget } from './options.ts';
import { mostEjected } from './outliers.ts';
import { Region, type RegionStats } from './region.ts';
import { PROBE_SHARE, probesRegion } from './region-health.ts';
import { Route } from './route.ts';

/** Where no circuit lets a call through, a try goes past one this often at most. */
const PAST_CIRCUIT_MS = 1_000;

/**
 * Chooses where each try goes: the first region that is well, and in it the better of two endpoints, apart from those
 * that were ejected, whose circuit is open, whose limit is reached, or that this call has tried. There is no timer and no
 * scan of the list: what is due is done when a call comes by.
 */
export class Balancer {
  readonly #settings: HttpClientSettings;
  readonly #options: EndpointsSettings;
  readonly #breakers: CircuitBreakers | undefined;
  /** Whether an endpoint has policies for each route. */
  readonly #keepsByRoute: boolean;
  /** Whether one may refuse a try without what counts as a failure here: by the user's rules for circuits, or a limit. */
  readonly #mayRefuseUnseen: boolean;
  #endpoints = new Map<string, Endpoint>();
  #regions: Region[] = [];
  /** How often a region went down, and came back. */
  readonly #regionChanges = { down: 0, up: 0 };
  readonly #ejections: Ejections | undefined;
  /** When a try may go past a circuit again. */
  #pastAt = -Infinity;
  readonly #discovery: Discovery | undefined;

  constructor(settings: HttpClientSettings, options: EndpointsSettings) {
    this.#settings = settings;
    this.#options = options;
    this.#ejections = options.ejects ? new Ejections() : undefined;
    const { circuitBreaker, perRoute } = settings;
    this.#keepsByRoute = perRoute.has('circuitBreaker') || perRoute.has('adaptiveConcurrency');
    const hasOwnRules =
      circuitBreaker !== false && (circuitBreaker.trip !== undefined || circuitBreaker.classify !== undefined);
    this.#mayRefuseUnseen = hasOwnRules || settings.adaptiveConcurrency !== false;
    if (circuitBreaker !== false) {
      const { name: _, ...each } = breakerOptions(settings, circuitBreaker);
      const maxKeys = Math.max(1_000, options.targets?.length ?? 0);
      this.#breakers = circuitBreakers({ ...each, maxKeys, idleMs: Infinity });
    }
    const { targets, source } = options;
    if (targets !== undefined) this.#replace(targets);
    if (source !== undefined) this.#discovery = new Discovery(source, settings.name, (found) => this.#replace(found));
  }

  /** What a call has to wait for: the first answer of the function that knows the endpoints. */
  prepare(): Promise<void> | undefined {
    return this.#discovery?.prepare(this.#settings.clock.monotonic());
  }

  /** Takes over a list. Endpoints that stay keep their connections and all that is known of them. */
  #replace(targets: readonly EndpointTarget[]): void {
    const now = this.#settings.clock.monotonic();
    const before = this.#endpoints;
    // One that comes back may have an open circuit.
    const isSuspect = this.#mayRefuseUnseen || before.size > 0;
    const regions = new Map<string, Region>();
    this.#endpoints = new Map();
    for (const target of targets) {
      let region = regions.get(target.region);
      if (region === undefined) {
        region = new Region(target.region, now);
        region.health = this.#regions.find(({ name }) => name === target.region)?.health ?? region.health;
        regions.set(target.region, region);
      }
      const known = before.get(target.origin);
      const endpoint = known?.follow(target, region) ?? this.#make(target, region, isSuspect);
      before.delete(target.origin);
      this.#endpoints.set(target.origin, endpoint);
    }
    this.#regions = [...regions.values()];
    for (const gone of before.values()) {
      gone.isListed = false;
      void gone.close();
    }
    this.#ejections?.relist(this.#endpoints.size);
  }

  #make(target: EndpointTarget, region: Region, isSuspect: boolean): Endpoint {
    return new Endpoint(target, region, this.#settings, this.#breakers, isSuspect);
  }

  /** What stands for the transports of all endpoints, where a client has one. */
  get transport(): Transport {
    return {
      // Every try has an endpoint, and goes through the transport of that.
      dispatcher: undefined as never,
      elsewhere: undefined,
      describe: () => this.describe(),
      stats: () => undefined,
      close: () => this.close(),
    };
  }

  /** What the policies are told of a call: its way through the endpoints. */
  guide({ execution, repeatable, subject }: PreparedRequest, log: AttemptLog): ExecuteOptions {
    log.route = new Route(this, repeatable, this.#keepsByRoute ? subject.route : undefined);
    return { ...execution, route: log.route };
  }

  /** Where the next try of a call goes. */
  pick(route: Route): Endpoint {
    const { tried, repeatable, name } = route;
    const { clock, random } = this.#settings;
    const now = clock.monotonic();
    for (const region of this.#regions) {
      if (region.health.kind === 'down') {
        const probe = tried.length === 0 && probesRegion(region.health, now, repeatable) && random() < PROBE_SHARE;
        if (!probe) continue;
      }
      const picked = region.pick(tried, now, random, name);
      if (picked !== undefined) return picked;
    }
    // Nothing new is well: one that was tried, then one that refuses by its limit, which says so and costs nobody time, then
    // one of a region that is down, then whatever there is.
    const areUp = this.#regions.filter(({ health }) => health.kind === 'up');
    const picked =
      pickIn(areUp, (region) => region.pick([], now, random, name)) ??
      pickIn(areUp, (region) => region.pick([], now, random, name, true)) ??
      pickIn(this.#regions, (region) => region.pick(tried, now, random, name)) ??
      pickIn(this.#regions, (region) => region.pick([], now, random, name)) ??
      pickIn(this.#regions, (region) => region.pick([], now, random, name, true));
    if (picked !== undefined) return picked;
    const reprieved = this.#ejections?.reprieve(tried, name, random);
    return reprieved ?? this.#leastLately(route, now);
  }

  /**
   * Circuits stay open for long because there are others. Where none is left, now and then a try goes past one, that of the
   * endpoint whose last failure is the oldest: of two that are down in turn one is well at any time.
   */
  #leastLately(route: Route, now: number): Endpoint {
    let least = (this.#regions[0] as Region).endpoints[0] as Endpoint;
    if (this.#endpoints.size === 1 || now < this.#pastAt) return least;
    this.#pastAt = now + PAST_CIRCUIT_MS;
    for (const one of this.#endpoints.values()) if (one.failedAt < least.failedAt) least = one;
    route.goPast();
    return least;
  }

  /** Whether there is an endpoint that is well and that the call has not tried. */
  hasOther({ tried, name }: Route): boolean {
    const { clock, random } = this.#settings;
    const now = clock.monotonic();
    return this.#regions.some(
      (region) => region.health.kind === 'up' && region.pick(tried, now, random, name) !== undefined,
    );
  }

  /** Takes in how a try ended. */
  ended(endpoint: Endpoint, { status, durationMs }: HttpAttempt, verdict: Verdict, now: number): void {
    const { place, region } = endpoint;
    region.load.ended(place);
    if (!endpoint.isListed) {
      void endpoint.close();
      return;
    }
    if (verdict === 'neutral') {
      // It is well, but refusing fast must not attract calls.
      if (status === 429) region.load.failed(place, durationMs, now);
      else region.load.tookAtLeast(place, durationMs, now);
      return;
    }
    const failed = verdict === 'failure';
    endpoint.calls++;
    if (failed) {
      endpoint.failures++;
      endpoint.consecutiveFailures++;
      endpoint.failedAt = now;
      region.load.failed(place, durationMs, now);
    } else {
      endpoint.consecutiveFailures = 0;
      region.load.succeeded(place, durationMs, now);
    }
    const { kind } = region.health;
    region.record(failed, now);
    if (region.health.kind !== kind) this.#regionChanges[region.health.kind]++;
    this.#ejections?.record(endpoint, failed, this.#endpoints.size, now);
  }

  describe(): string {
    const { size } = this.#endpoints;
    const regions = this.#regions.map(({ name }) => name).filter((name) => name !== '');
    const how = `${size} endpoints${regions.length > 0 ? ` in ${regions.join(', then ')}` : ''}`;
    const ejection = this.#options.ejects ? `; outliers are ejected, ${mostEjected(size)} at a time at most` : '';
    return `endpoints: ${size === 0 ? 'asked for when the first call comes' : how}; the better of two drawn by weight${ejection}`;
  }

  stats(): EndpointStats[] {
    const now = this.#settings.clock.monotonic();
    return Array.from(this.#endpoints.values(), (endpoint) => endpoint.stats(now));
  }

  /** In the order of the list. */
  regions(): RegionStats[] {
    const now = this.#settings.clock.monotonic();
    const active = this.#regions.find(({ health }) => health.kind === 'up');
    return this.#regions.map((region) => region.stats(region === active, now));
  }

  /** What happened to endpoints and regions, those included that are in the list no more. */
  balancing(): BalancingStats {
    return {
      ejections: { ...(this.#ejections?.counts ?? NO_EJECTIONS) },
      regionsWentDown: this.#regionChanges.down,
      regionsCameBack: this.#regionChanges.up,
    };
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#endpoints.values(), (endpoint) => endpoint.close()));
  }
}

/** The first that is found. */
function pickIn(regions: readonly Region[], pick: (region: Region) => Endpoint | undefined): Endpoint | undefined {
  for (const region of regions) {
    const picked = pick(region);
    if (picked !== undefined) return picked;
  }
  return undefined;
}
