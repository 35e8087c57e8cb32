import { describe, expect, it } from 'vitest';
import { MAX_KEY_LENGTH, storageKey, tierKey } from './key.ts';

const long = 'x'.repeat(MAX_KEY_LENGTH + 1);
const keys = [
  'a',
  'A',
  '__proto__',
  'ä',
  'a\u0308',
  '\u0000',
  '\u0000a',
  '\ud800',
  '\ud801',
  'a\ud800',
  '\ufffd',
  long,
  `${long}y`,
];

describe('keys', () => {
  it('stay distinct as storage keys and in UTF-8', () => {
    const stored = keys.map(storageKey);
    expect(new Set(stored).size).toBe(keys.length);
    const bytes = stored.map((key) => Buffer.from(tierKey(key)).toString('hex'));
    expect(new Set(bytes).size).toBe(keys.length);
    for (const key of stored) expect(key.length).toBeLessThanOrEqual(MAX_KEY_LENGTH);
  });

  it('must be non-empty strings', () => {
    for (const key of ['', 1, null, undefined, {}]) {
      expect(() => storageKey(key as string)).toThrow(expect.objectContaining({ code: 'MAC_INVALID_OPTIONS' }));
    }
  });
});
