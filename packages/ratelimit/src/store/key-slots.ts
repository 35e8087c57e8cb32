import { identityOf, type Limit } from '../algorithms/limit.ts';
import { detachedCopy } from '../key.ts';
import { CellStates } from './cell-states.ts';
import { ListStates } from './list-states.ts';
import { RowStates } from './row-states.ts';
import { nextCapacity, type SlotStates } from './slot-states.ts';

/** Slots looked at to make room for one key: keeps the longest pause short. */
const SWEEP_WHEN_FULL = 16;
/** Slots looked at for each new key while there is room, so that dead ones are found without a timer. */
const SWEEP_PER_NEW_KEY = 2;
/** Counters that new keys share when every key kept is in heavy use. */
const OVERFLOW_SLOTS = 256;
const FIRST_CAPACITY = 64;

/**
 * Which slot a key has, and what is known about it under each limit, for at most `maxKeys` keys.
 *
 * Nothing is remembered about keys that are as good as new, so a slot is free again when all its limits have expired; a hand
 * goes round the slots as a clock's, a few at a time, and looks for such. When none is found, a key that has at least half
 * of everything left makes room. A key over its limit never does: otherwise, whoever is limited would only have to send
 * enough other keys to be let in again. When nobody makes room, the new key shares one of 256 overflow slots with others.
 */
export class KeySlots {
  /** For each limit, in the order of the limits. */
  readonly states: readonly SlotStates[];
  readonly #maxKeys: number;
  readonly #slots = new Map<string, number>();
  /** The key in each slot; undefined in a free one. */
  readonly #keys: (string | undefined)[] = [];
  readonly #free: number[] = [];
  #capacity: number;
  #hand = 0;
  evictions = 0;
  overflows = 0;

  constructor(limits: readonly Limit[], maxKeys: number) {
    this.#maxKeys = maxKeys;
    this.#capacity = Math.min(FIRST_CAPACITY, maxKeys);
    this.states = limits.map((limit) => statesOf(limit, this.#capacity + OVERFLOW_SLOTS));
  }

  get size(): number {
    return this.#slots.size;
  }

  /** The key's slot, or -1 when nothing is known about it. */
  find(key: string, now: number): number {
    const slot = this.#slots.get(key);
    if (slot !== undefined) return slot;
    // An overflow slot may know something, as long as there was no room for this key.
    return this.overflows > 0 && this.#slots.size >= this.#maxKeys ? this.#liveOverflow(key, now) : -1;
  }

  /** The key's slot, made when there is none. */
  claim(key: string, now: number): number {
    return this.#slots.get(key) ?? this.#make(key, now);
  }

  forget(key: string): void {
    const slot = this.#slots.get(key);
    if (slot !== undefined) this.#release(slot, key);
  }

  /** Remembers the key's states; the function that is returned brings them back. */
  checkpoint(key: string, now: number): () => void {
    const slot = this.claim(key, now);
    const copies = this.states.map((states) => states.copy(slot));
    return () => {
      // Whoever made room meanwhile is forgotten.
      if (this.find(key, now) !== slot) return;
      this.states.forEach((states, i) => states.restore(slot, copies[i] as readonly number[]));
    };
  }

  /** The same keys under other limits; each limit that has the place of an old one of its kind takes over its states. */
  under(limits: readonly Limit[], now: number): KeySlots {
    const moved = new KeySlots(limits, this.#maxKeys);
    const old = this.states.map((states, i) => ({ states, place: identityOf(states.limit, i) }));
    const heirs = moved.states.flatMap((states, i) => {
      const place = identityOf(states.limit, i);
      const one = old.find((other) => other.place === place && other.states.limit.kind === states.limit.kind);
      return one === undefined ? [] : [{ states, from: one.states }];
    });
    const move = (slot: number, to: number): void => {
      for (const { states, from } of heirs) states.inherit(to, from, slot, now);
    };
    for (const [key, slot] of this.#slots) move(slot, moved.claim(key, now));
    if (this.overflows > 0 && moved.#capacity === this.#maxKeys) {
      for (let slot = this.#maxKeys; slot < this.#maxKeys + OVERFLOW_SLOTS; slot++) move(slot, slot);
    }
    moved.evictions = this.evictions;
    moved.overflows = this.overflows;
    return moved;
  }

  #make(key: string, now: number): number {
    this.#sweep(SWEEP_PER_NEW_KEY, now);
    const slot = this.#free.pop() ?? this.#next(now);
    if (slot === undefined) {
      this.overflows++;
      return this.#overflowSlot(key);
    }
    const own = detachedCopy(key);
    this.#keys[slot] = own;
    this.#slots.set(own, slot);
    return slot;
  }

  #next(now: number): number | undefined {
    if (this.#keys.length < this.#maxKeys) {
      if (this.#keys.length === this.#capacity) this.#grow();
      // Before its key is known, the slot already counts.
      return this.#keys.push(undefined) - 1;
    }
    return this.#sweep(SWEEP_WHEN_FULL, now) ? this.#free.pop() : this.#evict(now);
  }

  /** Moves the hand over `count` slots and frees those that have expired. Whether there was one. */
  #sweep(count: number, now: number): boolean {
    let found = false;
    for (let i = Math.min(count, this.#keys.length); i > 0; i--) {
      this.#hand = this.#hand + 1 >= this.#keys.length ? 0 : this.#hand + 1;
      const key = this.#keys[this.#hand];
      if (key === undefined || !this.#isExpired(this.#hand, now)) continue;
      this.#release(this.#hand, key);
      found = true;
    }
    return found;
  }

  /** Among the slots just passed, the one with the most left makes room. */
  #evict(now: number): number | undefined {
    let victim: number | undefined;
    let most = 0.5;
    for (let i = 0; i < Math.min(SWEEP_WHEN_FULL, this.#keys.length); i++) {
      const slot = (this.#hand - i + this.#keys.length) % this.#keys.length;
      const left = this.#shareLeft(slot, now);
      if (left < most) continue;
      victim = slot;
      most = left;
    }
    if (victim === undefined) return undefined;
    this.evictions++;
    this.#release(victim, this.#keys[victim] as string);
    return this.#free.pop();
  }

  #shareLeft(slot: number, now: number): number {
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

  #release(slot: number, key: string): void {
    this.#slots.delete(key);
    this.#keys[slot] = undefined;
    this.#free.push(slot);
    for (const states of this.states) states.clear(slot);
  }

  #grow(): void {
    this.#capacity = Math.min(nextCapacity(this.#capacity), this.#maxKeys);
    // Overflow slots come last. They are in use only when there is nothing left to grow by.
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
