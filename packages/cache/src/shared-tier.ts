import type { TierStats } from './tier-stats.ts';
import { WatchedMarks } from './coherence/watched-marks.ts';
import { tierKey } from './key.ts';
import type { CacheSettings } from './options.ts';
import { Endings, LONGEST_MS, type Sealed } from './endings.ts';
import { ENDED, HELD, UNAVAILABLE, type Found, type Taken } from './found.ts';
import { Look, type Looking } from './look.ts';
import { TierCalls } from './tier-calls.ts';
import { UNLIMITED, type Stay } from './shelf.ts';
import { TierReads } from './tier-reads.ts';
import type { Lease, Tier, TierChange, TierSpace } from './tier.ts';
import { within } from './within.ts';
import { Envelopes, type EntryFacts, type Opened } from './wire/envelopes.ts';

/** What a load is stored with. */
export type StoredFacts = Omit<EntryFacts, 'key'>;

/** How long a lease stands beyond the time that a load has. */
const LEASE_MARGIN_MS = 500;
/** Where it is not heard what others change, values in memory cannot be told apart from outdated ones for long; see `Coherence`. */
const UNHEARD: Stay = { freshMs: 30_000, keptMs: 30_000 };
/** What was missed is caught up with, or shows as a gap: until then they may still serve as stale. */
export const DISCONNECTED: Stay = { freshMs: 5_000, keptMs: Infinity };

/**
 * The shared tier as one cache sees it: values in and out, judged by what was invalidated, within time limits. Nothing here
 * rejects: without the tier a cache is slower and knows less, and is still a cache.
 */
