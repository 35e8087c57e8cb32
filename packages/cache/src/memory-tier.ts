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
  const namespaces = new Map<string, NamespaceState>();
  return {
    kind: 'memory',
    softTimeoutMs: 100,
    timeoutMs: 250,
    circuitBreaker: {},
    describe: () => 'the memory of this process, shared by its caches',
    open(options) {
      const state = namespaces.get(options.namespace) ?? new NamespaceState();
      namespaces.set(options.namespace, state);
      return new MemorySpace(state, options, latencyMs, lagMs);
    },
  };
}

interface Stored {
  readonly entry: Uint8Array;
  readonly until: number;
}

/** What all spaces of one namespace share. */
class NamespaceState {
  readonly entries = new Map<string, Stored>();
  readonly leases = new Map<string, { readonly lease: Lease; readonly until: number }>();
  readonly marks = new Map<string, TierMark>();
  readonly spaces = new Set<MemorySpace>();
  position = 0;
  leaseCount = 0;
}

class MemorySpace implements TierSpace {
  readonly #state: NamespaceState;
  readonly #options: TierSpaceOptions;
  readonly #clock: Clock;
  readonly #latencyMs: number;
  readonly lagMs: number;
  readonly mostReads: number = 64;
  readonly connected: boolean | undefined;

  constructor(state: NamespaceState, options: TierSpaceOptions, latencyMs: number, lagMs: number) {
    this.#state = state;
    this.#options = options;
    this.#clock = options.clock;
    this.#latencyMs = latencyMs;
    this.lagMs = lagMs;
    this.connected = options.coherence === 'none' ? undefined : true;
    state.spaces.add(this);
  }

  async read(keys: readonly string[], wantsLeases: boolean = false): Promise<readonly TierRead[]> {
    await this.#roundTrip();
    return keys.map((key) => {
      const stored = this.#stored(key);
      if (stored === undefined) return { kind: 'absent', lease: wantsLeases ? this.#lease(key, false) : undefined };
      const remainingMs = stored.until - this.#clock.monotonic();
      return { kind: 'value', entry: stored.entry.slice(), remainingMs };
    });
  }

  async lease(key: string, always: boolean): Promise<Lease | undefined> {
    await this.#roundTrip();
    return this.#lease(key, always);
  }

  async release(key: string, lease: Lease): Promise<void> {
    await this.#roundTrip();
    if (this.#isHeld(key, lease)) this.#state.leases.delete(key);
  }

  async fill(key: string, lease: Lease, entry: Uint8Array, ttlMs: number): Promise<boolean> {
    await this.#roundTrip();
    if (!this.#isHeld(key, lease)) return false;
    this.#store(key, entry, ttlMs);
    return true;
  }

  async write(key: string, entry: Uint8Array, ttlMs: number): Promise<boolean> {
    await this.#roundTrip();
    this.#store(key, entry, ttlMs);
    this.#notifyOthers({ kind: 'keys', how: 'invalidated', keys: [key] });
    return true;
  }

  async remove(keys: readonly string[]): Promise<void> {
    await this.#roundTrip();
    for (const key of keys) {
      this.#state.entries.delete(key);
      this.#state.leases.delete(key);
    }
    this.#notifyOthers({ kind: 'keys', how: 'invalidated', keys });
  }

  async expire(keys: readonly string[], head: Uint8Array, staleForMs: number): Promise<void> {
    await this.#roundTrip();
    for (const key of keys) {
      this.#state.leases.delete(key);
      const stored = this.#stored(key);
      if (stored === undefined) continue;
      const entry = stored.entry.slice();
      entry.set(head);
      this.#state.entries.set(key, { entry, until: Math.min(stored.until, this.#clock.monotonic() + staleForMs) });
    }
    this.#notifyOthers({ kind: 'keys', how: 'expired', keys });
  }

  async mark(tags: readonly string[], how: Ending): Promise<TierMarks> {
    await this.#roundTrip();
    const position = ++this.#state.position;
    const marks = tags.map((tag) => ({ tag, how, position }));
    for (const mark of marks) this.#state.marks.set(`${how} ${mark.tag}`, mark);
    const made = { epoch: 'memory', position, floor: 0, marks };
    this.#notifyOthers({ kind: 'marks', marks: made });
    return made;
  }

  async marks(): Promise<TierMarks> {
    await this.#roundTrip();
    const { position, marks } = this.#state;
    return { epoch: 'memory', position, floor: 0, marks: [...marks.values()] };
  }

  async close(): Promise<void> {
    this.#state.spaces.delete(this);
  }

  async #roundTrip(): Promise<void> {
    if (this.#latencyMs > 0) await this.#clock.sleep(this.#latencyMs);
  }

  #stored(key: string): Stored | undefined {
    const stored = this.#state.entries.get(key);
    if (stored === undefined || this.#clock.monotonic() < stored.until) return stored;
    this.#state.entries.delete(key);
    return undefined;
  }

  #store(key: string, entry: Uint8Array, ttlMs: number): void {
    this.#state.entries.set(key, { entry: entry.slice(), until: this.#clock.monotonic() + ttlMs });
    this.#state.leases.delete(key);
  }

  #lease(key: string, always: boolean): Lease | undefined {
    const now = this.#clock.monotonic();
    const held = this.#state.leases.get(key);
    if (!always && held !== undefined && now < held.until) return undefined;
    const lease = `lease ${++this.#state.leaseCount}`;
    this.#state.leases.set(key, { lease, until: now + this.#options.leaseMs });
    return lease;
  }

  #isHeld(key: string, lease: Lease): boolean {
    const held = this.#state.leases.get(key);
    return held !== undefined && this.#clock.monotonic() < held.until && held.lease === lease;
  }

  #notifyOthers(change: TierChange): void {
    for (const space of this.#state.spaces) {
      if (space === this || space.#options.coherence === 'none') continue;
      if (this.lagMs === 0) space.#options.onChange(change);
      else this.#clock.setTimer(() => space.#options.onChange(change), this.lagMs);
    }
  }
}
