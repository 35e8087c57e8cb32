// The bounds that the documentation states, by brute force: `node bench/any-window.ts 1000000` takes a million steps.
import { expect, it } from 'vitest';
import { check, scenarios } from './any-window.ts';

it.each(scenarios)(
  'envoyproxy/ratelimit #32: no window exceeds its bound with twenty processes: $name',
  async (scenario) => {
    const { findings, decisions, admitted } = await check(scenario, 10_000, 11);
    expect(decisions).toBeGreaterThan(8_000);
    for (const { windowMs, most, atMost } of findings) {
      expect(most, `${scenario.name}, any ${windowMs} ms`).toBeLessThanOrEqual(atMost + 1e-6);
    }
    // The check is no decoration: with a bound of half as much, some window would break it.
    expect(findings.some(({ most, atMost }) => most > atMost / 2)).toBe(true);
    expect(admitted).toBeGreaterThan(0);
  },
);
