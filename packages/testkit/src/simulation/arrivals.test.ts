import { describe, expect, it } from 'vitest';
import { seededRandom } from '../seeded-random.ts';
import { burstArrivals, constantArrivals, poissonArrivals, type Arrivals } from './arrivals.ts';

function arrivalsWithin(arrivals: Arrivals, fromMs: number, toMs: number): number {
  const random = seededRandom(3);
  let count = 0;
  for (let at = arrivals.next(0, random); at < toMs; at += arrivals.next(at, random)) {
    if (at >= fromMs) count += arrivals.size;
  }
  return count;
}

describe('arrivals', () => {
  it('come evenly when they are constant', () => {
    const arrivals = constantArrivals({ ratePerSecond: 4 });
    expect(arrivals.next(0, () => 0.3)).toBe(250);
    expect(arrivals.describe()).toBe('4 a second, evenly spaced');
  });

  it('come at random at the given mean rate when they are Poisson', () => {
    const arrivals = poissonArrivals({ ratePerSecond: 200 });
    // Mean 20 000 with a standard deviation of 141.
    expect(Math.abs(arrivalsWithin(arrivals, 0, 100_000) - 20_000)).toBeLessThan(600);
    const gaps = Array.from(
      { length: 5_000 },
      (
        (random) => () =>
          arrivals.next(0, random)
      )(seededRandom(1)),
    );
    // An exponential gap is shorter than its mean with a probability of 1 - 1/e.
    expect(gaps.filter((gap) => gap < 5).length / gaps.length).toBeCloseTo(1 - 1 / Math.E, 1);
  });

  it('have finite gaps for every random number', () => {
    const arrivals = poissonArrivals({ ratePerSecond: 200 });
    expect(arrivals.next(0, () => 0)).toBeCloseTo(0);
    expect(arrivals.next(0, () => 1 - 2 ** -32)).toBeLessThan(120);
  });

  it('come faster within a spike', () => {
    const arrivals = constantArrivals({ ratePerSecond: 10, spike: { fromMs: 10_000, toMs: 20_000, factor: 10 } });
    expect(arrivalsWithin(arrivals, 0, 10_000)).toBe(99);
    expect(arrivalsWithin(arrivals, 10_000, 20_000)).toBe(1_000);
    expect(arrivalsWithin(arrivals, 20_000, 30_000)).toBe(100);
    expect(arrivals.describe()).toBe('10 a second, times 10 from 10 s to 20 s, evenly spaced');
  });

  it('come at the same time in a burst', () => {
    const arrivals = burstArrivals({ size: 50, everyMs: 1_000 });
    expect(arrivalsWithin(arrivals, 0, 10_500)).toBe(500);
    expect(arrivals.describe()).toBe('50 at once, every 1000 ms');
  });

  it.each([
    { make: () => poissonArrivals({ ratePerSecond: 0 }), path: 'poissonArrivals.ratePerSecond' },
    {
      make: () => constantArrivals({ ratePerSecond: 1, spike: { fromMs: 2, toMs: 1, factor: 2 } }),
      path: 'constantArrivals.spike.toMs',
    },
    { make: () => burstArrivals({ size: 0, everyMs: 1 }), path: 'burstArrivals.size' },
    { make: () => burstArrivals({ size: 1, everyMs: 0 }), path: 'burstArrivals.everyMs' },
  ])('refuse a wrong $path', ({ make, path }) => {
    expect(make).toThrow(expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path }));
  });
});
