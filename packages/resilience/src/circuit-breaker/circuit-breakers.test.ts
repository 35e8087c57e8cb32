import { systemClock, type Clock } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { circuitBreakers } from './circuit-breakers.ts';
import { consecutiveFailures } from './trip-rule.ts';

describe('circuitBreakers', () => {
  it('returns one breaker per key, named after the key', async () => {
    const breakers = circuitBreakers({ trip: [consecutiveFailures({ count: 1 })], clock: virtualClock() });
    await breakers
      .for('a')
      .execute(() => Promise.reject(new Error('down')))
      .catch(() => {});
    expect(breakers.for('a')).toMatchObject({ name: 'a', state: 'open' });
    expect(breakers.for('b')).toMatchObject({ name: 'b', state: 'closed' });
    expect(breakers.size).toBe(2);
  });

  it('evicts the least recently used key', () => {
    const breakers = circuitBreakers({ maxKeys: 2, clock: virtualClock() });
    const [a, b] = [breakers.for('a'), breakers.for('b')];
    expect(breakers.for('a')).toBe(a);
    breakers.for('c');
    expect(breakers.size).toBe(2);
    expect(breakers.for('a')).toBe(a);
    expect(breakers.for('b')).not.toBe(b);
  });

  it('evicts idle keys without a timer', async () => {
    const clock = virtualClock();
    const breakers = circuitBreakers({ idleMs: 1_000, clock });
    const a = breakers.for('a');
    await clock.advance(999);
    expect(breakers.for('a')).toBe(a);
    breakers.for('b');
    await clock.advance(1_000);
    expect(clock.pendingTimers).toBe(0);
    breakers.for('c');
    expect(breakers.size).toBe(1);
  });

  it('AC5: opossum #363: 100,000 keys leave a thousand breakers, no timer and a flat heap', () => {
    let timers = 0;
    const clock: Clock = {
      ...systemClock,
      setTimer(callback, delayMs) {
        timers++;
        return systemClock.setTimer(callback, delayMs);
      },
    };
    const breakers = circuitBreakers({ clock });
    const heapAfter = (from: number, to: number): number => {
      for (let i = from; i < to; i++) breakers.for(`host-${i}.internal:443`);
      globalThis.gc?.();
      return process.memoryUsage().heapUsed;
    };
    const first = heapAfter(0, 20_000);
    const last = heapAfter(20_000, 100_000);
    expect(breakers.size).toBe(1_000);
    expect(timers).toBe(0);
    expect(globalThis.gc, 'run with --expose-gc').toBeTypeOf('function');
    expect(last - first).toBeLessThan(2_000_000);
  });

  it.each([
    { options: { maxKeys: 0 }, path: 'circuitBreakers.maxKeys' },
    { options: { idleMs: 0 }, path: 'circuitBreakers.idleMs' },
    { options: { openMs: -1 }, path: 'circuitBreakers.openMs' },
  ])('rejects $options', ({ options, path }) => {
    expect(() => circuitBreakers(options as never)).toThrow(expect.objectContaining({ path }));
  });
});