export class SharedTier<T> implements Looking<T> {
  readonly envelopes: Envelopes<T>;
  readonly calls: TierCalls;
  readonly endings: Endings;
  readonly tier: Tier;
  readonly #space: TierSpace;
  readonly #reads: TierReads<T>;
  readonly #settings: CacheSettings;
  readonly #marks: WatchedMarks;
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
    const heard = (change: TierChange): void => this.#hear(change);
    this.#space = tier.open({ namespace: name, coherence, leaseMs, clock, random, onChange: heard });
    this.#reads = new TierReads<T>(this.#space, this.calls);
    this.#marks = new WatchedMarks(this.#space, this.calls, clock);
    this.endings = new Endings({
      space: this.#space,
      calls: this.calls,
      settings,
      onMarks: (marks) => this.#marks.learn(marks),
      onReplayed: (keys, how) => onChange({ kind: 'keys', how, keys }),
    });
  }

  /** What a load that begins now is stamped with. */
  get stamp(): string {
    return this.#marks.stamp;
  }

  get connected(): boolean | undefined {
    return this.#space.connected;
  }

  get lagMs(): number {
    return this.#space.lagMs;
  }

  /** How long a value that is stored in memory now may stay there. */
  get stay(): Stay {
    const { connected } = this.#space;
    if (connected === undefined) return UNHEARD;
    return connected ? UNLIMITED : DISCONNECTED;
  }

  /**
   * Looks at a key, and takes its lease when there is nothing and it is wanted. Tells what it found in the turn in which the
   * answer comes.
   */
  look(id: string, wantsLease: boolean, timeoutMs: number, onFound: (found: Found<T>) => void): void {
    if (this.endings.recovery.holdsKey(id)) onFound(UNAVAILABLE);
    else this.#reads.add(new Look<T>(this, id, wantsLease, this.#marks.known(), onFound), timeoutMs);
  }

  /** Takes the lease of a key at which there is something; `always`, also from whoever has it. */
  async take(id: string, always: boolean): Promise<Taken> {
    if (this.endings.recovery.holdsKey(id) || !(await this.#marks.known())) return UNAVAILABLE;
    try {
      const giveBack = (late: Lease | undefined): void => this.giveBack(id, late);
      const lease = await this.calls.run(() => this.#space.lease(id, always), undefined, giveBack);
      return lease === undefined ? HELD : { state: 'leased', lease };
    } catch {
      return UNAVAILABLE;
    }
  }

  giveBack(id: string, lease: Lease | undefined): void {
    if (lease !== undefined) this.#inBackground(() => this.#space.release(id, lease));
  }

  /** Stores what was loaded under a lease; `refused` when the lease no longer stood. */
  async fill(id: string, lease: Lease, raw: Uint8Array, facts: StoredFacts): Promise<'failed' | 'filled' | 'refused'> {
    try {
      const { entry, ttlMs } = await this.#sealed(id, raw, facts);
      if (this.endings.recovery.holdsKey(id)) return 'refused';
      if (!(await this.calls.run(() => this.#space.fill(id, lease, entry, ttlMs)))) return 'refused';
      this.fills++;
      return 'filled';
    } catch {
      return 'failed';
    }
  }

  /** Puts a value in place, for all; see `Endings.write`. */
  write(id: string, raw: Uint8Array, facts: Omit<StoredFacts, 'position'>): Promise<boolean> {
    return this.endings.write(id, async () => {
      await this.#marks.known();
      return this.#sealed(id, raw, { ...facts, position: this.stamp });
    });
  }

  stats(): Omit<TierStats, 'waived'> {
    const { calls, envelopes, endings } = this;
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
      unsettled: endings.recovery.size,
      replayed: endings.replayed,
      gaps: this.gaps,
      disconnected: this.connected === false ? 1 : 0,
      coherenceLagMs: this.lagMs,
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.endings.close();
    await this.#space.close();
  }

  isUnsettled(id: string): boolean {
    return this.endings.recovery.holdsKey(id);
  }

  missed(): void {
    this.misses++;
  }

  judge(id: string, bytes: Uint8Array, remainingMs: number): Promise<Found<T>> | Found<T> {
    const opened = this.envelopes.open(tierKey(id), bytes);
    if (opened instanceof Promise) {
      // A schema may take its time, and need never come to a verdict.
      return within(this.#settings.clock, this.tier.timeoutMs, opened).then(
        (later) => this.#judgeOpened(id, later, remainingMs),
        () => UNAVAILABLE,
      );
    }
    return this.#judgeOpened(id, opened, remainingMs);
  }

  #judgeOpened(id: string, opened: Opened<T>, remainingMs: number): Found<T> {
    // Also while it was opened, an invalidation may have begun here.
    if (this.endings.recovery.holdsKey(id)) return UNAVAILABLE;
    if ((opened.state !== 'value' && opened.state !== 'expired') || remainingMs <= 0) {
      this.misses++;
      return ENDED;
    }
    const { value, tags, validator, loadMs, position, freshForMs, staleForMs, state } = opened;
    if (this.endings.recovery.holdsAnyTag(tags)) return UNAVAILABLE;
    const verdict = this.#marks.judge(position, tags);
    if (verdict.verdict === 'ended') {
      this.misses++;
      return ENDED;
    }
    // Whoever can write to the server can have it kept for longer, which makes it no younger.
    const leftMs = Math.min(remainingMs, freshForMs + staleForMs);
    const stillFreshMs = state === 'value' ? leftMs - staleForMs : Math.min(0, leftMs - staleForMs);
    const ageMs = Math.max(0, freshForMs - stillFreshMs);
    const endedMs = verdict.verdict === 'expired' ? verdict.at - this.#settings.clock.monotonic() : Infinity;
    const left = Math.min(stillFreshMs, Math.max(endedMs, -staleForMs));
    // It may be stale for as long as it was written to be, from its ending on; from now on when nobody knows of one.
    const servesMs = Math.min(leftMs, staleForMs + (endedMs === -Infinity ? 0 : left));
    if (servesMs <= 0) {
      this.misses++;
      return ENDED;
    }
    if (left > 0) this.hits++;
    else this.staleHits++;
    return { state: 'value', value, tags, validator, loadMs, ageMs, freshForMs: left, remainingMs: servesMs };
  }

  async #sealed(id: string, raw: Uint8Array, facts: StoredFacts): Promise<Sealed> {
    const freshForMs = Math.min(facts.freshForMs, LONGEST_MS);
    const staleForMs = Math.min(facts.staleForMs, LONGEST_MS);
    const lived = { ...facts, key: tierKey(id), freshForMs, staleForMs };
    const entry = await this.envelopes.seal(raw, lived);
    return { entry, ttlMs: Math.max(1, freshForMs + staleForMs) };
  }

  #hear(change: TierChange): void {
    if (this.#closed) return;
    if (change.kind === 'marks') this.#marks.hear(change.marks);
    else if (change.kind === 'gap') {
      this.gaps++;
      this.#marks.doubt();
    } else if (change.kind === 'connected') {
      // Marks that were made before the others were heard are not known.
      this.#marks.doubt();
      this.calls.admit();
      void this.endings.replay();
    }
    this.#onChange(change);
  }

  #inBackground(call: () => Promise<unknown>): void {
    this.calls.run(call).catch(() => {
      // A lease that is not given back ends by itself.
    });
  }
}
