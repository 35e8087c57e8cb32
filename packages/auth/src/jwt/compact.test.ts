import { describe, expect, it } from 'vitest';
import { HeaderCache, parseCompactJwt } from './compact.ts';

const part = (text: string) => Buffer.from(text).toString('base64url');
const tokenOf = (header: object) => `${part(JSON.stringify(header))}.${part('{"iss":"i"}')}.AAAA`;

describe('the cache of parsed headers', () => {
  it('returns the frozen header of a verified token, and nothing before it was added', () => {
    const cache = new HeaderCache();
    const token = tokenOf({ alg: 'ES256', kid: 'a' });
    const first = parseCompactJwt(token, cache);
    expect(parseCompactJwt(token, cache).header).not.toBe(first.header);
    cache.add(first);
    const again = parseCompactJwt(token, cache);
    expect(again.header).toBe(first.header);
    expect(Object.isFrozen(again.header)).toBe(true);
    expect(parseCompactJwt(tokenOf({ alg: 'ES256', kid: 'b' }), cache).header['kid']).toBe('b');
  });

  it('is cleared when a 65th header is added', () => {
    const cache = new HeaderCache();
    const tokens = Array.from({ length: 65 }, (_, n) => parseCompactJwt(tokenOf({ kid: `${n}` })));
    for (const token of tokens) cache.add(token);
    expect(tokens.filter(({ encodedHeader }) => cache.get(encodedHeader) !== undefined)).toEqual([tokens[64]]);
  });
});
