import type { Clock } from '@macadam/core';
import type {
  Ending,
  Lease,
  TierSpaceOptions,
  Tier,
  TierChange,
  TierMark,
  TierMarks,
  TierRead,
  TierSpace,
} from './tier.ts';

/** Options of `memoryTier`. */
export interface MemoryTierOptions {
  /** How long each operation takes, in milliseconds, at least 0. Default: 0. */
  latencyMs?: number;
  /** How long a change takes to reach other instances, in milliseconds, at least 0. Default: 0. */
  lagMs?: number;
}

/**
 * Creates a tier in the memory of this process, shared by all caches that use it. For tests of several instances
 * without a server, also in virtual time. Entries are removed only by their time to live; the number of entries has no
 * limit.
 *
 * @example
 * ```ts
 * import { createCache } from '@macadam/cache';
 * import { memoryTier } from '@macadam/cache/testing';
 *
 * const l2 = memoryTier();
 * const [one, other] = [1, 2].map(() => createCache<string>({ name: 'users', l2 }));
 * await one?.set('1', 'Ann');
 * if ((await other?.get('1')) !== 'Ann') throw new Error('both share the tier');
 * await Promise.all([one?.close(), other?.close()]);
 * ```
 */
export function memoryTier({ latencyMs = 0, lagMs = 0 }: MemoryTierOptions = {}): Tier {
  const shelves = new Map<string, MemoryShelf>();
  return {
    kind: 'memory',
    softTimeoutMs: 100,
    timeoutMs: 250,
    circuitBreaker: {},
    describe: () => 'the memory of this process, shared by its caches',
    open(options) {
      const shelf = shelves.get(options.namespace) ?? new MemoryShelf();
      shelves.set(options.namespace, shelf);
      return new MemorySpace(shelf, options, latencyMs, lagMs);
    },
  };
}

interface Stored {
  readonly entry: Uint8Array;
  readonly until: number;
}

/** The entries of one name. */
class MemoryShelf {
  readonly entries = new Map<string, Stored>();
  readonly leases = new Map<string, { readonly lease: Lease; readonly until: number }>();
  readonly marks = new Map<string, TierMark>();
  readonly spaces = new Set<MemorySpace>();
  position = 0;
  leased = 0;
}

class MemorySpace implements TierSpace {
  readonly #shelf: MemoryShelf;
  readonly #options: TierSpaceOptions;
  readonly #clock: Clock;
  readonly #latencyMs: number;
  readonly lagMs: number;
  readonly mostReads: number = 64;
  readonly connected: boolean | undefined;

  constructor(shelf: MemoryShelf, options: TierSpaceOptions, latencyMs: number, lagMs: number) {
    this.#shelf = shelf;
    this.#options = options;
    this.#clock = options.clock;
    this.#latencyMs = latencyMs;
    this.lagMs = lagMs;
    this.connected = options.coherence === 'none' ? undefined : true;
    shelf.spaces.add(this);
  }

  async read(keys: readonly string[], wantsLeases: boolean = false): Promise<readonly TierRead[]> {
    await this.#passes();
    return keys.map((key) => {
      const stored = this.#stored(key);
      if (stored === undefined) return { kind: 'absent', lease: wantsLeases ? this.#lease(key, false) : undefined };
      const remainingMs = stored.until - this.#clock.monotonic();
      return { kind: 'value', entry: stored.entry.slice(), remainingMs };
    });
  }

  async lease(key: string, always: boolean): Promise<Lease | undefined> {
    await this.#passes();
    return this.#lease(key, always);
  }

  async release(key: string, lease: Lease): Promise<void> {
    await this.#passes();
    if (this.#holds(key, lease)) this.#shelf.leases.delete(key);
  }

  async fill(key: string, lease: Lease, entry: Uint8Array, ttlMs: number): Promise<boolean> {
    await this.#passes();
    if (!this.#holds(key, lease)) return false;
    this.#store(key, entry, ttlMs);
    return true;
  }

  async write(key: string, entry: Uint8Array, ttlMs: number): Promise<void> {
    await this.#passes();
    this.#store(key, entry, ttlMs);
    this.#tell({ kind: 'keys', how: 'invalidated', keys: [key] });
  }

  async remove(keys: readonly string[]): Promise<void> {
    await this.#passes();
    for (const key of keys) {
      this.#shelf.entries.delete(key);
      this.#shelf.leases.delete(key);
    }
    this.#tell({ kind: 'keys', how: 'invalidated', keys });
  }

  async expire(keys: readonly string[], head: Uint8Array, staleForMs: number): Promise<void> {
    await this.#passes();
    for (const key of keys) {
      this.#shelf.leases.delete(key);
      const stored = this.#stored(key);
      if (stored === undefined) continue;
      const entry = stored.entry.slice();
      entry.set(head);
      this.#shelf.entries.set(key, { entry, until: Math.min(stored.until, this.#clock.monotonic() + staleForMs) });
    }
    this.#tell({ kind: 'keys', how: 'expired', keys });
  }

  async mark(tags: readonly string[], how: Ending): Promise<TierMarks> {
    await this.#passes();
    const position = ++this.#shelf.position;
    const marks = tags.map((tag) => ({ tag, how, position }));
    for (const mark of marks) this.#shelf.marks.set(`${how} ${mark.tag}`, mark);
    const made = { epoch: 'memory', position, floor: 0, marks };
    this.#tell({ kind: 'marks', marks: made });
    return made;
  }

  async marks(): Promise<TierMarks> {
    await this.#passes();
    const { position, marks } = this.#shelf;
    return { epoch: 'memory', position, floor: 0, marks: [...marks.values()] };
  }

  async close(): Promise<void> {
    this.#shelf.spaces.delete(this);
  }

  async #passes(): Promise<void> {
    if (this.#latencyMs > 0) await this.#clock.sleep(this.#latencyMs);
  }

  #stored(key: string): Stored | undefined {
    const stored = this.#shelf.entries.get(key);
    if (stored === undefined || this.#clock.monotonic() < stored.until) return stored;
    this.#shelf.entries.delete(key);
    return undefined;
  }

  #store(key: string, entry: Uint8Array, ttlMs: number): void {
    this.#shelf.entries.set(key, { entry: entry.slice(), until: this.#clock.monotonic() + ttlMs });
    this.#shelf.leases.delete(key);
  }

  #lease(key: string, always: boolean): Lease | undefined {
    const now = this.#clock.monotonic();
    const held = this.#shelf.leases.get(key);
    if (!always && held !== undefined && now < held.until) return undefined;
    const lease = `lease ${++this.#shelf.leased}`;
    this.#shelf.leases.set(key, { lease, until: now + this.#options.leaseMs });
    return lease;
  }

  #holds(key: string, lease: Lease): boolean {
    const held = this.#shelf.leases.get(key);
    return held !== undefined && this.#clock.monotonic() < held.until && held.lease === lease;
  }

  #tell(change: TierChange): void {
    for (const space of this.#shelf.spaces) {
      if (space === this || space.#options.coherence === 'none') continue;
      if (this.lagMs === 0) space.#options.onChange(change);
      else this.#clock.setTimer(() => space.#options.onChange(change), this.lagMs);
    }
  }
}
