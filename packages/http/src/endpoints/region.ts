import type { Random } from '@macadam/core';
import type { Endpoint } from './endpoint.ts';
import { regionAfter, regionUp, type RegionHealth } from './region-health.ts';
import { sampler, type Sampler } from './sampler.ts';

/** Draws before the neighbours of the last one are looked through. */
const DRAWS = 4;
/** As many are looked through at most: enough to find the only one of a small region, and no scan of a large one. */
const NEIGHBOURS = 16;
/** A difference less than this is noise: then the draw, which knows the weights, decides. */
const CLEARLY_CHEAPER = 0.9;

/** Endpoints that stand in for each other. */
export class Region {
  readonly name: string;
  readonly endpoints: Endpoint[] = [];
  #sample: Sampler | undefined;
  health: RegionHealth;

  constructor(name: string, now: number) {
    this.name = name;
    this.health = regionUp(now);
  }

  record(failed: boolean, now: number): void {
    this.health = regionAfter(this.health, failed, now);
  }

  /**
   * The better of two that are drawn by weight: nearly as good as the best of all, without asking all, and no endpoint
   * draws every caller at once (Mitzenmacher, "The Power of Two Choices").
   *
   * @param route - whose circuits are asked, where they are kept by route
   */
  pick(tried: readonly Endpoint[], now: number, random: Random, route?: string): Endpoint | undefined {
    const one = this.#draw(tried, now, random, route);
    if (one === undefined || this.endpoints.length === 1) return one;
    const other = this.#draw(tried, now, random, route);
    // Where few of many are usable, a second may not be found.
    if (other === undefined || one === other) return one;
    const last = tried.at(-1)?.target.zone;
    if (last !== undefined && (one.target.zone === last) !== (other.target.zone === last)) {
      return one.target.zone === last ? other : one;
    }
    return other.cost(now) < one.cost(now) * CLEARLY_CHEAPER ? other : one;
  }

  #draw(tried: readonly Endpoint[], now: number, random: Random, route: string | undefined): Endpoint | undefined {
    this.#sample ??= sampler(this.endpoints.map(({ target }) => target.weight));
    let at = 0;
    for (let i = 0; i < DRAWS; i++) {
      at = this.#sample(random);
      const drawn = this.endpoints[at] as Endpoint;
      if (drawn.usable(now, route) && !tried.includes(drawn)) return drawn;
    }
    const { length } = this.endpoints;
    for (let i = 1; i <= Math.min(NEIGHBOURS, length); i++) {
      const next = this.endpoints[(at + i) % length] as Endpoint;
      if (next.usable(now, route) && !tried.includes(next)) return next;
    }
    return undefined;
  }
}
