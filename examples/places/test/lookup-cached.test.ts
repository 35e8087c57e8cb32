import { describe, expect, test, vi } from 'vitest';
import { cachedLookup } from '../src/lookup-cached.ts';
import { type Lookup, LookupError } from '../src/lookup.ts';

const bath = [{ name: 'Bath', country: 'GB', region: 'ENG', latitude: 51.38, longitude: -2.36 }];

function upstream(): Lookup & { find: ReturnType<typeof vi.fn<Lookup['find']>> } {
  const nothing = { attempts: 0, retries: 0, budgetRefusals: 0, circuitRefusals: 0, transitions: [] };
  return { find: vi.fn<Lookup['find']>(async () => bath), activity: () => nothing, close: async () => {} };
}

describe('a cached lookup', () => {
  test('makes one request for concurrent calls with the same name', async () => {
    const direct = upstream();
    const lookup = cachedLookup(direct);
    expect(await Promise.all(Array.from({ length: 50 }, () => lookup.find('Bath')))).toEqual(Array(50).fill(bath));
    expect(direct.find).toHaveBeenCalledTimes(1);
    await lookup.close();
  });

  test('fails with the error of the lookup when nothing is cached', async () => {
    const direct = upstream();
    const failure = new LookupError(503, 'The gazetteer is known to be down.', undefined);
    direct.find.mockRejectedValue(failure);
    const lookup = cachedLookup(direct);
    await expect(lookup.find('Bath')).rejects.toBe(failure);
    await lookup.close();
  });
});
