import type { Limit } from './algorithms/limit.ts';
import { allOnlyWatch, onlyWatches } from './store/combine-decisions.ts';
import { hashFraction } from './key.ts';

/**
 * Decides for which keys the denials of a limit count (`enforce`, `shadow`). For the other keys the limit only watches:
 * it is evaluated and denies nothing. The set of limits that only watch a key is a bit mask, `watching`.
 */
export class Enforcement {
  /** For each limit, the ratio of keys for which its denials count. */
  readonly #ratios: readonly number[];
  readonly #enforcesAll: boolean;
  readonly #capacities: readonly number[];
  readonly #minCapacity: number;

  /** `maxRatio` is the `enforce` option of the limiter, which bounds that of each limit. */
  constructor(limits: readonly Limit[], maxRatio: number) {
    this.#ratios = limits.map(({ enforce }) => Math.min(enforce, maxRatio));
    this.#capacities = limits.map(({ capacity }) => capacity);
    this.#minCapacity = Math.min(...this.#capacities);
    this.#enforcesAll = this.#ratios.every((ratio) => ratio === 1);
  }

  /** The limits that only watch this key, bit i for limit i. The same in every process, since it depends on the key alone. */
  watching(key: string): number {
    if (this.#enforcesAll) return 0;
    const fraction = hashFraction(key);
    return this.#ratios.reduce((bits, ratio, i) => (fraction < ratio ? bits : bits | (1 << i)), 0);
  }

  /** The maximum cost of one request: the smallest capacity of the limits that can deny it. */
  capacity(watching: number): number {
    if (watching === 0) return this.#minCapacity;
    return Math.min(...this.#capacities.filter((_, i) => !onlyWatches(watching, i)));
  }

  /** Whether no limit can deny the request. */
  isShadow(watching: number): boolean {
    return allOnlyWatch(watching, this.#ratios.length);
  }
}
