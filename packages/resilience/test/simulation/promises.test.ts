import { retry, standardPipeline, type StateChange } from '@macadam/resilience';
import { constantArrivals, simulate, type MakePolicy, type ServerFault, type SimulationResult } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { api } from './scenario.ts';

/** 200 requests per second from one process: the load for which the guarantees below hold. */
function run(policy: MakePolicy, faults: readonly ServerFault[], durationMs: number): Promise<SimulationResult> {
  const clients = [{ name: 'web', arrivals: constantArrivals({ ratePerSecond: 200 }), patienceMs: 10_000 }];
  return simulate({ durationMs, clients, servers: [api({ faults })], policy });
}

describe('when every response fails for 60 s at 200 requests per second, there are at most 1.25 attempts per request', () => {
  const policies: Record<string, MakePolicy> = {
    'a retry alone': ({ clock, random }) => retry({ clock, random }),
    'the standard pipeline': ({ clock, random }) => standardPipeline({ clock, random }),
    'the standard pipeline without its breaker': ({ clock, random }) =>
      standardPipeline({ timeoutMs: 2_000, attemptTimeoutMs: 500, circuitBreaker: false, clock, random }),
  };
  const span = { fromMs: 0, toMs: Infinity };
  const faults: Record<string, ServerFault> = {
    'refused connections': { kind: 'down', ...span },
    errors: { kind: 'errors', ratio: 1, ...span },
  };
  for (const [name, policy] of Object.entries(policies)) {
    for (const [faultName, fault] of Object.entries(faults)) {
      it(`${name}: ${faultName}`, async () => {
        const result = await run(policy, [fault], 60_000);
        expect(result.requests).toBeGreaterThanOrEqual(11_999);
        expect(result.succeeded).toBe(0);
        expect(result.amplification).toBeLessThanOrEqual(1.25);
      });
    }
  }

  it('the standard pipeline without its breaker, with responses that never arrive', async () => {
    const policy = policies['the standard pipeline without its breaker'] as MakePolicy;
    const result = await run(policy, [{ kind: 'blackHole', ...span }], 60_000);
    expect(result.succeeded).toBe(0);
    expect(result.amplification).toBeLessThanOrEqual(1.25);
    expect(result.maxWaitMs).toBeLessThanOrEqual(2_000);
  });

  it('without a budget there are three attempts per request, so the limit above is due to the budget', async () => {
    const unlimited: MakePolicy = ({ clock, random }) => retry({ clock, random, budget: false });
    const result = await run(unlimited, [{ kind: 'down', ...span }], 60_000);
    expect(result.amplification).toBeGreaterThan(2.9);
  });
});

describe('after an outage, 95 % of the requests succeed within the open time plus one second', () => {
  const OPEN_MS = 5_000;
  const MAX_OPEN_MS = 60_000;
  const JITTER = 1.2;

  it.each([
    { outageMs: 2_000, kind: 'down' as const },
    { outageMs: 10_000, kind: 'down' as const },
    { outageMs: 60_000, kind: 'down' as const },
    { outageMs: 10_000, kind: 'blackHole' as const },
    { outageMs: 60_000, kind: 'blackHole' as const },
  ])('of $outageMs ms ($kind)', async ({ outageMs, kind }) => {
    const opened: number[] = [];
    const policy: MakePolicy = ({ clock, random }) => {
      const onStateChange = ({ to }: StateChange): void => void (to === 'open' && opened.push(clock.monotonic()));
      const circuitBreaker = { openMs: OPEN_MS, maxOpenMs: MAX_OPEN_MS, onStateChange };
      return standardPipeline({ timeoutMs: 2_000, attemptTimeoutMs: 500, circuitBreaker, clock, random });
    };
    const end = 20_000 + outageMs;
    const result = await run(policy, [{ kind, fromMs: 20_000, toMs: end }], end + 90_000);
    // Probes in flight when the outage ended may still fail, so the circuit may open for the last time shortly after it.
    const lastOpened = opened.at(-1) as number;
    const openTimeMs = Math.min(OPEN_MS * 2 ** (opened.length - 1), MAX_OPEN_MS) * JITTER;
    expect(opened.length).toBeGreaterThan(0);
    expect(end + (result.recoveryMs as number)).toBeLessThanOrEqual(lastOpened + openTimeMs + 1_000);
    expect(result.afterFault?.successRatio).toBeGreaterThan(0.3);
  });
});
