import type { Clock, Random } from '@macadam/core';
import type { CircuitBreakerOptions } from '@macadam/resilience';

/**
 * How this process learns what other processes changed. `log`: reads a log of the latest changes, so that changes
 * missed during a disconnect are caught up. `pubsub`: receives messages, which are lost during a disconnect; the memory
 * is cleared then. `tracking`: the server reports changed keys (client tracking), even when something else than this
 * library writes them. `none`: does not learn of changes; values stay in memory for at most 30 s.
 */
export type Coherence = 'log' | 'none' | 'pubsub' | 'tracking';

/** How entries end: `invalidated` ones are never served again, `expired` ones may be served stale. */
export type Ending = 'expired' | 'invalidated';

/** A tag that was invalidated or expired; the tag `''` stands for everything. */
export interface TierMark {
  /** The tag. */
  readonly tag: string;
  /** What happened to its entries. */
  readonly how: Ending;
  /** Entries whose loads started at this position or later are not affected. */
  readonly position: number;
}

/** The tags that were ended, as the tier knows them. Positions of different epochs cannot be compared. */
export interface TierMarks {
  /** Changes when the tier has lost its marks. */
  readonly epoch: string;
  /** The latest position: a load that starts now is not affected by anything up to it. */
  readonly position: number;
  /** Marks up to this position may have been forgotten. */
  readonly floor: number;
  /** The marks that are known. */
  readonly marks: readonly TierMark[];
}

/** A change made by another instance, or a change of the connection that reports them. */
export type TierChange =
  | { readonly kind: 'keys'; readonly how: Ending; readonly keys: readonly string[] }
  | { readonly kind: 'marks'; readonly marks: TierMarks }
  /** Changes were missed, and it is not known which. */
  | { readonly kind: 'gap' }
  /** From now on, or no longer, changes of others arrive. */
  | { readonly kind: 'connected' }
  | { readonly kind: 'disconnected' };

/** Proof that an instance is loading a key. Opaque and unique. */
export type Lease = string;

/** What a tier has stored for a key. */
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
 * The entries of one cache in a tier. Implemented by those who write a tier. Entries are bytes and start with a head of
 * 16 bytes. Each operation is one round trip unless it says otherwise, and rejects when the tier did not do what was
 * asked. The time limit of the tier applies to each round trip: call `onAnswer` between two of them.
 */
export interface TierSpace {
  /** Maximum number of keys in one read: 1 where each key may live on another node and fail by itself. */
  readonly mostReads: number;
  /**
   * Returns what is stored for each key, in their order. With `wantsLeases`, takes a lease for each key that has
   * neither a value nor a lease. Where nothing is stored and no lease was taken, the answer may be left out.
   */
  read(keys: readonly string[], wantsLeases?: boolean): Promise<readonly TierRead[]>;
  /**
   * Takes the lease of a key, whatever is stored there; `always` takes it away from another holder. Undefined when it
   * was not taken.
   */
  lease(key: string, always: boolean): Promise<Lease | undefined>;
  /** Releases a lease. Does nothing when the lease is held by somebody else by now. */
  release(key: string, lease: Lease): Promise<void>;
  /**
   * Stores the entry for `ttlMs` and ends the lease. Returns false, and stores nothing, when the lease no longer
   * exists.
   */
  fill(key: string, lease: Lease, entry: Uint8Array, ttlMs: number): Promise<boolean>;
  /**
   * Stores the entry for `ttlMs`, ends every lease of the key and reports the change to other instances, in two or
   * three round trips. A command that reaches the tier later than twice the time limit after it was sent must store
   * nothing: a newer value may be stored by then. Where the entry is sent more than once, that begins within the time
   * limit, and `isCurrent` is asked each time again, in the turn in which it is sent: false when this instance has begun
   * a newer change of the key. Returns false, and stores nothing, in that case.
   */
  write(
    key: string,
    entry: Uint8Array,
    ttlMs: number,
    onAnswer?: () => void,
    isCurrent?: () => boolean,
  ): Promise<boolean>;
  /** Removes entries, ends their leases and reports the change to other instances, in two round trips. */
  remove(keys: readonly string[], onAnswer?: () => void): Promise<void>;
  /**
   * Replaces the heads of entries, shortens their remaining time to `staleForMs`, ends their leases and reports the
   * change to other instances, in two round trips.
   */
  expire(keys: readonly string[], head: Uint8Array, staleForMs: number, onAnswer?: () => void): Promise<void>;
  /** Ends tags and reports the change to other instances. Returns the marks it made. */
  mark(tags: readonly string[], how: Ending): Promise<TierMarks>;
  /** Returns all marks. */
  marks(): Promise<TierMarks>;
  /** Whether changes of other instances arrive; undefined where they are not followed. */
  readonly connected: boolean | undefined;
  /** How long the latest own change took from its acknowledgement until it was reported back, in milliseconds. */
  readonly lagMs: number;
  /** Stops following changes and releases what this space holds. */
  close(): Promise<void>;
}

/** What a cache passes to a tier when it opens its space. */
export interface TierSpaceOptions {
  /** The name of the cache. Spaces of the same name share their entries. */
  readonly namespace: string;
  /** How changes of other instances are followed. */
  readonly coherence: Coherence;
  /** How long a lease lives when nobody ends it, in milliseconds. */
  readonly leaseMs: number;
  /** The clock of the cache. */
  readonly clock: Clock;
  /** The source of randomness of the cache. */
  readonly random: Random;
  /** Called with each change of another instance. Changes of this space are not reported to it. */
  readonly onChange: (change: TierChange) => void;
}

/**
 * A tier that is shared between processes. Stores bytes and decides nothing: freshness, tags, time limits and outages
 * are handled by the cache. `tierContract` of `@macadam/cache/testing` tests an implementation.
 */
export interface Tier {
  /** A word for metrics and descriptions, such as `redis`. */
  readonly kind: string;
  /** How long a read waits while there is a stale value to serve, in milliseconds. */
  readonly softTimeoutMs: number;
  /** Time limit of each round trip, in milliseconds. */
  readonly timeoutMs: number;
  /** The circuit breaker in front of the tier, merged over the defaults of the cache; `false` means none. */
  readonly circuitBreaker: CircuitBreakerOptions | false;
  /**
   * Opens the space of one cache.
   * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a `coherence` that the tier does not support
   */
  open(options: TierSpaceOptions): TierSpace;
  /** Returns the effective options in words. */
  describe(): string;
}
