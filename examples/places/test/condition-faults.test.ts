import { type FaultRule, startFaultServer } from '@macadam/testkit';
import { expect, test } from 'vitest';
import type { Condition } from '../src/scenario.ts';
import { faultRules } from '../src/condition-faults.ts';

/** Which rule strikes each of so many requests; -1 for none. */
function draw(rules: readonly FaultRule[], count: number): number[] {
  return Array.from({ length: count }, () => {
    // Every rule is asked about every request, in order, as the fault server does.
    const struck = rules.map(({ when }) => (when as (request: unknown) => boolean)(undefined));
    expect(struck.filter(Boolean).length).toBeLessThanOrEqual(1);
    return struck.indexOf(true);
  });
}

const share = (draws: readonly number[], rule: number) =>
  draws.filter((struck) => struck === rule).length / draws.length;

test('the same seed gives the same requests faults, another seed others', () => {
  expect(draw(faultRules('storm', 7), 500)).toEqual(draw(faultRules('storm', 7), 500));
  expect(draw(faultRules('storm', 8), 500)).not.toEqual(draw(faultRules('storm', 7), 500));
});

test('each condition gives its share of requests a fault', () => {
  const storm = draw(faultRules('storm', 7), 20_000);
  expect(share(storm, 0)).toBeCloseTo(0.12, 2);
  expect(share(storm, 1)).toBeCloseTo(0.03, 2);
  expect(share(draw(faultRules('slow', 7), 20_000), 0)).toBeCloseTo(0.05, 2);
  expect(share(draw(faultRules('resets', 7), 100), 0)).toBe(1);
  expect(share(draw(faultRules('blackHole', 7), 100), 0)).toBe(1);
  expect(faultRules('healthy', 7)).toEqual([]);
});

test('a storm consists of 503 with Retry-After, resets, and normal responses', async () => {
  await using upstream = await startFaultServer({ faults: faultRules('storm', 7) });
  const seen = new Map<string, number>();
  for (let i = 0; i < 100; i++) {
    const response = await fetch(upstream.url).catch(() => undefined);
    await response?.arrayBuffer();
    const after = response?.headers.get('retry-after');
    const what =
      response === undefined ? 'reset' : after == null ? `${response.status}` : `${response.status}, ${after} s`;
    seen.set(what, (seen.get(what) ?? 0) + 1);
  }
  expect([...seen.keys()].toSorted()).toEqual(['200', '503, 1 s', 'reset']);
  expect(upstream.stats().requests).toBe(100);
});

test('in a black hole requests arrive and get no response until the condition changes', async () => {
  await using upstream = await startFaultServer({ faults: faultRules('blackHole' satisfies Condition, 7) });
  const leave = new AbortController();
  const swallowed = fetch(upstream.url, { signal: leave.signal });
  await upstream.waitForRequests(1);
  expect(upstream.stats()).toMatchObject({ requests: 1, answered: 0, cut: 0 });
  await upstream.setFaults(faultRules('healthy', 7));
  expect((await fetch(upstream.url)).status).toBe(200);
  leave.abort();
  await expect(swallowed).rejects.toThrow();
});
