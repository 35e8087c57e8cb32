import { describe, expect, it } from 'vitest';
import { fixedWindow, slidingLog, tokenBucket } from '../index.ts';
import { KeySlots } from './key-slots.ts';
import type { SlotStates } from './slot-states.ts';

const limit = tokenBucket({ limit: 10, periodMs: 1_000 });

function take(slots: KeySlots, key: string, now: number, cost: number): boolean {
  const slot = slots.claim(key, now);
  const states = slots.states[0] as SlotStates;
  const { allowed } = states.look(slot, now, cost);
  if (allowed) states.commit(slot, now, cost, 0);
  return allowed;
}

describe('KeySlots', () => {
  it('bottleneck #115: frees expired keys while new ones arrive', () => {
    const slots = new KeySlots([limit], 100_000);
    for (let i = 0; i < 50_000; i++) take(slots, `key ${i}`, i, 1);
    // Each key lives for 100 ms, in which 100 others come.
    expect(slots.size).toBeLessThan(1_000);
  });

  it('fastify-rate-limit: a flood of new keys does not evict a key over its limit', () => {
    const slots = new KeySlots([limit], 100);
    take(slots, 'flooder', 0, 10);
    for (let i = 0; i < 10_000; i++) take(slots, `flood ${i}`, 1, 1);
    expect(take(slots, 'flooder', 2, 1)).toBe(false);
    expect(slots.size).toBe(100);
    expect(slots.evictions).toBeGreaterThan(9_000);
  });

  it('when no key can be evicted, new keys share a few slots instead of being unlimited', () => {
    const slots = new KeySlots([limit], 10);
    for (let i = 0; i < 10; i++) take(slots, `heavy ${i}`, 0, 10);
    let allowed = 0;
    for (let i = 0; i < 10_000; i++) if (take(slots, `new ${i}`, 0, 1)) allowed++;
    expect(allowed).toBeLessThanOrEqual(256 * 10);
    expect(slots.overflows).toBe(10_000);
    for (let i = 0; i < 10; i++) expect(take(slots, `heavy ${i}`, 0, 1), `heavy ${i}`).toBe(false);
  });

  it('a key in a shared slot gets its own when there is room again', () => {
    const slots = new KeySlots([limit], 2);
    take(slots, 'a', 0, 10);
    take(slots, 'b', 0, 10);
    take(slots, 'c', 0, 10);
    expect(slots.find('c', 0)).toBeGreaterThanOrEqual(2);
    expect(take(slots, 'c', 1_001, 10)).toBe(true);
    expect(slots.find('c', 1_001)).toBeLessThan(2);
  });

  it.each([
    ['numbers in rows', fixedWindow({ limit: 2, periodMs: 1_000 })],
    ['lists', slidingLog({ limit: 2, periodMs: 1_000 })],
  ])('a reused slot has no state of its previous key: %s', (_, rule) => {
    const slots = new KeySlots([rule], 1_000);
    take(slots, 'a', 0, 2);
    slots.delete('a');
    expect(take(slots, 'b', 1, 2)).toBe(true);
    expect(take(slots, 'a', 1, 2)).toBe(true);
    expect(slots.size).toBe(2);
  });

  it('keeps its keys when it grows', () => {
    const slots = new KeySlots([limit], 100_000);
    for (let i = 0; i < 5_000; i++) take(slots, `key ${i}`, 0, 10);
    for (let i = 0; i < 5_000; i++) expect(take(slots, `key ${i}`, 0, 1)).toBe(false);
    expect(slots.size).toBe(5_000);
  });
});
