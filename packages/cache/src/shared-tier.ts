import type { TierStats } from './cache.ts';
import { KnownMarks } from './coherence/known-marks.ts';
import { longestStaleMs } from './entry.ts';
import { tierKey } from './key.ts';
import type { CacheSettings } from './options.ts';
import { Recovery, type Unsettled } from './recovery.ts';
import { TierCalls } from './tier-calls.ts';
import type { Ending, Tier, TierChange, TierMarks, TierRead, TierSpace } from './tier.ts';
import { Envelopes, type EntryFacts } from './wire/envelopes.ts';
import { newHead } from './wire/head.ts';

/** What the tier has for a key, judged. */
export type Found<T> =
  | FoundValue<T>
  /** Nothing that may serve; `leased`: it is ours to load. `held`: somebody else loads it. `ended`: neither. */
  | { readonly state: 'ended' | 'held' | 'leased' }
  /** The tier does not answer, or what it has may be of before an invalidation that it was not told yet. */
  | { readonly state: 'unavailable' };

export interface FoundValue<T> {
  readonly state: 'value';
  readonly value: T;
  readonly tags: readonly string[];
  readonly loadMs: number;
  readonly ageMs: number;
  /** At most 0 for what may only serve as stale. */
  readonly freshForMs: number;
  /** For how long it may serve in any role. */
  readonly remainingMs: number;
}

/** What a load is stored with. */
export type StoredFacts = Omit<EntryFacts, 'key' | 'validator'>;

const LEASED = { state: 'leased' } as const;
const HELD = { state: 'held' } as const;
const ENDED = { state: 'ended' } as const;
const UNAVAILABLE = { state: 'unavailable' } as const;

export const NO_TIER: Omit<TierStats, 'waived'> = {
  l2Hits: 0,
  l2StaleHits: 0,
  l2Misses: 0,
  l2Unreadable: 0,
  l2Calls: 0,
  l2Errors: 0,
  l2Timeouts: 0,
  l2Refused: 0,
  l2Fills: 0,
  unsettled: 0,
  replayed: 0,
  gaps: 0,
  disconnected: 0,
  coherenceLagMs: 0,
};

/** Lifetimes in the tier, since "for ever" is none that it knows: about three years. */
const LONGEST_MS = 1e11;
/** While nobody tells what others changed, marks are asked for when they are older than this. */
const ASK_MARKS_EVERY_MS = 1_000;
/** How long a lease stands beyond the time that a load has. */
const LEASE_MARGIN_MS = 500;
const REPLAY_AFTER_MS = 500;
const MOST_REPLAYED = 500;
/** Where values in memory cannot be told apart from outdated ones for long; see `Coherence`. */
const UNHEARD_MS = 30_000;
export const DISCONNECTED_MS = 5_000;

/**
 * The shared tier as one cache sees it: values in and out, judged by what was invalidated, within time limits. Nothing here
 * rejects: without the tier a cache is slower and knows less, and is still a cache.
 */
export class SharedTier<T> {
  readonly envelopes: Envelopes<T>;
  readonly calls: TierCalls;
  readonly recovery: Recovery = new Recovery();
  readonly tier: Tier;
  readonly #space: TierSpace;
  readonly #settings: CacheSettings;
  readonly #marks: KnownMarks = new KnownMarks();
  readonly #onChange: (change: TierChange) => void;
  #marksAsked: Promise<boolean> | undefined;
  #marksAt = -Infinity;
  #replayArmed = false;
  #closed = false;
  hits = 0;
  staleHits = 0;
  misses = 0;
  fills = 0;
  replayed = 0;
  gaps = 0;

  constructor(tier: Tier, settings: CacheSettings, onChange: (change: TierChange) => void) {
    const { name, coherence, clock, random, loaderTimeoutMs } = settings;
    this.tier = tier;
    this.#settings = settings;
    this.#onChange = onChange;
    this.envelopes = new Envelopes<T>(settings);
    this.calls = new TierCalls(tier, settings);
    const leaseMs = loaderTimeoutMs + LEASE_MARGIN_MS;
    const heard = (change: TierChange): void => this.#hear(change);
    this.#space = tier.open({ namespace: name, coherence, leaseMs, clock, random, onChange: heard });
  }

  /** What a load that begins now is stamped with. */
  get stamp(): string {
    return this.#marks.stamp;
  }

  get knownTags(): number {
    return this.#marks.size;
  }

  get connected(): boolean | undefined {
    return this.#space.connected;
  }

  get lagMs(): number {
    return this.#space.lagMs;
  }

  /** How long a value that is stored in memory now may be fresh there. */
  get freshInMemoryMs(): number {
    const { connected } = this.#space;
    if (connected === undefined) return UNHEARD_MS;
    return connected ? Infinity : DISCONNECTED_MS;
  }

