import { identityOf, type Limit } from '../algorithms/limit.ts';
import { detachedCopy } from '../key.ts';
import { CellStates } from './cell-states.ts';
import { ListStates } from './list-states.ts';
import { RowStates } from './row-states.ts';
import { nextCapacity, type SlotStates } from './slot-states.ts';

/** Slots checked to make room for one key. Bounds the longest pause. */
const SWEEP_WHEN_FULL = 16;
/** Slots checked for each new key, so that expired keys are found without a timer. */
const SWEEP_PER_NEW_KEY = 2;
/** Slots that new keys share when there is no room and no key can be evicted. */
const OVERFLOW_SLOTS = 256;
const INITIAL_CAPACITY = 64;

/**
 * Maps at most `maxKeys` keys to slots, which hold their states under each limit.
 *
 * A slot whose states have all expired equals that of an unused key and is freed. A clock hand moves over the slots, a few
 * at a time, to find them. If it finds none in a full table, a key with at least half of every limit left is evicted. A
 * key with less left never is: otherwise a limited client could reset its own key by sending enough other keys. If no key
 * can be evicted, the new key shares one of 256 overflow slots with others.
 */
export class KeySlots {
  /** In the order of the limits. */
  readonly states: readonly SlotStates[];
  readonly #maxKeys: number;
  readonly #slots = new Map<string, number>();
  /** The key in each slot; undefined in a free one. */
  readonly #keys: (string | undefined)[] = [];
  readonly #freeSlots: number[] = [];
  #capacity: number;
  #hand = 0;
  evictions = 0;
  overflows = 0;

