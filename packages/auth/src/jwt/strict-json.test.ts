import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { membersIn } from './strict-json.ts';

function namesIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce<number>((sum, item) => sum + namesIn(item), own);
}

describe('members of an object', () => {
  it('are counted as they are written, whatever they hold', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true }), (value) => {
        expect(membersIn(JSON.stringify(value))).toBe(namesIn(value));
        expect(membersIn(JSON.stringify(value, null, 2))).toBe(namesIn(value));
      }),
      { numRuns: 300, seed: 2 },
    );
  });
});
