import type { Lease } from './tier.ts';

/** What the tier has for a key, judged. */
export type Found<T> =
  | FoundValue<T>
  /** Nothing, and it is ours to load. */
  | { readonly state: 'leased'; readonly lease: Lease }
  /** Nothing that may serve; `held`: somebody else loads it. `ended`: nobody. */
  | { readonly state: 'ended' | 'held' }
  /** The tier does not answer, or what it has may be of before an invalidation that it was not told yet. */
  | { readonly state: 'unavailable' };

/** What became of the wish to load a key: see the same states of `Found`. */
export type Taken =
  { readonly state: 'leased'; readonly lease: Lease } | { readonly state: 'held' } | { readonly state: 'unavailable' };

export interface FoundValue<T> {
  readonly state: 'value';
  readonly value: T;
  readonly tags: readonly string[];
  readonly validator: string;
  readonly loadMs: number;
  readonly ageMs: number;
  /** At most 0 for what may only serve as stale. */
  readonly freshForMs: number;
  /** For how long it may serve in any role. */
  readonly remainingMs: number;
}

export const HELD: { readonly state: 'held' } = { state: 'held' };
export const ENDED: { readonly state: 'ended' } = { state: 'ended' };
export const UNAVAILABLE: { readonly state: 'unavailable' } = { state: 'unavailable' };
