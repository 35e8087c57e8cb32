import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { admit, initialState, opened, afterProbe, type Lease, type State, type Verdict } from './state.ts';

const rules = { openMs: 5_000, maxOpenMs: 60_000, openJitter: 0.2, halfOpenProbes: 2, probeLeaseMs: 1_000 };
const MIDDLE = 0.5;
const halfOpen = (successes: number, leases: readonly Lease[] = []): State => ({
  kind: 'halfOpen',
  opens: 1,
  successes,
  leases,
});

describe('opened', () => {
  it.each([
    { opens: 0, random: MIDDLE, openMs: 5_000 },
    { opens: 1, random: MIDDLE, openMs: 10_000 },
    { opens: 2, random: MIDDLE, openMs: 20_000 },
    { opens: 3, random: MIDDLE, openMs: 40_000 },
    { opens: 4, random: MIDDLE, openMs: 60_000 },
    { opens: 5_000, random: MIDDLE, openMs: 60_000 },
    { opens: 0, random: 0, openMs: 4_000 },
    { opens: 0, random: 1, openMs: 6_000 },
    { opens: 4, random: 0, openMs: 48_000 },
  ])('after $opens openings, with draw $random, stays open $openMs ms', ({ opens, random, openMs }) => {
    expect(opened(opens, 100, rules, random)).toEqual({ kind: 'open', until: 100 + openMs, opens: opens + 1 });
  });
});

describe('transitions in steps', () => {
  it('closed, open, half open with leased probes, open again for twice as long, closed', () => {
    let state: State = opened(0, 0, rules, MIDDLE);
    const leases: Lease[] = [];
    const steps: readonly [step: number, now: number, event: 'call' | Verdict, expected: string][] = [
      [1, 0, 'call', 'refused for 5000, open'],
      [2, 4_999, 'call', 'refused for 1, open'],
      [3, 5_000, 'call', 'probe, halfOpen'],
      [4, 5_100, 'call', 'probe, halfOpen'],
      [5, 5_200, 'call', 'refused for 800, halfOpen'],
      [6, 5_300, 'neutral', 'halfOpen'],
      [7, 5_300, 'call', 'probe, halfOpen'],
      [8, 5_400, 'success', 'halfOpen'],
      [9, 5_400, 'call', 'refused for 900, halfOpen'],
      [10, 5_500, 'failure', 'open'],
      [11, 15_499, 'call', 'refused for 1, open'],
      [12, 15_500, 'call', 'probe, halfOpen'],
      [13, 15_600, 'call', 'probe, halfOpen'],
      [14, 15_700, 'success', 'halfOpen'],
      [15, 15_700, 'success', 'closed'],
      [16, 15_700, 'call', 'admitted, closed'],
    ];
    for (const [step, now, event, expected] of steps) {
      let said: string;
      if (event === 'call') {
        const admission = admit(state, now, rules);
        state = admission.next;
        if (!admission.admitted) said = `refused for ${admission.retryAfterMs}, ${state.kind}`;
        else said = `${admission.lease === undefined ? 'admitted' : 'probe'}, ${state.kind}`;
        if (admission.admitted && admission.lease !== undefined) leases.push(admission.lease);
      } else {
        state = afterProbe(state, leases.shift() as Lease, event, now, rules, MIDDLE);
        said = state.kind;
        if (state.kind !== 'halfOpen') leases.length = 0;
      }
      expect(said, `step ${step}`).toBe(expected);
    }
  });

  it('isolated rejects without retryAfterMs', () => {
    expect(admit({ kind: 'isolated' }, 5, rules)).toEqual({
      admitted: false,
      next: { kind: 'isolated' },
      retryAfterMs: undefined,
    });
  });

  it('an expired lease admits another probe, and its outcome does not count', () => {
    const hung: Lease = { expiresAt: 1_000 };
    const state = halfOpen(1, [hung]);
    expect(admit(state, 999, rules)).toMatchObject({ admitted: false, retryAfterMs: 1 });
    const admission = admit(state, 1_000, rules);
    expect(admission).toMatchObject({ admitted: true, lease: { expiresAt: 2_000 } });
    for (const verdict of ['success', 'failure', 'neutral'] as const) {
      expect(afterProbe(state, hung, verdict, 1_000, rules, MIDDLE)).toBe(state);
      expect(afterProbe(admission.next, hung, verdict, 1_001, rules, MIDDLE)).toBe(admission.next);
    }
  });

  it('a probe from an earlier half-open phase changes nothing', () => {
    const stale: Lease = { expiresAt: 9_999 };
    const states: State[] = [halfOpen(0, [{ expiresAt: 9_999 }]), { kind: 'isolated' }, initialState];
    for (const state of states) expect(afterProbe(state, stale, 'failure', 5, rules, MIDDLE)).toBe(state);
  });
});

it('never leases more than halfOpenProbes, and never waits without a lease, in any history', () => {
  const step = fc.record({
    waitMs: fc.nat({ max: 1_500 }),
    event: fc.constantFrom('call' as const, 'success' as const, 'failure' as const, 'neutral' as const),
    pick: fc.nat({ max: 9 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fc.integer({ min: 1, max: 4 }), (plan, halfOpenProbes) => {
      const mine = { ...rules, halfOpenProbes };
      let state: State = opened(0, 0, mine, MIDDLE);
      let now = 0;
      const leases: Lease[] = [];
      for (const { waitMs, event, pick } of plan) {
        now += waitMs;
        if (event === 'call') {
          const admission = admit(state, now, mine);
          state = admission.next;
          if (admission.admitted && admission.lease !== undefined) leases.push(admission.lease);
          if (!admission.admitted) {
            expect(admission.retryAfterMs).toBeGreaterThan(0);
            expect(admission.retryAfterMs).toBeLessThanOrEqual(72_000);
            // Coming back when told to is never too early.
            expect(admit(state, now + (admission.retryAfterMs as number), mine).admitted).toBe(true);
          }
        } else if (leases.length > 0) {
          const [lease] = leases.splice(pick % leases.length, 1) as [Lease];
          state = afterProbe(state, lease, event, now, mine, MIDDLE);
        }
        if (state.kind === 'halfOpen') {
          const live = state.leases.filter(({ expiresAt }) => expiresAt > now).length;
          expect(live + state.successes).toBeLessThanOrEqual(halfOpenProbes);
        }
      }
    }),
    { seed: 4, numRuns: 300 },
  );
});
