import { describe, expect, it } from 'vitest';
import { orderOf } from '../src/rounds.ts';

describe('orderOf', () => {
  it.each([2, 3, 5, 10])('gives each of %i contenders every place equally often', (count) => {
    const contenders = Array.from({ length: count }, (_, i) => i);
    const turns = Array.from({ length: count }, (_, turn) => orderOf(turn, contenders));
    for (const place of contenders) {
      expect(turns.map((order) => order[place] as number).sort((a, b) => a - b)).toEqual(contenders);
    }
  });

  it.each([3, 5, 10])('lets none of %i contenders follow itself', (count) => {
    const contenders = Array.from({ length: count }, (_, i) => i);
    const sequence = Array.from({ length: 40 }, (_, turn) => orderOf(turn, contenders)).flat();
    expect(sequence.filter((one, i) => one === sequence[i + 1])).toEqual([]);
  });

  it('lets each of two contenders follow itself equally often', () => {
    const sequence = Array.from({ length: 41 }, (_, turn) => orderOf(turn, ['a', 'b'])).flat();
    const repeated = sequence.filter((one, i) => one === sequence[i + 1]);
    expect(repeated.sort().join('')).toBe('a'.repeat(20) + 'b'.repeat(20));
  });
});
