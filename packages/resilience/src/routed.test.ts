import { virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { circuitBreakers } from './circuit-breaker/circuit-breakers.ts';
import { consecutiveFailures } from './circuit-breaker/trip-rule.ts';
import { pipeline } from './pipeline.ts';
import { constant } from './retry/backoff.ts';
import { retry } from './retry/retry.ts';
import { routed } from './routed.ts';
import { timeout } from './timeout.ts';

function setUp() {
  const clock = virtualClock();
  const breakers = circuitBreakers({ trip: [consecutiveFailures({ count: 1 })], clock });
  const policy = pipeline(
    timeout({ timeoutMs: 1_000, clock }),
    retry({ backoff: constant({ delayMs: 1 }), budget: false, clock }),
    routed({ clock }),
    timeout({ timeoutMs: 100, clock }),
  );
  return { clock, breakers, policy };
}

describe('routed', () => {
  it('runs each attempt under the policy of its route', async () => {
    const { clock, breakers, policy } = setUp();
    const went: string[] = [];
    let host = '';
    const route = { next: (attempt: number) => breakers.for((host = attempt === 1 ? 'a' : 'b')) };
    const fn = (): string => {
      went.push(host);
      if (host === 'a') throw new Error('down');
      return host;
    };
    expect(await clock.runUntil(policy.execute(fn, { route }))).toBe('b');
    expect(went).toEqual(['a', 'b']);
    expect(breakers.for('a').state).toBe('open');
    expect(breakers.for('b')).toMatchObject({ state: 'closed', admits: true });
    expect(breakers.for('a').admits).toBe(false);
    await clock.advance(10_000);
    expect(breakers.for('a').admits).toBe(true);
  });

  it('moves to another endpoint without the Retry-After of the first, which applies when returning to it', async () => {
    const { clock, policy } = setUp();
    const untried = ['b'];
    const route = { next: () => undefined, movesOn: () => untried.pop() !== undefined };
    const at: number[] = [];
    const fn = (): never => {
      at.push(clock.monotonic());
      throw Object.assign(new Error('busy'), at.length === 1 ? { retryAfterMs: 700 } : {});
    };
    await expect(clock.runUntil(policy.execute(fn, { route }))).rejects.toMatchObject({
      code: 'MAC_ATTEMPTS_EXHAUSTED',
    });
    expect(at).toEqual([0, 1, 700]);
  });

  it('applies the timeout of the attempt inside', async () => {
    const { clock, breakers, policy } = setUp();
    const call = policy.execute(() => new Promise(() => {}), { route: { next: () => breakers.for('a') } });
    await expect(clock.runUntil(call)).rejects.toMatchObject({ code: 'MAC_CIRCUIT_OPEN' });
    clock.assertNoTimers();
  });

  it('passes through without a route or a policy of the route', async () => {
    const { policy } = setUp();
    expect(await policy.execute(() => 1)).toBe(1);
    expect(await policy.execute(() => 2, { route: { next: () => undefined } })).toBe(2);
  });

  it.each([
    ['a value that is not a policy', () => ({}), 'route.next()'],
    ['null', () => null, 'route.next()'],
    ['a policy with another clock', () => circuitBreakers().for('a'), 'route.next().clock'],
    ['a policy that repeats', (clock: ReturnType<typeof virtualClock>) => retry({ clock }), 'route.next()'],
  ])('fails the call for %s', async (_what, make, path) => {
    const { clock, policy } = setUp();
    const route = { next: () => make(clock) as never };
    await expect(clock.runUntil(policy.execute(() => 1, { route }))).rejects.toMatchObject({ path });
  });
});