  constructor(limits: readonly Limit[], maxKeys: number) {
    this.#maxKeys = maxKeys;
    this.#capacity = Math.min(INITIAL_CAPACITY, maxKeys);
    this.states = limits.map((limit) => statesOf(limit, this.#capacity + OVERFLOW_SLOTS));
  }

  get size(): number {
    return this.#slots.size;
  }

  /** Returns the slot of the key, or -1 if it has none. */
  find(key: string, now: number): number {
    const slot = this.#slots.get(key);
    if (slot !== undefined) return slot;
    // While the table is full, the key may have been counted in an overflow slot.
    return this.overflows > 0 && this.#slots.size >= this.#maxKeys ? this.#liveOverflow(key, now) : -1;
  }

  /** Returns the slot of the key, and assigns one if it has none. */
  claim(key: string, now: number): number {
    return this.#slots.get(key) ?? this.#assign(key, now);
  }

  delete(key: string): void {
    const slot = this.#slots.get(key);
    if (slot !== undefined) this.#free(slot, key);
  }

  /** Copies the states of the key. Returns a function that restores them. */
  checkpoint(key: string, now: number): () => void {
    const slot = this.claim(key, now);
    const copies = this.states.map((states) => states.copy(slot));
    return () => {
      // The key was evicted meanwhile.
      if (this.find(key, now) !== slot) return;
      this.states.forEach((states, i) => states.restore(slot, copies[i] as readonly number[]));
    };
  }

  /** Returns the same keys under other limits. A limit with the kind and identity of an old one inherits its states. */
  withLimits(limits: readonly Limit[], now: number): KeySlots {
    const migrated = new KeySlots(limits, this.#maxKeys);
    const old = this.states.map((states, i) => ({ states, identity: identityOf(states.limit, i) }));
    const pairs = migrated.states.flatMap((states, i) => {
      const identity = identityOf(states.limit, i);
      const match = old.find((one) => one.identity === identity && one.states.limit.kind === states.limit.kind);
      return match === undefined ? [] : [{ states, from: match.states }];
    });
    const migrate = (slot: number, to: number): void => {
      for (const { states, from } of pairs) states.inherit(to, from, slot, now);
    };
    for (const [key, slot] of this.#slots) migrate(slot, migrated.claim(key, now));
    if (this.overflows > 0 && migrated.#capacity === this.#maxKeys) {
      for (let slot = this.#maxKeys; slot < this.#maxKeys + OVERFLOW_SLOTS; slot++) migrate(slot, slot);
    }
    migrated.evictions = this.evictions;
    migrated.overflows = this.overflows;
    return migrated;
  }

  #assign(key: string, now: number): number {
    this.#sweep(SWEEP_PER_NEW_KEY, now);
    const slot = this.#freeSlots.pop() ?? this.#makeRoom(now);
    if (slot === undefined) {
      this.overflows++;
      return this.#overflowSlot(key);
    }
    const stored = detachedCopy(key);
    this.#keys[slot] = stored;
    this.#slots.set(stored, slot);
    return slot;
  }

  /** Returns a slot that was never used, or one that was freed; undefined if there is none. */
  #makeRoom(now: number): number | undefined {
    if (this.#keys.length < this.#maxKeys) {
      if (this.#keys.length === this.#capacity) this.#grow();
      return this.#keys.push(undefined) - 1;
    }
    return this.#sweep(SWEEP_WHEN_FULL, now) ? this.#freeSlots.pop() : this.#evict(now);
  }

  /** Moves the hand over `count` slots, and frees those that have expired. Returns whether there were any. */
  #sweep(count: number, now: number): boolean {
    let found = false;
    for (let i = Math.min(count, this.#keys.length); i > 0; i--) {
      this.#hand = this.#hand + 1 >= this.#keys.length ? 0 : this.#hand + 1;
      const key = this.#keys[this.#hand];
      if (key === undefined || !this.#isExpired(this.#hand, now)) continue;
      this.#free(this.#hand, key);
      found = true;
    }
    return found;
  }

  /** Evicts, of the slots that the hand has just passed, the one with the most left, if that is at least half. */
  #evict(now: number): number | undefined {
    let victim: number | undefined;
    let mostLeft = 0.5;
    for (let i = 0; i < Math.min(SWEEP_WHEN_FULL, this.#keys.length); i++) {
      const slot = (this.#hand - i + this.#keys.length) % this.#keys.length;
      const left = this.#ratioLeft(slot, now);
      if (left < mostLeft) continue;
      victim = slot;
      mostLeft = left;
    }
    if (victim === undefined) return undefined;
    this.evictions++;
    this.#free(victim, this.#keys[victim] as string);
    return this.#freeSlots.pop();
  }

  /** The lowest ratio of the capacity that is left under any limit. */
  #ratioLeft(slot: number, now: number): number {
    let least = 1;
    for (const states of this.states) {
      const { allowed, remaining } = states.look(slot, now, 0);
      least = Math.min(least, allowed ? remaining / states.limit.capacity : 0);
    }
    return least;
  }

  #isExpired(slot: number, now: number): boolean {
    for (const states of this.states) if (states.expiresAt(slot) > now) return false;
    return true;
  }

  #free(slot: number, key: string): void {
    this.#slots.delete(key);
    this.#keys[slot] = undefined;
    this.#freeSlots.push(slot);
    for (const states of this.states) states.clear(slot);
  }

  #grow(): void {
    this.#capacity = Math.min(nextCapacity(this.#capacity), this.#maxKeys);
    // Overflow slots come last. They are used only once the table has its full size, so they are still empty here.
    for (const states of this.states) states.grow(this.#capacity + OVERFLOW_SLOTS);
  }

  #liveOverflow(key: string, now: number): number {
    const slot = this.#overflowSlot(key);
    return this.#isExpired(slot, now) ? -1 : slot;
  }

  #overflowSlot(key: string): number {
    let hash = 0x811c9dc5;
    for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
    return this.#maxKeys + ((hash >>> 0) % OVERFLOW_SLOTS);
  }
}

function statesOf(limit: Limit, slots: number): SlotStates {
  if (limit.width === 0) return new ListStates(limit, slots);
  return limit.kind === 'slidingWindow' ? new CellStates(limit, slots) : new RowStates(limit, slots);
}
