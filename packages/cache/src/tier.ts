import type { Clock, Random } from '@macadam/core';
import type { CircuitBreakerOptions } from '@macadam/resilience';

/**
 * How memories learn what other instances changed. `log`: from a log that keeps the latest changes, so that what was missed
 * while disconnected is caught up. `pubsub`: from messages that are lost while disconnected, which is noticed. `tracking`: from
 * the server itself, also when somebody writes without this library. `none`: not at all; what is in memory is kept for 30 s at
 * most.
 */
export type Coherence = 'log' | 'none' | 'pubsub' | 'tracking';

/** How entries ended: `invalidated` never serve again, `expired` ones serve as stale. */
export type Ending = 'expired' | 'invalidated';

/** A tag that was ended, or everything: the tag `''`. */
export interface TierMark {
  readonly tag: string;
  readonly how: Ending;
  /** Entries whose loads began at this position or later are not affected. */
  readonly position: number;
}

/** The tags that were ended, as the tier knows them. Positions of different epochs cannot be compared. */
export interface TierMarks {
  /** Changes when the tier has lost its marks. */
  readonly epoch: string;
  /** The newest position there is: a load that begins now is not affected by anything up to it. */
  readonly position: number;
  /** Marks up to here may have been forgotten. */
  readonly floor: number;
  readonly marks: readonly TierMark[];
}

/** What another instance did, or what is known about knowing it. */
export type TierChange =
  | { readonly kind: 'keys'; readonly how: Ending; readonly keys: readonly string[] }
  | { readonly kind: 'marks'; readonly marks: TierMarks }
  /** Changes were missed, and it is not known which. */
  | { readonly kind: 'gap' }
  /** From now on, or no longer, changes of others arrive. */
  | { readonly kind: 'connected' }
  | { readonly kind: 'disconnected' };

/** That somebody loads a key: words of the tier's own, different ones each time. */
export type Lease = string;

/** What stands at a key. */
export type TierRead =
  | {
      readonly kind: 'value';
      readonly entry: Uint8Array;
      /** For how long the tier keeps it, in milliseconds. */
      readonly remainingMs: number;
    }
  | {
      readonly kind: 'absent';
      /** The lease that was taken; undefined when none was asked for, or somebody else has it. */
      readonly lease: Lease | undefined;
    };

/**
 * The entries of one cache in a tier. Entries are bytes, and begin with a head of 16 bytes. Each operation is one round trip,
 * or two where it says so, and rejects when the tier does not do as it was asked. Each round trip has the time limit of the tier to
 * itself: `onAnswer` is to be called between two of them.
 */
export interface TierSpace {
  /** The most keys of one read: 1 where each may live somewhere else, and fail by itself. */
  readonly mostReads: number;
  /**
   * What stands at each key, in their order. Where nothing does, and leases are wanted, and nobody has one, there is one from then
   * on: one loads, and the others know. Where the tier takes none, an answer may be left out.
   */
  read(keys: readonly string[], wantsLeases?: boolean): Promise<readonly TierRead[]>;
  /** Takes the lease of a key, whatever stands there; `always` takes it from whoever has it. Undefined when it was not taken. */
  lease(key: string, always: boolean): Promise<Lease | undefined>;
  /** Gives a lease back. One that was lost meanwhile stays as it is. */
  release(key: string, lease: Lease): Promise<void>;
  /** Stores the entry and ends the lease; false, and nothing done, when the lease is no longer there. */
  fill(key: string, lease: Lease, entry: Uint8Array, ttlMs: number): Promise<boolean>;
  /**
   * Stores the entry, ends every lease, and tells the others, in two round trips, or three. What comes to the tier long after its time
   * limit must store nothing: somebody else may have put a newer value there.
   */
  write(key: string, entry: Uint8Array, ttlMs: number, onAnswer?: () => void): Promise<void>;
  /** Removes entries, ends every lease, and tells the others, in two round trips. */
  remove(keys: readonly string[], onAnswer?: () => void): Promise<void>;
  /**
   * Replaces the heads of entries, shortens what remains to `staleForMs`, ends every lease, and tells the others, in two round
   * trips.
   */
  expire(keys: readonly string[], head: Uint8Array, staleForMs: number, onAnswer?: () => void): Promise<void>;
  /** Ends tags, and tells the others. The marks it made. */
  mark(tags: readonly string[], how: Ending): Promise<TierMarks>;
  /** All marks there are. */
  marks(): Promise<TierMarks>;
  /** Whether changes of other instances arrive; undefined where they are not followed. */
  readonly connected: boolean | undefined;
  /** How long a change took from its acknowledgement until it arrived, the last time one of its own did, in milliseconds. */
  readonly lagMs: number;
  close(): Promise<void>;
}

/** What a cache asks of a tier. */
export interface TierSpaceOptions {
  /** The cache's name. Spaces of the same name share their entries. */
  readonly namespace: string;
  readonly coherence: Coherence;
  /** How long a lease stands when nobody ends it, in milliseconds. */
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly random: Random;
  /** Called for what others did; what this space did itself is not told. */
  readonly onChange: (change: TierChange) => void;
}

/**
 * Where entries are shared between processes. It keeps bytes and judges nothing: freshness, tags, time limits and outages are
 * the cache's business. `tierContract` of `@macadam/cache/testing` tells whether one does as it must.
 */
export interface Tier {
  readonly kind: string;
  /** How long a read waits while there is a stale value to serve, in milliseconds. */
  readonly softTimeoutMs: number;
  /** How long any round trip is waited for, in milliseconds. */
  readonly timeoutMs: number;
  readonly circuitBreaker: CircuitBreakerOptions | false;
  /** @throws OptionsError for a kind of coherence that it does not know */
  open(options: TierSpaceOptions): TierSpace;
  /** In words. */
  describe(): string;
}
