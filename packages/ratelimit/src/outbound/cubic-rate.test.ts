import { describe, expect, it } from 'vitest';
import { CubicRate } from './cubic-rate.ts';

/** One that sends `perSecond` for ten seconds, so that this is what is measured. */
function sending(perSecond: number): { rate: CubicRate; now: number } {
  const rate = new CubicRate(0);
  for (let i = 0; i < perSecond * 10; i++) rate.recordSent((i * 1_000) / perSecond);
  return { rate, now: 10_000 };
}

/** Keeps what is sent so high that the curve, and not the demand, says the rate. */
function flood(rate: CubicRate, now: number): void {
  for (let i = 0; i < 1_000; i++) rate.recordSent(now);
}

describe('CubicRate', () => {
  it('does not limit before the first throttling', () => {
    const { rate, now } = sending(50);
    rate.recordSuccess(now);
    expect([rate.perSecond, rate.nextAt(now)]).toEqual([Infinity, now]);
  });

  it('follows the published curve of the AWS SDKs for seven seconds after throttling at 10 per second', () => {
    const { rate, now } = sending(10);
    rate.recordThrottled(now, now, now);
    expect(rate.perSecond).toBeCloseTo(7, 0);
    const grown = [0, 1, 2, 3, 4, 5, 6].map((second) => {
      flood(rate, now + second * 1_000);
      rate.recordSuccess(now + second * 1_000);
      return rate.perSecond;
    });
    // The published row begins at a measured rate of exactly 10; that of a moving average is within a hundredth of it.
    [7, 9.6, 10, 10.5, 13.4, 21.3, 36.4].forEach((published, i) => {
      expect(Math.abs((grown[i] as number) - published), `second ${i}`).toBeLessThan(0.15);
    });
  });

  it('counts throttling of requests in flight together once, and later throttling again', () => {
    const { rate, now } = sending(100);
    for (let i = 0; i < 20; i++) rate.recordThrottled(now + i, now - 10, now + 1_000);
    const once = rate.perSecond;
    expect(once).toBeGreaterThan(60);
    expect(once).toBeLessThan(75);
    rate.recordThrottled(now + 2_000, now + 1_500, now + 2_000);
    expect(rate.perSecond).toBeLessThan(once);
  });

  it('keeps a minimum rate, and measures a burst in the first half second', () => {
    const quiet = new CubicRate(0);
    quiet.recordSent(0);
    quiet.recordThrottled(10, 0, 10);
    expect(quiet.perSecond).toBeGreaterThanOrEqual(0.5);
    const burst = new CubicRate(0);
    for (let i = 0; i < 50; i++) burst.recordSent(i);
    burst.recordThrottled(60, 0, 60);
    expect(burst.perSecond).toBeCloseTo(70, 5);
  });

  it('grows to at most twice the sending rate', () => {
    const { rate, now } = sending(10);
    rate.recordThrottled(now, now, now);
    for (let i = 1; i <= 600; i++) {
      rate.recordSent(now + i * 500);
      rate.recordSuccess(now + i * 500);
    }
    expect(rate.perSecond).toBeLessThanOrEqual(4.1);
  });

  it('refills tokens from the end of the pause on, and saves up at most one second of them', () => {
    const { rate, now } = sending(10);
    rate.recordThrottled(now, now, now + 5_000);
    const perSecond = rate.perSecond;
    expect(rate.nextAt(now)).toBeCloseTo(now + 5_000 + 1_000 / perSecond, 5);
    let went = 0;
    const late = now + 60_000;
    while (rate.nextAt(late) <= late) {
      rate.recordSent(late);
      went++;
    }
    expect(went).toBe(Math.floor(perSecond));
  });
});
