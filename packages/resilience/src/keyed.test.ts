import { virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { Keyed, type KeyedOptions } from './keyed.ts';

/** Makes a list of one string for each key, and tells which keys were made, in order. */
function made(options: KeyedOptions = {}) {
  const clock = virtualClock();
  const keys: string[] = [];
  const keyed = new Keyed('things', options, clock, (key) => {
    keys.push(key);
    return [key];
  });
  const held = (): string[] => [...keyed.values()].flat();
  return { clock, keyed, keys, held };
}

describe('Keyed', () => {
  it('creates one object per key', () => {
    const { keyed, keys, held } = made();
    const a = keyed.for('a');
    expect(keyed.for('b')).not.toBe(a);
    expect(keyed.for('a')).toBe(a);
    expect(keys).toEqual(['a', 'b']);
    expect(keyed.size).toBe(2);
    expect(held()).toEqual(['b', 'a']);
  });

  it('evicts the least recently used key when full', () => {
    const { keyed, keys, held } = made({ maxKeys: 2 });
    for (const key of ['a', 'b', 'a', 'c']) keyed.for(key);
    expect(held()).toEqual(['a', 'c']);
    for (const key of ['c', 'a', 'c']) keyed.for(key);
    expect(keys, 'asking for a known key gives up none').toEqual(['a', 'b', 'c']);
    keyed.for('b');
    expect(held()).toEqual(['c', 'b']);
  });

  it('keeps a thousand keys by default', () => {
    const { keyed, held } = made();
    for (let i = 0; i < 1_001; i++) keyed.for(`${i}`);
    expect(keyed.size).toBe(1_000);
    expect(held()[0]).toBe('1');
  });

  it('evicts a key exactly after idleMs', async () => {
    const { clock, keyed, held } = made({ idleMs: 100 });
    keyed.for('a');
    keyed.for('b');
    await clock.advance(60);
    keyed.for('a');
    await clock.advance(39);
    keyed.for('c');
    expect(held()).toEqual(['b', 'a', 'c']);
    await clock.advance(1);
    keyed.for('c');
    expect(held(), 'the use of a keeps it').toEqual(['a', 'c']);
    await clock.advance(100);
    keyed.for('d');
    expect(held(), 'several at once').toEqual(['d']);
  });

  it('creates a new object after ten idle minutes by default', async () => {
    const { clock, keyed } = made();
    const a = keyed.for('a');
    await clock.advance(599_999);
    expect(keyed.for('a')).toBe(a);
    await clock.advance(600_000);
    expect(keyed.for('a')).not.toBe(a);
  });

  it('sets no timer, and allows an infinite idleMs', async () => {
    const { clock, keyed } = made({ idleMs: Infinity });
    const a = keyed.for('a');
    expect(clock.pendingTimers).toBe(0);
    await clock.advance(1e12);
    expect(keyed.for('a')).toBe(a);
  });

  it.each([
    { options: { maxKeys: 0 }, path: 'things.maxKeys' },
    { options: { maxKeys: 1.5 }, path: 'things.maxKeys' },
    { options: { idleMs: 0 }, path: 'things.idleMs' },
    { options: { idleMs: Number.NaN }, path: 'things.idleMs' },
  ])('rejects $options', ({ options, path }) => {
    expect(() => made(options)).toThrow(expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path }));
  });
});
