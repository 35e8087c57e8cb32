import type { Lease } from './tier.ts';

/** The result of looking up a key in the shared tier. */
export type LookupResult<T> =
  | TierValue<T>
  /** No value that may be served. This process has taken the lease and loads it. */
  | { readonly state: 'leased'; readonly lease: Lease }
  /**
   * No value that may be served. `held`: another process holds the lease and is loading it. `absent`: nobody is known
   * to load it.
   */
  | { readonly state: 'absent' | 'held' }
  /** The tier failed, or what it stores may be older than an invalidation that it has not acknowledged. */
  | { readonly state: 'unavailable' };

/** The result of trying to take a lease; see the same states of `LookupResult`. */
export type LeaseResult =
  { readonly state: 'leased'; readonly lease: Lease } | { readonly state: 'held' } | { readonly state: 'unavailable' };

export interface TierValue<T> {
  readonly state: 'value';
  readonly value: T;
  readonly tags: readonly string[];
  readonly validator: string;
  readonly loadMs: number;
  readonly ageMs: number;
  /** 0 or less when it may only be served stale. */
  readonly freshForMs: number;
  /** How long it may be served at all, fresh or stale. */
  readonly remainingMs: number;
}

export const HELD: { readonly state: 'held' } = { state: 'held' };
export const ABSENT: { readonly state: 'absent' } = { state: 'absent' };
export const UNAVAILABLE: { readonly state: 'unavailable' } = { state: 'unavailable' };
