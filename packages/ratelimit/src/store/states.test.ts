import { seededRandom } from '@macadam/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concurrency, slidingLog, slidingWindow, type Limit } from '../index.ts';
import { CellStates } from './cell-states.ts';
import { ListStates } from './list-states.ts';
import type { SlotStates } from './slot-states.ts';

const SLOTS = 8;

/** What is done to one slot; the model of it is an array of its own for each. */
const step = fc.record({
  slot: fc.nat(SLOTS - 1),
  what: fc.constantFrom('commit', 'commit', 'commit', 'refund', 'clear', 'copy', 'grow'),
  cost: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.constantFrom(0.1, 0.5, 70_000, 20_000_000.5)),
  afterMs: fc.nat(400),
});

const kinds: [string, Limit, (limit: Limit) => SlotStates][] = [
  ['cells', slidingWindow({ limit: 1e9, periodMs: 1_000 }), (limit) => new CellStates(limit, SLOTS)],
  ['a log', slidingLog({ limit: 1_000, periodMs: 1_000 }), (limit) => new ListStates(limit, SLOTS)],
  ['permits', concurrency({ limit: 1_000, permitTtlMs: 1_000 }), (limit) => new ListStates(limit, SLOTS)],
];

describe('SlotStates', () => {
  it.each(kinds)('equal the states in a plain array per key, to the last bit: %s', (_, limit, make) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const states = make(limit);
        const model = Array.from({ length: SLOTS }, () => new Array<number>(limit.width).fill(0));
        let now = 0;
        let slots = SLOTS;
        for (const [i, { slot, what, cost, afterMs }] of steps.entries()) {
          now += afterMs;
          const expected = model[slot] as number[];
          if (what === 'commit') {
            states.commit(slot, now, cost, i + 1);
            limit.commit(expected, 0, now, cost, i + 1);
          } else if (what === 'refund' && limit.kind !== 'concurrency') {
            states.charge(slot, now, -cost, undefined);
            limit.charge(expected, 0, now, -cost, undefined);
          } else if (what === 'clear') {
            states.clear(slot);
            expected.splice(0, Infinity, ...new Array<number>(limit.width).fill(0));
          } else if (what === 'copy') {
            const from = (slot + 1) % SLOTS;
            states.restore(slot, states.copy(from));
            expected.splice(0, Infinity, ...(model[from] as number[]));
          } else if (what === 'grow') states.grow((slots += 3));
          for (let other = 0; other < SLOTS; other++) expect(states.copy(other)).toEqual(model[other]);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('ListStates reuses the memory of lists that grow and shrink', () => {
    const limit = slidingLog({ limit: 1_000, periodMs: 1_000 });
    const states = new ListStates(limit, 100);
    const random = seededRandom(5);
    let most = 0;
    for (let round = 0; round < 200; round++) {
      for (let slot = 0; slot < 100; slot++) {
        const length = 2 * Math.floor(random() * 20);
        states.restore(slot, new Array<number>(length).fill(round));
      }
      if (round === 20) most = states.bytes;
    }
    expect(states.bytes).toBeLessThan(most * 2);
    for (let slot = 0; slot < 100; slot++) expect(new Set(states.copy(slot)).size).toBeLessThanOrEqual(1);
  });
});
