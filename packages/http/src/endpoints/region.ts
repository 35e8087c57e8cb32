import type { Random } from '@macadam/core';
import type { Endpoint } from './endpoint.ts';
import { LoadTable } from './load-table.ts';
import { regionAfter, regionUp, type RegionHealth } from './region-health.ts';
import { relativeWeights, sampler, type Sampler } from './sampler.ts';

/** Draws before the neighbours of the last one are looked through. */
const DRAWS = 4;
/** As many are looked through at most: enough to find the only one of a small region, and no scan of a large one. */
const NEIGHBOURS = 16;
/** A difference less than this is noise: then the draw, which knows the weights, decides. */
const CLEARLY_CHEAPER = 0.9;
/**
 * One that was drawn twice is taken for its weight, however slow it is, unless so much less waits elsewhere: of two
 * endpoints a hung one would have every fourth call otherwise. Little also waits where everything fails at once.
 */
const FAR_LESS_WAITS = 0.5;

/** The state of one region of endpoints. */
export interface RegionStats {
  /** The name of the region; undefined for endpoints without one. */
  readonly region: string | undefined;
  /**
   * `active`: calls go here, because it is the first healthy region. `standby`: healthy, and further down the list. `down`: only
   * probed; if all regions are down, calls go to the first one that admits them.
   */
  readonly state: 'active' | 'down' | 'standby';
  /** Time since it went down, or since its last probe failed, in milliseconds; undefined unless it is `down`. */
  readonly downForMs: number | undefined;
}

/** Endpoints that stand in for each other. */
export class Region {
  readonly name: string;
  readonly endpoints: Endpoint[] = [];
  readonly load: LoadTable = new LoadTable();
  #sample: Sampler | undefined;
  #weights: readonly number[] = [];
  health: RegionHealth;

  constructor(name: string, now: number) {
    this.name = name;
    this.health = regionUp(now);
  }

  /** Takes in a new endpoint, and tells its place. */
  add(endpoint: Endpoint, isSuspect: boolean): number {
    this.load.add(isSuspect);
    return this.endpoints.push(endpoint) - 1;
  }

  /** Takes in one that has another place so far, with what is known of it there, and tells its new place. */
  take(endpoint: Endpoint): number {
    this.load.take(endpoint.region.load, endpoint.place);
    return this.endpoints.push(endpoint) - 1;
  }

  /** @param isFirst - whether those before it are down */
  stats(isFirst: boolean, now: number): RegionStats {
    const { name, health } = this;
    const region = name === '' ? undefined : name;
    if (health.kind === 'down') return { region, state: 'down', downForMs: now - health.since };
    return { region, state: isFirst ? 'active' : 'standby', downForMs: undefined };
  }

  record(failed: boolean, now: number): void {
    this.health = regionAfter(this.health, failed, now);
  }

  /**
   * The better of two that are drawn by weight: nearly as good as the best of all, without asking all, and no endpoint
   * draws every caller at once (Mitzenmacher, "The Power of Two Choices").
   *
   * @param route - whose circuits and limits are asked, where they are kept by route
   * @param evenFull - whether one whose limit is reached will do
   */
  pick(
    tried: readonly Endpoint[],
    now: number,
    random: Random,
    route?: string,
    evenFull = false,
  ): Endpoint | undefined {
    const first = this.#draw(tried, now, random, route, evenFull);
    if (first === undefined || this.endpoints.length === 1) return this.#at(first);
    const drawn = this.#draw(tried, now, random, route, evenFull);
    const isSame = drawn === first;
    if (isSame && this.load.inFlight(first) === 0) return this.#at(first);
    const second = isSame ? this.#draw(tried, now, random, route, evenFull, first) : drawn;
    // Where few of many are usable, a second may not be found.
    if (second === undefined) return this.#at(first);
    const last = tried.at(-1)?.target.zone;
    if (last !== undefined) {
      const [one, other] = [this.#at(first), this.#at(second)];
      if ((one?.target.zone === last) !== (other?.target.zone === last)) return one?.target.zone === last ? other : one;
    }
    const isCheaper = this.#cost(second, now) < this.#cost(first, now) * CLEARLY_CHEAPER;
    const isFarEmptier = this.#fullness(second, 1) < this.#fullness(first, 0) * FAR_LESS_WAITS;
    return this.#at(isCheaper && (!isSame || isFarEmptier) ? second : first);
  }

  #at(place: number | undefined): Endpoint | undefined {
    return place === undefined ? undefined : this.endpoints[place];
  }

  /** What one more call would cost there: least in flight, weighed with how long it takes. */
  #cost(place: number, now: number): number {
    const inFlight = this.load.inFlight(place);
    const waiting = inFlight === 0 ? 0 : inFlight / (this.#weights[place] as number);
    return (waiting + 1) * this.load.expectedMs(place, now);
  }

  /** What would be in flight there with so many more, for its weight. */
  #fullness(place: number, more: number): number {
    return (this.load.inFlight(place) + more) / (this.#weights[place] as number);
  }

  /** The place of one that is usable, and not `except`. */
  #draw(
    tried: readonly Endpoint[],
    now: number,
    random: Random,
    route: string | undefined,
    evenFull: boolean,
    except = -1,
  ): number | undefined {
    this.#sample ??= this.#makeSampler();
    let place = 0;
    for (let i = 0; i < DRAWS; i++) {
      place = this.#sample(random);
      if (place !== except && this.#isUsable(place, tried, now, route, evenFull)) return place;
    }
    const { length } = this.endpoints;
    for (let i = 1; i <= Math.min(NEIGHBOURS, length); i++) {
      const next = (place + i) % length;
      if (next !== except && this.#isUsable(next, tried, now, route, evenFull)) return next;
    }
    return undefined;
  }

  #makeSampler(): Sampler {
    const weights = this.endpoints.map(({ target }) => target.weight);
    this.#weights = relativeWeights(weights);
    return sampler(weights);
  }

  #isUsable(
    place: number,
    tried: readonly Endpoint[],
    now: number,
    route: string | undefined,
    evenFull: boolean,
  ): boolean {
    const endpoint = this.endpoints[place] as Endpoint;
    // Of most nothing but the table is looked at.
    const isWell = !this.load.isSuspect(place) || endpoint.usable(now, route, evenFull);
    return isWell && (tried.length === 0 || !tried.includes(endpoint));
  }
}
