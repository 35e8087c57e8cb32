import type { Limit } from './algorithms/limit.ts';
import { allWatch, watches } from './store/combine.ts';
import { shareOf } from './subject.ts';

/** Whose denials count. A limit that is enforced for a share of keys only watches the others. */
export class Enforcement {
  /** For each limit the share of keys for which its denials count. */
  readonly #shares: readonly number[];
  readonly #always: boolean;
  readonly #capacities: readonly number[];
  readonly #least: number;

  constructor(limits: readonly Limit[], most: number) {
    this.#shares = limits.map(({ enforce }) => Math.min(enforce, most));
    this.#capacities = limits.map(({ capacity }) => capacity);
    this.#least = Math.min(...this.#capacities);
    this.#always = this.#shares.every((share) => share === 1);
  }

  /** A bit for each limit whose denials do not count for this key. A key stays on its side, in every process. */
  watching(key: string): number {
    if (this.#always) return 0;
    const at = shareOf(key);
    return this.#shares.reduce((bits, share, i) => (at < share ? bits : bits | (1 << i)), 0);
  }

  /** The most that a request may cost. Limits that watch do not stand in the way. */
  capacity(watching: number): number {
    if (watching === 0) return this.#least;
    return Math.min(...this.#capacities.filter((_, i) => !watches(watching, i)));
  }

  /** Whether nobody's denial counts. */
  none(watching: number): boolean {
    return allWatch(watching, this.#shares.length);
  }
}

/** What `describe` says of it. */
export function enforcedInWords(enforce: number): string {
  return enforce === 1 ? '' : enforce === 0 ? ' in shadow' : ` enforced for ${enforce * 100} % of keys`;
}
