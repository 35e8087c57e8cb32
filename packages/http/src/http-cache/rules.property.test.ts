import fc from 'fast-check';
import { expect, test } from 'vitest';
import { credentialsOf, matchesCredentials } from './credentials.ts';
import { MemoryHttpCacheStore } from './memory-store.ts';
import { decideReuse } from './reuse.ts';
import type { CacheMode, StoredResponse } from './stored-response.ts';
import { matchesSelectingFields, selectingFields } from './vary.ts';

const NOW = Date.UTC(2026, 0, 1);
const directive = fc.constantFrom(
  ...['max-age=0', 'max-age=10', 'max-age=100', 's-maxage=50', 'no-cache', 'must-revalidate', 'proxy-revalidate'],
  ...['stale-while-revalidate=30', 'stale-if-error=30', 'public', 'private', 'immutable', 'max-stale', 'min-fresh=5'],
);
const control = fc.array(directive, { maxLength: 5 }).map((all) => all.join(', '));
const mode = fc.constantFrom<CacheMode>('private', 'shared');

function stored(cacheControl: string, more: Partial<StoredResponse> = {}): StoredResponse {
  return {
    status: 200,
    headers: { 'cache-control': cacheControl, date: new Date(NOW).toUTCString() },
    body: new Uint8Array(),
    requestedAtMs: NOW,
    receivedAtMs: NOW,
    selecting: {},
    authorization: '',
    cookie: '',
    outdated: false,
    ...more,
  };
}

test('a response that must be revalidated is never served stale, whatever the request allows', () => {
  fc.assert(
    fc.property(control, control, mode, fc.nat(500), (responseControl, requestControl, kind, ageSeconds) => {
      const { action, allowsStaleIfError, allowsStaleIfUnreachable, freshForMs } = decideReuse(
        stored(responseControl),
        ['cache-control', requestControl],
        NOW + ageSeconds * 1_000,
        kind,
      );
      const forbidden =
        /must-revalidate|no-cache/.test(responseControl) ||
        (kind === 'shared' && /proxy-revalidate|s-maxage/.test(responseControl));
      if (forbidden && freshForMs <= 0)
        expect([action, allowsStaleIfError, allowsStaleIfUnreachable]).toEqual(['revalidate', false, false]);
      if (responseControl.includes('no-cache')) expect(action).toBe('revalidate');
    }),
  );
});

test('a response that must be revalidated remains so as it gets older', () => {
  fc.assert(
    fc.property(control, mode, fc.nat(300), fc.nat(300), (responseControl, kind, first, later) => {
      const decide = (seconds: number) => decideReuse(stored(responseControl), [], NOW + seconds * 1_000, kind).action;
      const order = ['serve', 'serve-while-revalidate', 'revalidate'];
      expect(order.indexOf(decide(first + later))).toBeGreaterThanOrEqual(order.indexOf(decide(first)));
    }),
  );
});

test('a private cache never serves a response to other credentials', () => {
  const token = fc.option(fc.string(), { nil: undefined });
  fc.assert(
    fc.property(token, token, token, token, control, (a, b, c, d, responseControl) => {
      const headers = (authorization?: string, cookie?: string): string[] => [
        ...(authorization === undefined ? [] : ['authorization', authorization]),
        ...(cookie === undefined ? [] : ['cookie', cookie]),
      ];
      const response = stored(responseControl, credentialsOf(headers(a, b)));
      if (!matchesCredentials(response, credentialsOf(headers(c, d)), 'private')) return;
      expect(a).toBe(c);
      if (b !== undefined) expect(b).toBe(d);
    }),
  );
});

test('different values of a selecting field never match (undici #5012)', () => {
  const value = fc.stringMatching(/^[a-z"\\]{0,6}$/);
  fc.assert(
    fc.property(value, value, value, value, (a, b, c, d) => {
      const headers = (x: string, y: string): string[] => ['x-a', x, 'x-b', y];
      const matches = matchesSelectingFields(
        { selecting: selectingFields(['x-a', 'x-b'], headers(a, b)), headers: {} },
        headers(c, d),
      );
      expect(matches).toBe(a === c && b === d);
    }),
  );
});

test('the memory store stays within its limits and returns what was last set', () => {
  const put = fc.record({ key: fc.integer({ min: 0, max: 9 }), size: fc.nat(2_000), deletes: fc.boolean() });
  fc.assert(
    fc.property(fc.array(put, { maxLength: 60 }), (steps) => {
      const store = new MemoryHttpCacheStore(5, 8_000);
      const last = new Map<string, readonly StoredResponse[]>();
      for (const { key, size, deletes } of steps) {
        const responses = [stored('max-age=1', { body: new Uint8Array(size) })];
        if (deletes) store.delete(`${key}`);
        else store.set(`${key}`, responses);
        last.set(`${key}`, deletes ? [] : responses);
        expect(store.size).toBeLessThanOrEqual(5);
        expect(store.bytes).toBeLessThanOrEqual(8_000);
        for (const [name, expected] of last) {
          const found = store.get(name);
          if (found !== undefined) expect(found).toBe(expected);
        }
      }
      for (const name of last.keys()) store.delete(name);
      expect([store.size, store.bytes]).toEqual([0, 0]);
    }),
  );
});
