// The memory per key: the bytes of the arrays with its states, and the measured heap for its name and slot.
import { describe, expect, it } from 'vitest';
import {
  concurrency,
  createRateLimiter,
  fixedWindow,
  memoryStore,
  slidingLog,
  slidingWindow,
  tokenBucket,
  type Limit,
} from '../src/index.ts';
import { KeySlots } from '../src/store/key-slots.ts';

const KEYS = 100_000;
const MOST_BYTES = 120;
const options = { limit: 60, periodMs: 3_600_000 };

function heapBytes(): number {
  globalThis.gc!();
  return process.memoryUsage().heapUsed;
}

/** Without the strings of the keys, which belong to the caller and are created before. */
function bytesPerKey(limits: readonly Limit[], maxKeys: number, cost = 1): number {
  const keys = Array.from({ length: KEYS }, (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
  const before = heapBytes();
  const slots = new KeySlots(limits, maxKeys);
  for (const key of keys) {
    const slot = slots.claim(key, 0);
    for (const states of slots.states) states.commit(slot, 0, cost, 1);
  }
  const held = heapBytes() - before;
  expect(slots.size).toBe(KEYS);
  return (held + slots.states.reduce((sum, { bytes }) => sum + bytes, 0)) / KEYS;
}

describe('100,000 keys', () => {
  it.each<[string, Limit[]]>([
    ['tokenBucket', [tokenBucket(options)]],
    ['fixedWindow', [fixedWindow(options)]],
    ['slidingWindow', [slidingWindow(options)]],
    ['slidingLog', [slidingLog(options)]],
    ['concurrency', [concurrency({ limit: 60 })]],
    ['a bucket and a window', [tokenBucket({ ...options, name: 'a' }), slidingWindow({ ...options, name: 'b' })]],
  ])('take at most 120 bytes each: %s', (_, limits) => {
    for (const maxKeys of [KEYS, 2 * KEYS]) {
      expect(bytesPerKey(limits, maxKeys), `of at most ${maxKeys}`).toBeLessThanOrEqual(MOST_BYTES);
    }
  });

  it('take at most 120 bytes each, also with counts that need more than two bytes', () => {
    const limit = slidingWindow({ limit: 1_000_000, periodMs: 3_600_000 });
    expect(bytesPerKey([limit], KEYS, 100_000)).toBeLessThanOrEqual(MOST_BYTES);
  });
});

describe('a key that was sliced out of a long header field', () => {
  const field = (i: number): string => `${i}`.padStart(20, 'x') + 'y'.repeat(20_000);
  const limits = [tokenBucket({ limit: 1, periodMs: 3_600_000 })];

  it.each([
    ['requested', (limiter: ReturnType<typeof createRateLimiter>, key: string) => void limiter.tryTake(key)],
    ['blocked', async (limiter: ReturnType<typeof createRateLimiter>, key: string) => await limiter.block(key, 1_000)],
  ])('does not retain the field: %s', async (_, use) => {
    const limiter = createRateLimiter({ name: 'cut', limits, store: memoryStore() });
    const before = heapBytes();
    for (let i = 0; i < 2_000; i++) await use(limiter, field(i).slice(0, 20));
    // Two thousand fields would be 40 MB.
    expect(heapBytes() - before).toBeLessThan(4_000_000);
    expect((limiter.stats()['keys'] as number) + (limiter.stats()['blockedKeys'] as number)).toBe(2_000);
  });

  it('keeps its text, also with other alphabets and lone surrogates', () => {
    const limiter = createRateLimiter({ name: 'cut', limits });
    for (const key of [
      'plain text key',
      'größer als nötig',
      '長い鍵の名前です。全部で十三字',
      'half \ud800 of a pair',
      '\ud801 half of another',
    ]) {
      expect(limiter.tryTake(key).allowed, key).toBe(true);
      expect(limiter.tryTake(`${key} `.slice(0, -1)).allowed, key).toBe(false);
    }
  });
});