  /** Reads a key, and takes its lease when there is nothing. */
  async read(id: string, lease: Uint8Array | undefined, timeoutMs: number): Promise<Found<T>> {
    if (this.recovery.holdsKey(id)) return UNAVAILABLE;
    const known = this.#marksKnown();
    let read: TierRead;
    try {
      const giveBack = (late: TierRead): void => this.#giveBackUnused(id, lease, late);
      read = await this.calls.run(() => this.#space.read(id, lease), timeoutMs, giveBack);
    } catch {
      return UNAVAILABLE;
    }
    if (!(await known) || this.recovery.holdsKey(id)) {
      this.#giveBackUnused(id, lease, read);
      return UNAVAILABLE;
    }
    if (read.kind === 'absent') {
      this.misses++;
      if (read.leased) return LEASED;
      return lease === undefined ? ENDED : HELD;
    }
    return this.#judge(id, read.entry, read.remainingMs);
  }

  /** Takes the lease of a key at which there is something; `always`, also from whoever has it. */
  async take(id: string, lease: Uint8Array, always: boolean): Promise<boolean> {
    if (this.recovery.holdsKey(id) || !(await this.#marksKnown())) return false;
    try {
      const giveBack = (late: boolean): void => this.#giveBackUnused(id, lease, { kind: 'absent', leased: late });
      return await this.calls.run(() => this.#space.lease(id, lease, always), undefined, giveBack);
    } catch {
      return false;
    }
  }

  giveBack(id: string, lease: Uint8Array | undefined): void {
    if (lease !== undefined) this.#inBackground(() => this.#space.release(id, lease));
  }

  /** Stores what was loaded under a lease; `refused` when the lease no longer stood. */
  async fill(
    id: string,
    lease: Uint8Array,
    raw: Uint8Array,
    facts: StoredFacts,
  ): Promise<'failed' | 'filled' | 'refused'> {
    try {
      const { entry, ttlMs } = await this.#sealed(id, raw, facts);
      if (this.recovery.holdsKey(id)) return 'refused';
      if (!(await this.calls.run(() => this.#space.fill(id, lease, entry, ttlMs)))) return 'refused';
      this.fills++;
      return 'filled';
    } catch {
      return 'failed';
    }
  }

  /**
   * Puts a value in place, for all. False when the tier could not be told: then what it has is removed as soon as it can be, since
   * by then somebody else may have put a newer value there.
   */
  async write(id: string, raw: Uint8Array, facts: Omit<StoredFacts, 'position'>): Promise<boolean> {
    const ids = [id];
    const unsettled = this.recovery.beginKeys(ids, 'invalidated');
    await this.#marksKnown();
    const { entry, ttlMs } = await this.#sealed(id, raw, { ...facts, position: this.stamp });
    // Sealing takes time, in which something newer may have been put there.
    if (!this.recovery.isLatest(id, unsettled)) return true;
    return this.#settle(
      () => this.#space.write(id, entry, ttlMs),
      unsettled,
      () => this.recovery.settleKeys(ids, unsettled),
    );
  }

  /** Ends keys, for all. False when the tier could not be told, and will be. */
  endKeys(ids: readonly string[], how: Ending): Promise<boolean> {
    const unsettled = this.recovery.beginKeys(ids, how);
    return this.#settle(
      () => this.#endKeys(ids, unsettled.how),
      unsettled,
      () => this.recovery.settleKeys(ids, unsettled),
    );
  }

  endTags(tags: readonly string[], how: Ending): Promise<boolean> {
    const unsettled = this.recovery.beginTags(tags, how);
    return this.#settle(
      () => this.#mark(tags, unsettled.how),
      unsettled,
      () => this.recovery.settleTags(tags, unsettled),
    );
  }

  endEverything(): Promise<boolean> {
    const unsettled = this.recovery.beginEverything();
    return this.#settle(
      () => this.#mark([''], 'invalidated'),
      unsettled,
      () => this.recovery.settleEverything(unsettled),
    );
  }

  stats(): Omit<TierStats, 'waived'> {
    const { calls, envelopes, recovery } = this;
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
      unsettled: recovery.size,
      replayed: this.replayed,
      gaps: this.gaps,
      disconnected: this.connected === false ? 1 : 0,
      coherenceLagMs: this.lagMs,
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#space.close();
  }

  async #judge(id: string, bytes: Uint8Array, remainingMs: number): Promise<Found<T>> {
    const opened = await this.envelopes.open(tierKey(id), bytes);
    // Also while it was opened, an invalidation may have begun here.
    if (this.recovery.holdsKey(id)) return UNAVAILABLE;
    if ((opened.state !== 'value' && opened.state !== 'expired') || remainingMs <= 0) {
      this.misses++;
      return ENDED;
    }
    const { value, tags, loadMs, position, freshForMs, staleForMs, state } = opened;
    if (this.recovery.holdsAnyTag(tags)) return UNAVAILABLE;
    const verdict = this.#marks.judge(position, tags);
    if (verdict.verdict === 'ended') {
      this.misses++;
      return ENDED;
    }
    const stillFreshMs = state === 'value' ? remainingMs - staleForMs : Math.min(0, remainingMs - staleForMs);
    const ageMs = Math.max(0, freshForMs - stillFreshMs);
    const endedMs =
      verdict.verdict === 'expired' ? Math.max(verdict.at - this.#settings.clock.monotonic(), -staleForMs) : Infinity;
    const left = Math.min(stillFreshMs, endedMs);
    if (left > 0) this.hits++;
    else this.staleHits++;
    return { state: 'value', value, tags, loadMs, ageMs, freshForMs: left, remainingMs };
  }

  async #sealed(id: string, raw: Uint8Array, facts: StoredFacts): Promise<{ entry: Uint8Array; ttlMs: number }> {
    const freshForMs = Math.min(facts.freshForMs, LONGEST_MS);
    const staleForMs = Math.min(facts.staleForMs, LONGEST_MS);
    const lived = { ...facts, key: tierKey(id), validator: '', freshForMs, staleForMs };
    const entry = await this.envelopes.seal(raw, lived);
    return { entry, ttlMs: Math.max(1, freshForMs + staleForMs) };
  }

  async #endKeys(ids: readonly string[], how: Ending): Promise<void> {
    if (how === 'invalidated') return this.#space.remove(ids);
    const staleForMs = Math.min(longestStaleMs(this.#settings), LONGEST_MS);
    return this.#space.expire(ids, newHead('expired'), staleForMs);
  }

  async #mark(tags: readonly string[], how: Ending): Promise<void> {
    this.#learn(await this.#space.mark(tags, how));
  }

  #learn(marks: TierMarks): void {
    this.#marks.learn(marks, this.#settings.clock.monotonic());
  }

  async #settle(call: () => Promise<void>, unsettled: Unsettled, settled: () => void): Promise<boolean> {
    try {
      await this.calls.run(call);
      settled();
      return true;
    } catch {
      unsettled.failed = true;
      this.#armReplay();
      return false;
    }
  }

