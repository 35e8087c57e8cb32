import { describe, expect, it } from 'vitest';
import { HeaderMemory, parseCompact } from './compact.ts';

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
