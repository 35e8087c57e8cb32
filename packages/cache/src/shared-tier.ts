import type { TierStats } from './tier-stats.ts';
import { MarkSync } from './coherence/mark-sync.ts';
import { tierKey } from './key.ts';
import type { CacheSettings } from './options.ts';
import { Invalidator, MAX_TIER_TTL_MS, type SealedEntry } from './invalidator.ts';
import { ABSENT, HELD, UNAVAILABLE, type LookupResult, type LeaseResult } from './lookup-result.ts';
import { Lookup, type LookupHost } from './lookup.ts';
import { TierCalls } from './tier-calls.ts';
import { UNLIMITED_RETENTION, type Retention } from './l1-store.ts';
import { LookupBatcher } from './lookup-batcher.ts';
import type { Lease, Tier, TierChange, TierSpace } from './tier.ts';
import { tierValue } from './tier-value.ts';
import { withTimeout } from './with-timeout.ts';
import { Envelopes, type EntryMetadata, type Opened } from './wire/envelopes.ts';

/** What is stored with a loaded value. */
export type StoredMetadata = Omit<EntryMetadata, 'key'>;

/** How long a lease outlives `loaderTimeoutMs`. */
const LEASE_MARGIN_MS = 500;
/**
 * With `coherence: none`, changes by other instances are not received, so values stay in memory only briefly; see
 * `Coherence`.
 */
const WITHOUT_COHERENCE: Retention = { maxFreshMs: 30_000, maxServeMs: 30_000 };
/**
 * While disconnected: missed changes arrive after the reconnect, or a gap is reported. Until then values lose their
 * freshness soon, and may still be served stale.
 */
export const WHILE_DISCONNECTED: Retention = { maxFreshMs: 5_000, maxServeMs: Infinity };

/**
 * The shared tier (L2) as one cache uses it: encodes and decodes values, applies time limits, and decides from marks
 * and unsettled invalidations what may be served. No method rejects: without the tier, a cache is slower and knows
 * less, but it keeps working.
 */
export class SharedTier<T> implements LookupHost<T> {
  readonly envelopes: Envelopes<T>;
  readonly calls: TierCalls;
  readonly invalidator: Invalidator;
  readonly tier: Tier;
  readonly #space: TierSpace;
  readonly #lookups: LookupBatcher<T>;
  readonly #settings: CacheSettings;
  readonly #marks: MarkSync;
  readonly #onChange: (change: TierChange) => void;
  #closed = false;
  hits = 0;
  staleHits = 0;
  misses = 0;
  fills = 0;
  gaps = 0;

  constructor(tier: Tier, settings: CacheSettings, onChange: (change: TierChange) => void) {
    const { name, coherence, clock, random, loaderTimeoutMs } = settings;
    this.tier = tier;
    this.#settings = settings;
    this.#onChange = onChange;
    this.envelopes = new Envelopes<T>(settings);
    this.calls = new TierCalls(tier, settings);
    const leaseMs = loaderTimeoutMs + LEASE_MARGIN_MS;
    const onTierChange = (change: TierChange): void => this.#handleChange(change);
    this.#space = tier.open({ namespace: name, coherence, leaseMs, clock, random, onChange: onTierChange });
    this.#lookups = new LookupBatcher<T>(this.#space, this.calls);
    this.#marks = new MarkSync(this.#space, this.calls, clock);
    this.invalidator = new Invalidator({
      space: this.#space,
      calls: this.calls,
      timeoutMs: tier.timeoutMs,
      settings,
      onMarks: (marks) => this.#marks.apply(marks),
      onReplayed: (keys, how) => onChange({ kind: 'keys', how, keys }),
    });
  }

  /** What a load that starts now is stored with; see `KnownMarks`. */
  get epochPosition(): string {
    return this.#marks.epochPosition;
  }

  get connected(): boolean | undefined {
    return this.#space.connected;
  }

  get lagMs(): number {
    return this.#space.lagMs;
  }

  /** How long a value that is stored in memory now may stay there. */
  get retention(): Retention {
    const { connected } = this.#space;
    if (connected === undefined) return WITHOUT_COHERENCE;
    return connected ? UNLIMITED_RETENTION : WHILE_DISCONNECTED;
  }

  /**
   * Looks up a key and, with `wantsLease`, takes its lease if no value is stored. Calls back in the turn in which the
   * result arrives.
   */
  lookup(id: string, wantsLease: boolean, timeoutMs: number, onFound: (found: LookupResult<T>) => void): void {
    if (this.invalidator.unsettled.hasKey(id)) onFound(UNAVAILABLE);
    else this.#lookups.add(new Lookup<T>(this, id, wantsLease, this.#marks.ensureSynced(), onFound), timeoutMs);
  }