  /** Whether marks are known as far as they must be; asks for them when they are not. */
  #marksKnown(): Promise<boolean> | boolean {
    const now = this.#settings.clock.monotonic();
    const old = this.#space.connected === true ? Infinity : ASK_MARKS_EVERY_MS;
    if (now - this.#marksAt < old) return true;
    this.#marksAsked ??= this.calls
      .run(() => this.#space.marks())
      .then(
        (marks) => {
          this.#learn(marks);
          this.#marksAt = now;
          this.#marksAsked = undefined;
          return true;
        },
        () => {
          this.#marksAsked = undefined;
          return false;
        },
      );
    return this.#marksAsked;
  }

  #hear(change: TierChange): void {
    if (this.#closed) return;
    if (change.kind === 'marks') this.#learn(change.marks);
    else if (change.kind === 'gap') {
      this.gaps++;
      this.#marksAt = -Infinity;
      this.#marksAsked = undefined;
    } else if (change.kind === 'connected') {
      // Marks that were made before the others were heard are not known.
      this.#marksAt = -Infinity;
      void this.#replay();
    }
    this.#onChange(change);
  }

  #giveBackUnused(id: string, lease: Uint8Array | undefined, read: TierRead): void {
    if (read.kind === 'absent' && read.leased) this.giveBack(id, lease);
  }

  #inBackground(call: () => Promise<unknown>): void {
    this.calls.run(call).catch(() => {
      // A lease that is not given back ends by itself.
    });
  }

  #armReplay(): void {
    if (this.#replayArmed || this.#closed) return;
    this.#replayArmed = true;
    const timer = this.#settings.clock.setTimer(() => {
      this.#replayArmed = false;
      void this.#replay();
    }, REPLAY_AFTER_MS);
    timer.unref?.();
  }

  /** Does again what failed, the strongest first; also here, since others may have changed the same meanwhile. */
  async #replay(): Promise<void> {
    if (this.#closed || !this.recovery.hasFailed) return;
    const { recovery } = this;
    if (recovery.everything) {
      if (!(await this.endEverything())) return;
      this.replayed++;
    }
    for (const how of ['invalidated', 'expired'] as const) {
      for (;;) {
        const tags = recovery.failedTags(how, MOST_REPLAYED);
        if (tags.length === 0) break;
        if (!(await this.endTags(tags, how))) return;
        this.replayed += tags.length;
      }
      for (;;) {
        const keys = recovery.failedKeys(how, MOST_REPLAYED);
        if (keys.length === 0) break;
        if (!(await this.endKeys(keys, how))) return;
        this.replayed += keys.length;
        this.#onChange({ kind: 'keys', how, keys });
      }
    }
  }
}
