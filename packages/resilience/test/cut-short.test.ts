import { currentWork, isMacadamError, runWork, TimeoutError } from '@macadam/core';
import {
  circuitBreaker,
  consecutiveFailures,
  pipeline,
  retry,
  standardPipeline,
  timeout,
  type ExecuteOptions,
} from '@macadam/resilience';
import { virtualClock } from '@macadam/testkit';
import { expect, test, vi } from 'vitest';

const hang = (): Promise<never> => new Promise(() => {});

test.each([
  { name: 'impatient callers do not open the circuit of a healthy service', workMs: 40, state: 'closed' },
  { name: 'a limit that was nearly all there counts', workMs: 400, state: 'open' },
])('$name', async ({ workMs, state }) => {
  const clock = virtualClock();
  const breaker = circuitBreaker({ trip: [consecutiveFailures({ count: 2 })], clock });
  const guarded = pipeline(
    timeout({ timeoutMs: 2_000, clock }),
    retry({ clock }),
    breaker,
    timeout({ timeoutMs: 500, clock }),
  );
  for (let i = 0; i < 4; i++) {
    const call = runWork({ timeoutMs: workMs, clock }, () => guarded.execute(hang));
    await clock.runUntil(call.catch(() => {}));
  }
  expect(breaker.state).toBe(state);
});

test.each<{ name: string; outerMs: number; innerMs: number; how: ExecuteOptions; passesOn: boolean; state: string }>([
  {
    name: 'a nested policy with longer limits, cancelled with it, does not hide a timeout',
    outerMs: 500,
    innerMs: 10_000,
    how: {},
    passesOn: true,
    state: 'open',
  },
  {
    name: 'a nested policy with shorter limits, cancelled with it, does not make an impatient caller count',
    outerMs: 5_000,
    innerMs: 50,
    how: { timeoutMs: 40 },
    passesOn: true,
    state: 'closed',
  },
  {
    name: 'a deadline of the work that ends a nested policy does not count',
    outerMs: 5_000,
    innerMs: 10_000,
    how: { timeoutMs: 40 },
    passesOn: false,
    state: 'closed',
  },
])('$name', async ({ outerMs, innerMs, how, passesOn, state }) => {
  const clock = virtualClock();
  const breaker = circuitBreaker({ trip: [consecutiveFailures({ count: 2 })], clock });
  const guarded = pipeline(
    timeout({ timeoutMs: 20_000, clock }),
    retry({ clock, maxAttempts: 1 }),
    breaker,
    timeout({ timeoutMs: outerMs, clock }),
  );
  const nested = standardPipeline({ timeoutMs: 30_000, attemptTimeoutMs: innerMs, clock });
  for (let i = 0; i < 4; i++) {
    const call = guarded.execute(({ signal }) => nested.execute(hang, passesOn ? { signal } : {}), how);
    await clock.runUntil(call.catch(() => {}));
  }
  expect(breaker.state).toBe(state);
});

test.each([
  { name: 'a limit that the function sets counts, however short', limits: { timeoutMs: 60 }, state: 'open' },
  { name: 'but not the deadline of the work around both', limits: {}, state: 'closed' },
])('without a timeout of its own: $name', async ({ limits, state }) => {
  const clock = virtualClock();
  const breaker = circuitBreaker({ trip: [consecutiveFailures({ count: 2 })], clock });
  const nested = standardPipeline({ circuitBreaker: false, clock });
  for (let i = 0; i < 4; i++) {
    const call = runWork({ timeoutMs: 100, clock }, () => breaker.execute(() => nested.execute(hang, limits)));
    await clock.runUntil(call.catch(() => {}));
  }
  expect(breaker.state).toBe(state);
});

test('a nested retry that gave up at the deadline of the work around both does not count', async () => {
  const clock = virtualClock();
  const breaker = circuitBreaker({ trip: [consecutiveFailures({ count: 2 })], clock });
  const nested = pipeline(retry({ clock }), timeout({ timeoutMs: 500, clock }));
  for (let i = 0; i < 4; i++) {
    const call = runWork({ timeoutMs: 100, clock }, () => breaker.execute(() => nested.execute(hang)));
    await expect(clock.runUntil(call)).rejects.toMatchObject({ code: 'MAC_ATTEMPTS_EXHAUSTED', reason: 'deadline' });
  }
  expect(breaker.stats()).toMatchObject({ state: 'closed', neutral: 4 });
});

test('no policy starts anything after the deadline of the work', async () => {
  const clock = virtualClock();
  const fn = vi.fn(() => 'late');
  for (const policy of [retry({ clock }), circuitBreaker({ clock }), timeout({ timeoutMs: 100, clock })]) {
    const error = await runWork({ timeoutMs: 10, clock }, async () => {
      await clock.advance(10);
      expect(currentWork()?.deadline?.expired).toBe(true);
      return policy.execute(fn).catch((caught: unknown) => caught);
    });
    expect(isMacadamError(error, 'MAC_TIMEOUT')).toBe(true);
  }
  expect(fn).not.toHaveBeenCalled();
});

test('the JSON of an error with attempts has the failure of each', async () => {
  const clock = virtualClock();
  const call = retry({ clock, maxAttempts: 2 }).execute(() => Promise.reject(new Error('refused')));
  const error = await clock.runUntil(call.catch((caught: unknown) => caught));
  const json = JSON.parse(JSON.stringify(error)) as { attempts: { error: unknown }[] };
  expect(json.attempts.map((attempt) => attempt.error)).toEqual([
    { name: 'Error', message: 'refused' },
    { name: 'Error', message: 'refused' },
  ]);
});

test('the JSON of nested causes ends at a depth', () => {
  const [a, b] = [new TimeoutError('a', 1), new TimeoutError('b', 1)];
  a.cause = b;
  b.cause = a;
  expect(JSON.stringify(a).length).toBeLessThan(2_000);
});
