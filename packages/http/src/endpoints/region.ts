import type { Random } from '@macadam/core';
import type { Endpoint } from './endpoint.ts';
import { LoadTable } from './load-table.ts';
import { healthyRegion, nextRegionHealth, type RegionHealth } from './region-health.ts';
import { createSampler, relativeWeights, type Sampler } from './sampler.ts';

/** Random draws for a usable endpoint before the neighbours of the last draw are checked. */
const MAX_DRAWS = 4;
/** How many neighbours are checked: enough to find the only usable endpoint of a small region without scanning a large one. */
const MAX_NEIGHBOURS = 16;
/** A smaller difference in cost is noise: then the first draw, which follows the weights, decides. */
const CLEARLY_CHEAPER = 0.9;
/**
 * An endpoint that was drawn twice is used for its weight, however slow it is, unless another has this much less in flight: of
 * two endpoints a hung one would get every fourth call otherwise. Cost alone does not decide, since an endpoint that fails at
 * once also has little in flight.
 */
const MUCH_LESS_IN_FLIGHT = 0.5;

/** The state of one region of endpoints. */
export interface RegionStats {
  /** The name of the region; undefined for endpoints without one. */
  readonly region: string | undefined;
  /**
   * `active`: calls go here, because it is the first healthy region with an endpoint that is neither ejected nor has an open
   * circuit (without such a region, the first healthy one). `standby`: healthy, but calls go to another region. `down`: only
   * probed; if all regions are down, calls go to the first one that admits them.
   */
  readonly state: 'active' | 'down' | 'standby';
  /** Time since it went down, or since its last probe failed, in milliseconds; undefined unless it is `down`. */
  readonly downForMs: number | undefined;
}

/** Endpoints among which any attempt may be balanced. */
export class Region {
  readonly name: string;
  readonly endpoints: Endpoint[] = [];
  readonly load: LoadTable = new LoadTable();
  #sample: Sampler | undefined;
  #weights: readonly number[] = [];
  health: RegionHealth;

  constructor(name: string, now: number) {
    this.name = name;
    this.health = healthyRegion(now);
  }

  /** Adds an endpoint without history; returns its index. */
  add(endpoint: Endpoint, needsCheck: boolean): number {
    this.load.add(needsCheck);
    return this.endpoints.push(endpoint) - 1;
  }

  /** Adds an endpoint with its load from its previous region; returns its new index. */
  adopt(endpoint: Endpoint): number {
    this.load.addFrom(endpoint.region.load, endpoint.index);
    return this.endpoints.push(endpoint) - 1;
  }

  stats(isActive: boolean, now: number): RegionStats {
    const { name, health } = this;
    const region = name === '' ? undefined : name;
    if (health.kind === 'down') return { region, state: 'down', downForMs: now - health.since };
    return { region, state: isActive ? 'active' : 'standby', downForMs: undefined };
  }

  recordEnd(isFailure: boolean, now: number): void {
    this.health = nextRegionHealth(this.health, isFailure, now);
  }

  /** Whether an endpoint is neither ejected nor has an open circuit. Scans the list, so it is for statistics only. */
  hasEndpointInUse(now: number): boolean {
    return this.endpoints.some((endpoint) => endpoint.isInUse(now));
  }

  /**
   * Picks the better of two endpoints drawn by weight: nearly as good as the best of all, without comparing all, and no endpoint
   * attracts every caller at once (Mitzenmacher, "The Power of Two Choices"). Undefined when no usable endpoint was found.
   *
   * @param attempted - endpoints that are not picked again
   * @param route - whose circuits and limits apply, where those are kept by route
   * @param ignoreLimit - whether an endpoint at its adaptive limit counts as usable
   */
  pick(
    attempted: readonly Endpoint[],
    now: number,
    random: Random,
    route?: string,
    ignoreLimit = false,
  ): Endpoint | undefined {
    const first = this.#draw(attempted, now, random, route, ignoreLimit);
    if (first === undefined || this.endpoints.length === 1) return this.#at(first);
    const drawn = this.#draw(attempted, now, random, route, ignoreLimit);
    const isSame = drawn === first;
    if (isSame && this.load.inFlight(first) === 0) return this.#at(first);
    const second = isSame ? this.#draw(attempted, now, random, route, ignoreLimit, first) : drawn;
    // Where few of many endpoints are usable, a second one may not be found.
    if (second === undefined) return this.#at(first);
    const lastZone = attempted.at(-1)?.target.zone;
    if (lastZone !== undefined) {
      const isFirstInZone = this.#at(first)?.target.zone === lastZone;
      const isSecondInZone = this.#at(second)?.target.zone === lastZone;
      if (isFirstInZone !== isSecondInZone) return this.#at(isFirstInZone ? second : first);
    }
    const isCheaper = this.#cost(second, now) < this.#cost(first, now) * CLEARLY_CHEAPER;
    const hasMuchLess = this.#relativeLoad(second, 1) < this.#relativeLoad(first, 0) * MUCH_LESS_IN_FLIGHT;
    return this.#at(isCheaper && (!isSame || hasMuchLess) ? second : first);
  }

  #at(index: number | undefined): Endpoint | undefined {
    return index === undefined ? undefined : this.endpoints[index];
  }

  /** The cost of one more attempt: the attempts in flight by weight, times the expected latency. */
  #cost(index: number, now: number): number {
    // With nothing in flight the weights need not be read.
    const relativeLoad = this.load.inFlight(index) === 0 ? 0 : this.#relativeLoad(index, 0);
    return (relativeLoad + 1) * this.load.expectedMs(index, now);
  }

  /** The attempts in flight, with `more`, divided by the weight. */
  #relativeLoad(index: number, more: number): number {
    return (this.load.inFlight(index) + more) / (this.#weights[index] as number);
  }

  /** The index of a usable endpoint other than `except`. */
  #draw(
    attempted: readonly Endpoint[],
    now: number,
    random: Random,
    route: string | undefined,
    ignoreLimit: boolean,
    except = -1,
  ): number | undefined {
    this.#sample ??= this.#createSampler();
    let index = 0;
    for (let i = 0; i < MAX_DRAWS; i++) {
      index = this.#sample(random);
      if (index !== except && this.#isUsable(index, attempted, now, route, ignoreLimit)) return index;
    }
    const { length } = this.endpoints;
    for (let i = 1; i <= Math.min(MAX_NEIGHBOURS, length); i++) {
      const next = (index + i) % length;
      if (next !== except && this.#isUsable(next, attempted, now, route, ignoreLimit)) return next;
    }
    return undefined;
  }

  /** Called on the first pick, when all endpoints have been added. */
  #createSampler(): Sampler {
    const weights = this.endpoints.map(({ target }) => target.weight);
    this.#weights = relativeWeights(weights);
    return createSampler(weights);
  }

  #isUsable(
    index: number,
    attempted: readonly Endpoint[],
    now: number,
    route: string | undefined,
    ignoreLimit: boolean,
  ): boolean {
    const endpoint = this.endpoints[index] as Endpoint;
    // For most endpoints only the load table is read.
    const isUsable = !this.load.needsCheck(index) || endpoint.isUsable(now, route, ignoreLimit);
    return isUsable && (attempted.length === 0 || !attempted.includes(endpoint));
  }
}
