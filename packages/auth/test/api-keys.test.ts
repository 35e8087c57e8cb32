import { inspect } from 'node:util';
import { currentWork, OptionsError, runWork } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ApiKeyError, type ApiKeyRecord, createApiKey, parseApiKey, verifyApiKey } from '../src/index.ts';

const clock = virtualClock();
const { key, id, hash } = createApiKey({ environment: 'live' });

async function outcome(text: string, record: unknown, options: object = {}): Promise<string> {
  return await verifyApiKey(text, (wanted) => (wanted === id ? (record as ApiKeyRecord) : undefined), {
    clock,
    ...options,
  }).then(
    () => 'accepted',
    (error: unknown) => {
      if (error instanceof ApiKeyError) return error.reason;
      throw error;
    },
  );
}

describe('an API key', () => {
  it('starts with its prefix and environment, and a double click selects all of it', () => {
    expect(key).toMatch(/^mcd_live_[0-9A-Za-z]{17}_[0-9A-Za-z]{49}$/);
    expect(parseApiKey(key)).toEqual({ prefix: 'mcd', environment: 'live', id, hash });
    expect(createApiKey({ prefix: 'acme', environment: 'test' }).key).toMatch(/^acme_test_/);
    expect(hash).not.toContain(key.slice(-20));
  });

  it('is different each time', () => {
    const keys = Array.from({ length: 1_000 }, () => createApiKey({ environment: 'live' }));
    expect(new Set(keys.map((one) => one.id)).size).toBe(1_000);
    expect(keys.every((one) => parseApiKey(one.key)?.hash === one.hash)).toBe(true);
  });

  it('returns the record, with scopes and environment', async () => {
    const record = { hash, scopes: ['orders:read'], owner: 'team-1' };
    await runWork({ clock }, async () => {
      const principal = await verifyApiKey(key, () => record, { environment: 'live', clock });
      expect(principal).toEqual({ id, environment: 'live', scopes: ['orders:read'], record });
      expect(currentWork()?.annotations).toEqual({ 'auth.method': 'api_key', 'auth.key_id': id });
    });
  });

  it.each<[string, unknown, object, string]>([
    ['unknown', undefined, {}, 'unknown'],
    ['unknown, as a driver says it', null, {}, 'unknown'],
    ['of another secret', { hash: createApiKey({ environment: 'live' }).hash }, {}, 'unknown'],
    ['with a record that has no hash', {}, {}, 'unknown'],
    ['with an empty hash', { hash: '' }, {}, 'unknown'],
    ['of another product', { hash }, { prefix: 'acme' }, 'environment'],
    ['of another environment', { hash }, { environment: 'test' }, 'environment'],
    ['revoked', { hash, revoked: true }, {}, 'revoked'],
    ['with a revoked field of another type', { hash, revoked: 'yes' }, {}, 'revoked'],
    ['expired to the millisecond', { hash, expiresAtMs: clock.now() }, {}, 'expired'],
    ['expired at no time', { hash, expiresAtMs: NaN }, {}, 'expired'],
    ['with a millisecond left', { hash, expiresAtMs: clock.now() + 1 }, {}, 'accepted'],
    ['without end', { hash, expiresAtMs: null }, {}, 'accepted'],
  ])('%s', async (_, record, options, expected) => {
    expect(await outcome(key, record, options)).toBe(expected);
  });

  it('takes scopes only from a list, not from the characters of a string', async () => {
    const record = { hash, scopes: 'admin' as never };
    expect((await verifyApiKey(key, () => record, { clock })).scopes).toEqual([]);
    await expect(verifyApiKey(key, () => record, { onUse: 1 as never })).rejects.toThrow(OptionsError);
  });

  it('is rejected without a lookup when its form or checksum is wrong', async () => {
    const lookup = (): never => {
      throw new Error('the table was asked');
    };
    const typed = fc
      .tuple(fc.nat(key.length - 1), fc.constantFrom('0', 'a', 'Z', '_', ' ', 'é'))
      .map(([at, with_]) => key.slice(0, at) + with_ + key.slice(at + 1))
      .filter((text) => text !== key);
    await fc.assert(
      fc.asyncProperty(fc.oneof(typed, fc.string()), async (text) => {
        await expect(verifyApiKey(text, lookup)).rejects.toMatchObject({ reason: 'malformed' });
      }),
      { numRuns: 300, seed: 3 },
    );
    for (const text of [undefined, null, {}, `${key}\n`, ` ${key}`, key.toUpperCase()]) {
      await expect(verifyApiKey(text as string, lookup)).rejects.toMatchObject({ reason: 'malformed' });
    }
  });

  it('is rejected as retryable while the lookup fails', async () => {
    const error: unknown = await verifyApiKey(key, () => Promise.reject(new Error('down'))).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'MAC_API_KEY_INVALID', reason: 'lookupFailed', retryable: true });
  });

  it('does not appear in the error', async () => {
    const error: unknown = await verifyApiKey(key, () => undefined).catch((e: unknown) => e);
    expect(inspect(error) + JSON.stringify(error)).not.toContain(key.slice(-49));
  });

  it('reports its use to onUse, and is accepted even if onUse fails', async () => {
    const uses: unknown[] = [];
    const onUse = (record: ApiKeyRecord, atMs: number): unknown => uses.push([record.hash, atMs]);
    expect(await outcome(key, { hash }, { onUse })).toBe('accepted');
    expect(await outcome(key, { hash, revoked: true }, { onUse })).toBe('revoked');
    expect(uses).toEqual([[hash, clock.now()]]);
    const failing = [
      () => Promise.reject(new Error('down')),
      () => {
        throw new Error('down');
      },
    ];
    for (const one of failing) expect(await outcome(key, { hash }, { onUse: one })).toBe('accepted');
  });

  it.each([{}, { environment: 'Live' }, { environment: 'a_b' }, { environment: 'live', prefix: '9' }, { env: 'live' }])(
    '%j makes none',
    (options) => expect(() => createApiKey(options as never)).toThrow(OptionsError),
  );
});
