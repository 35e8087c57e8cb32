import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HeaderMemory, membersIn, parseCompact } from './compact.ts';

const part = (text: string) => Buffer.from(text).toString('base64url');
const tokenOf = (header: object) => `${part(JSON.stringify(header))}.${part('{"iss":"i"}')}.AAAA`;

describe('a header that was read before', () => {
  it('is not read again, once its token was verified', () => {
    const memory = new HeaderMemory();
    const token = tokenOf({ alg: 'ES256', kid: 'a' });
    const first = parseCompact(token, memory);
    expect(parseCompact(token, memory).header).not.toBe(first.header);
    memory.keep(first);
    const again = parseCompact(token, memory);
    expect(again.header).toBe(first.header);
    expect(Object.isFrozen(again.header)).toBe(true);
    expect(parseCompact(tokenOf({ alg: 'ES256', kid: 'b' }), memory).header['kid']).toBe('b');
  });

  it('is forgotten when there are too many', () => {
    const memory = new HeaderMemory();
    const tokens = Array.from({ length: 65 }, (_, n) => parseCompact(tokenOf({ kid: `${n}` })));
    for (const token of tokens) memory.keep(token);
    expect(tokens.filter(({ encodedHeader }) => memory.get(encodedHeader) !== undefined)).toEqual([tokens[64]]);
  });
});

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
