// The messages for wrong options: they show the wrong value, and never a secret.
import { expect, test } from 'vitest';
import { createCache, type CacheOptions } from './index.ts';

test.each<[object, string]>([
  [{ schema: {} }, 'Option createCache.schema is an object; it must be a Standard Schema.'],
  [{ encryption: {} }, 'Option createCache.encryption.keys is undefined; it must be a list of at least one key.'],
  // As from `secret && { keys }` without a secret.
  [{ encryption: null }, 'Option createCache.encryption is null; it must be an object.'],
  [{ encryption: '' }, 'Option createCache.encryption is an empty text; it must be an object.'],
  [{ encryption: 'C4nary' }, 'Option createCache.encryption is a text that is not shown; it must be an object.'],
  [{ encryption: { keys: [] } }, 'Option createCache.encryption.keys is an empty array;'],
  [{ encryption: { keys: 'C4nary' } }, 'Option createCache.encryption.keys is a text that is not shown;'],
  [{ encryption: { keys: ['C4nary'] } }, 'Option createCache.encryption.keys[0] is a text that is not shown;'],
  [
    { encryption: { keys: [{ id: 'a', key: 'C4nary' }] } },
    'Option createCache.encryption.keys[0].key is a text that is not shown; it must be a Uint8Array of 32 bytes.',
  ],
  [
    { encryption: { keys: [{ id: 'a', key: new Uint8Array(16) }] } },
    'Option createCache.encryption.keys[0].key is 16 bytes; it must be a Uint8Array of 32 bytes.',
  ],
])('%o', (options, words) => {
  expect(() => createCache({ name: 'a', ...options } as CacheOptions)).toThrow(words);
});

test('names the option when one key is given instead of a list', async () => {
  await using cache = createCache({ name: 'a' });
  await expect(cache.getMany('k' as never)).rejects.toThrow('Option getMany.keys is "k"; it must be several keys');
});
