import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countMembers } from './strict-json.ts';

function memberCount(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce<number>((sum, item) => sum + memberCount(item), own);
}

describe('countMembers', () => {
  it('counts the members of nested objects, whatever their names and strings contain', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true }), (value) => {
        expect(countMembers(JSON.stringify(value))).toBe(memberCount(value));
        expect(countMembers(JSON.stringify(value, null, 2))).toBe(memberCount(value));
      }),
      { numRuns: 300, seed: 2 },
    );
  });
});
