import { hedge, pipeline, retry, retryBudget, timeout } from '@macadam/resilience';
import { noPolicy, poissonArrivals, simulate, type Distribution, type MakePolicy } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { longTail } from './overload-scenarios.ts';
import { api } from './scenario.ts';

/** Like a real service: the usual time varies a little, and one response in a hundred takes a second. */
const varying: Distribution = {
  sample: (random) => (random() < 0.01 ? 1_000 : 8 + 4 * random()),
  describe: () => '8 to 12 ms, one in a hundred 1 000 ms',
};

const shapes = {
  'exactly 10 ms': { serviceTime: longTail, usualMs: 10 },
  '8 to 12 ms': { serviceTime: varying, usualMs: 12 },
};

/** Upper limit of the factor on the percentile after which a hedge is sent. */
const MAX_MARGIN = 1.001;

async function run(
  serviceTime: Distribution,
  policy: MakePolicy,
): Promise<{ p999: number; p95: number; attempts: number }> {
  const { latency, amplification } = await simulate({
    durationMs: 120_000,
    clients: [{ name: 'web', arrivals: poissonArrivals({ ratePerSecond: 200 }) }],
    servers: [api({ serviceTime, workers: 20 })],
    policy,
  });
  return { p999: latency.p999, p95: latency.p95, attempts: amplification };
}

describe('one response in a hundred takes a second, the others 10 ms', () => {
  const policies: Record<string, MakePolicy> = {
    'a hedge alone': ({ clock }) => hedge({ clock }),
    'a hedge inside of a retry, on one budget': ({ clock, random }) => {
      const budget = retryBudget({ clock });
      return pipeline(timeout({ timeoutMs: 5_000, clock }), retry({ budget, clock, random }), hedge({ budget, clock }));
    },
  };
  for (const [name, policy] of Object.entries(policies)) {
    for (const [shape, { serviceTime, usualMs }] of Object.entries(shapes)) {
      it(`${name} makes p99.9 no worse than p95 and the usual time, with less than 5 % more load (${shape})`, async () => {
        const without = await run(serviceTime, noPolicy);
        const hedged = await run(serviceTime, policy);
        expect(without.p999).toBeGreaterThanOrEqual(1_000);
        expect(hedged.attempts - 1).toBeLessThan(0.05);
        expect(hedged.p999).toBeLessThanOrEqual(without.p95 * MAX_MARGIN + usualMs);
      });
    }
  }
});