  /** Takes the lease of a key, whatever is stored for it; `always`: even if another process holds it. */
  async takeLease(id: string, always: boolean): Promise<LeaseResult> {
    if (this.invalidator.unsettled.hasKey(id) || !(await this.#marks.ensureSynced())) return UNAVAILABLE;
    try {
      const giveBack = (late: Lease | undefined): void => this.releaseLease(id, late);
      const lease = await this.calls.run(() => this.#space.lease(id, always), undefined, giveBack);
      return lease === undefined ? HELD : { state: 'leased', lease };
    } catch {
      return UNAVAILABLE;
    }
  }

  releaseLease(id: string, lease: Lease | undefined): void {
    if (lease !== undefined) this.#inBackground(() => this.#space.release(id, lease));
  }

  /** Stores a value that was loaded under a lease; `refused` when the lease no longer exists. */
  async fill(
    id: string,
    lease: Lease,
    encoded: Uint8Array,
    metadata: StoredMetadata,
  ): Promise<'failed' | 'filled' | 'refused'> {
    try {
      const { entry, ttlMs } = await this.#seal(id, encoded, metadata);
      if (this.invalidator.unsettled.hasKey(id)) return 'refused';
      if (!(await this.calls.run(() => this.#space.fill(id, lease, entry, ttlMs)))) return 'refused';
      this.fills++;
      return 'filled';
    } catch {
      return 'failed';
    }
  }

  /** Stores a value for all instances; see `Invalidator.write`. */
  write(id: string, encoded: Uint8Array, metadata: Omit<StoredMetadata, 'position'>): Promise<boolean> {
    const seal = (): Promise<SealedEntry> => this.#seal(id, encoded, { ...metadata, position: this.epochPosition });
    return this.invalidator.write(id, metadata.tags, this.#marks.ensureSynced(), seal);
  }

  stats(): Omit<TierStats, 'waived'> {
    const { calls, envelopes, invalidator } = this;
    return {
      l2Hits: this.hits,
      l2StaleHits: this.staleHits,
      l2Misses: this.misses,
      l2Unreadable: Object.values(envelopes.unreadable).reduce((sum, count) => sum + count, 0),
      l2Calls: calls.calls,
      l2Errors: calls.errors,
      l2Timeouts: calls.timeouts,
      l2Refused: calls.refused,
      l2Fills: this.fills,
      unsettled: invalidator.unsettled.size,
      replayed: invalidator.replays.replayed,
      gaps: this.gaps,
      disconnected: this.connected === false ? 1 : 0,
      coherenceLagMs: this.lagMs,
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.invalidator.replays.close();
    await this.#space.close();
  }

  isUnsettled(id: string): boolean {
    return this.invalidator.unsettled.hasKey(id);
  }

  recordMiss(): void {
    this.misses++;
  }

  evaluate(id: string, bytes: Uint8Array, remainingMs: number): Promise<LookupResult<T>> | LookupResult<T> {
    const decoded = this.envelopes.open(tierKey(id), bytes);
    if (decoded instanceof Promise) {
      // An asynchronous schema may never settle.
      return withTimeout(this.#settings.clock, this.tier.timeoutMs, decoded).then(
        (decodedLater) => this.#evaluateOpened(id, decodedLater, remainingMs),
        () => UNAVAILABLE,
      );
    }
    return this.#evaluateOpened(id, decoded, remainingMs);
  }

  #evaluateOpened(id: string, decoded: Opened<T>, remainingMs: number): LookupResult<T> {
    // An invalidation may have started while the entry was decoded.
    if (this.invalidator.unsettled.hasKey(id)) return UNAVAILABLE;
    if ((decoded.state !== 'value' && decoded.state !== 'expired') || remainingMs <= 0) {
      this.misses++;
      return ABSENT;
    }
    const { tags, position } = decoded;
    if (this.invalidator.unsettled.hasAnyTag(tags)) return UNAVAILABLE;
    const verdict = this.#marks.judge(position, tags);
    if (verdict.verdict === 'invalidated') {
      this.misses++;
      return ABSENT;
    }
    const expiredInMs = verdict.verdict === 'expired' ? verdict.at - this.#settings.clock.monotonic() : Infinity;
    const found = tierValue(decoded, remainingMs, expiredInMs);
    if (found === undefined) {
      this.misses++;
      return ABSENT;
    }
    if (found.freshForMs > 0) this.hits++;
    else this.staleHits++;
    return found;
  }

  async #seal(id: string, encoded: Uint8Array, metadata: StoredMetadata): Promise<SealedEntry> {
    const freshForMs = Math.min(metadata.freshForMs, MAX_TIER_TTL_MS);
    const staleForMs = Math.min(metadata.staleForMs, MAX_TIER_TTL_MS);
    const bounded = { ...metadata, key: tierKey(id), freshForMs, staleForMs };
    const entry = await this.envelopes.seal(encoded, bounded);
    return { entry, ttlMs: Math.max(1, freshForMs + staleForMs) };
  }

  #handleChange(change: TierChange): void {
    if (this.#closed) return;
    if (change.kind === 'marks') this.#marks.applyAnnounced(change.marks);
    else if (change.kind === 'gap') {
      this.gaps++;
      this.#marks.requireSync();
    } else if (change.kind === 'connected') {
      // Marks that were made while disconnected are not known.
      this.#marks.requireSync();
      this.calls.resetBreaker();
      void this.invalidator.replays.run();
    }
    this.#onChange(change);
  }

  #inBackground(call: () => Promise<unknown>): void {
    this.calls.run(call).catch(() => {
      // A lease that is not released ends by itself.
    });
  }
}
