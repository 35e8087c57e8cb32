import { getEventListeners } from 'node:events';
import { virtualClock, seededRandom } from '@macadam/testkit';
import { describe, expect, it, vi } from 'vitest';
import {
  AttemptsExhaustedError,
  bulkhead,
  circuitBreaker,
  circuitBreakers,
  concurrentRetryBudget,
  consecutiveFailures,
  constant,
  failureRate,
  pipeline,
  retry,
  retryBudget,
  retryBudgets,
  timeout,
  type CircuitBreaker,
  type CircuitBreakerOptions,
} from '@macadam/resilience';

/** What went wrong in other libraries, one row each, named by library and thread. */

const hang = (): Promise<never> => new Promise<never>(() => {});
const down = (): Promise<never> => Promise.reject(new Error('down'));
const ended = (call: Promise<unknown>): Promise<unknown> => call.then(String, (error: unknown) => error);

function breakerOf(options: CircuitBreakerOptions = {}) {
  const clock = virtualClock();
  const changes: string[] = [];
  const breaker = circuitBreaker({
    trip: [consecutiveFailures({ count: 2 })],
    openMs: 1_000,
    openJitter: 0,
    halfOpenProbes: 1,
    probeLeaseMs: 500,
    clock,
    onStateChange: ({ to }) => changes.push(to),
    ...options,
  });
  return { clock, breaker, changes };
}

async function open(breaker: CircuitBreaker, failures = 2): Promise<void> {
  for (let i = 0; i < failures; i++) await ended(breaker.execute(down));
  expect(breaker.state).toBe('open');
}

describe('circuit breaker', () => {
  it.each([
    { how: 'hangs', probe: hang },
    { how: 'is cancelled by its caller', probe: hang, cancel: true },
    { how: 'fails in a way that is ignored', probe: () => Promise.reject(new DOMException('x', 'AbortError')) },
  ])(
    'D3: AC1: opossum #388, #276, #57, #658: a probe that $how does not wedge the breaker',
    async ({ probe, cancel }) => {
      const { clock, breaker } = breakerOf();
      await open(breaker);
      await clock.advance(1_000);
      const controller = new AbortController();
      void ended(breaker.execute(probe, { signal: controller.signal }));
      expect(breaker.state).toBe('halfOpen');
      if (cancel === true) controller.abort();
      await clock.advance(500);
      expect(await breaker.execute(() => 'well')).toBe('well');
      expect(breaker.state).toBe('closed');
    },
  );

  it('D4: opossum 10: the late success of a call from before the trip does not close a half-open breaker', async () => {
    const { clock, breaker } = breakerOf();
    const early = breaker.execute(() => clock.sleep(1_200));
    await open(breaker);
    await clock.advance(1_000);
    void ended(breaker.execute(hang));
    expect(breaker.state).toBe('halfOpen');
    await clock.advance(200);
    await early;
    expect(breaker.state).toBe('halfOpen');
    expect(breaker.stats()).toMatchObject({ successes: 0 });
  });

  it('D5: opossum 10: a rejection by a bulkhead does not open the breaker around it', async () => {
    const { clock, breaker } = breakerOf();
    const places = bulkhead({ maxConcurrent: 1, clock });
    void ended(breaker.execute(() => places.execute(hang)));
    for (let i = 0; i < 10; i++) await ended(breaker.execute(() => places.execute(hang)));
    expect(breaker.state).toBe('closed');
    expect(breaker.stats()).toMatchObject({ failures: 0, neutral: 10 });
  });

  it('D6: opossum 10: the open time counts from the opening, not from the construction', async () => {
    const { clock, breaker } = breakerOf();
    await clock.advance(999_999);
    await open(breaker);
    await clock.advance(999);
    expect(await ended(breaker.execute(() => 1))).toMatchObject({ code: 'MAC_CIRCUIT_OPEN', retryAfterMs: 1 });
  });

  it('AC2: opossum #119: half open admits exactly N probes, refuses the next at once, and any failure re-opens', async () => {
    const { clock, breaker } = breakerOf({ halfOpenProbes: 3 });
    await open(breaker);
    await clock.advance(1_000);
    const probes = vi.fn(hang);
    let failProbe = (): void => {};
    for (let i = 0; i < 2; i++) void ended(breaker.execute(probes));
    void ended(breaker.execute(() => new Promise<never>((_, reject) => (failProbe = () => reject(new Error('no'))))));
    const refused = vi.fn();
    expect(await ended(breaker.execute(refused))).toMatchObject({ state: 'halfOpen', retryAfterMs: 500 });
    expect(probes).toHaveBeenCalledTimes(2);
    expect(refused).not.toHaveBeenCalled();
    failProbe();
    await clock.settle();
    expect(breaker.state).toBe('open');
  });

  it('AC3: opossum #385: simultaneous failures open it once, and it half-opens on time', async () => {
    const { clock, breaker, changes } = breakerOf({ trip: [consecutiveFailures({ count: 5 })] });
    await Promise.all(Array.from({ length: 6 }, () => ended(breaker.execute(down))));
    expect(changes).toEqual(['open']);
    expect(breaker.stats()).toMatchObject({ opens: 1 });
    await clock.advance(1_000);
    expect(await breaker.execute(() => 'well')).toBe('well');
  });

  it('AC4: opossum #484: under load a success in half open closes it, and the very next call is admitted', async () => {
    const { clock, breaker, changes } = breakerOf();
    await open(breaker);
    await clock.advance(1_000);
    const probe = breaker.execute(() => clock.sleep(10));
    const refused = await Promise.all(Array.from({ length: 100 }, () => ended(breaker.execute(() => 1))));
    expect(refused.every((error) => (error as { code?: string }).code === 'MAC_CIRCUIT_OPEN')).toBe(true);
    await clock.runUntil(probe);
    expect(breaker.state).toBe('closed');
    expect(await breaker.execute(() => 'next')).toBe('next');
    expect(changes).toEqual(['open', 'halfOpen', 'closed']);
  });

  it('AC6: opossum #481, #482, #558: the first call failing does not open it', async () => {
    const clock = virtualClock();
    const breaker = circuitBreaker({ clock });
    await ended(breaker.execute(down));
    expect(breaker.state).toBe('closed');
  });

  it('AC7: vikunja-mcp PR #90: a breaker shared by name runs each caller’s own operation', async () => {
    const breakers = circuitBreakers({ clock: virtualClock() });
    const run = (value: number): Promise<number> => breakers.for('db').execute(() => value);
    expect(await Promise.all([run(1), run(2), run(3)])).toEqual([1, 2, 3]);
  });

  it('D8: cockatiel 4 sampling: eight failures an hour old and two new ones do not trip a window of 5 s', async () => {
    const { clock, breaker } = breakerOf({ trip: [failureRate({ windowMs: 5_000, minimumCalls: 10 })] });
    for (let i = 0; i < 8; i++) await ended(breaker.execute(down));
    await clock.advance(3_600_000);
    for (let i = 0; i < 2; i++) await ended(breaker.execute(down));
    expect(breaker.state).toBe('closed');
  });

  it('D9: cockatiel 4: excess calls in half open are rejected at once and do not wait for a hung probe', async () => {
    const { clock, breaker } = breakerOf();
    await open(breaker);
    await clock.advance(1_000);
    void ended(breaker.execute(hang));
    const surplus = ended(breaker.execute(() => 1));
    await clock.settle();
    expect(await surplus).toMatchObject({ code: 'MAC_CIRCUIT_OPEN' });
  });

  it('D12: Polly, cockatiel 4: a cancelled probe neither closes the circuit nor re-opens it', async () => {
    const { clock, breaker } = breakerOf();
    await open(breaker);
    await clock.advance(1_000);
    const controller = new AbortController();
    const probe = ended(breaker.execute(hang, { signal: controller.signal }));
    controller.abort('left');
    expect(await probe).toBe('left');
    expect(breaker.state).toBe('halfOpen');
    expect(breaker.stats()).toMatchObject({ neutral: 1, opens: 1 });
  });

  it('D13: misina 0.5: of probes started one after another while one is in flight none is admitted', async () => {
    const { clock, breaker } = breakerOf();
    await open(breaker);
    await clock.advance(1_000);
    const admitted = vi.fn(hang);
    const calls = [1, 2, 3].map(() => ended(breaker.execute(admitted)));
    await clock.settle();
    expect(admitted).toHaveBeenCalledTimes(1);
    expect(await Promise.all(calls.slice(1))).toMatchObject([{ state: 'halfOpen' }, { state: 'halfOpen' }]);
  });

  it('D14: misina, ffetch: cancellations by callers do not count as failures', async () => {
    const { breaker } = breakerOf();
    for (let i = 0; i < 10; i++) {
      const controller = new AbortController();
      const call = ended(breaker.execute(hang, { signal: controller.signal }));
      controller.abort();
      await call;
    }
    expect(breaker.stats()).toMatchObject({ state: 'closed', failures: 0, neutral: 10 });
  });

  it('D15: ffetch 5: when the open time is over not all traffic passes, only the probes', async () => {
    const { clock, breaker } = breakerOf({ halfOpenProbes: 2 });
    await open(breaker);
    await clock.advance(1_000);
    const admitted = vi.fn(hang);
    for (let i = 0; i < 50; i++) void ended(breaker.execute(admitted));
    expect(admitted).toHaveBeenCalledTimes(2);
  });
});

describe('retry', () => {
  it('AC8: cockatiel #107: the rejection of an open circuit inside a retry is not retried', async () => {
    const { clock, breaker } = breakerOf();
    await open(breaker);
    const guarded = pipeline(retry({ clock, budget: false }), breaker);
    expect(await ended(guarded.execute(() => 1))).toMatchObject({ code: 'MAC_CIRCUIT_OPEN' });
    expect(breaker.stats()).toMatchObject({ rejected: 1 });
  });

  it('D10: D19: AC13: cockatiel 4, p-retry #97, openai-node #2580, AWS SDK for JavaScript: an abort ends the backoff at once', async () => {
    const clock = virtualClock();
    const controller = new AbortController();
    const fn = vi.fn(down);
    const policy = retry({ clock, budget: false, backoff: constant({ delayMs: 1_000 }) });
    const call = ended(policy.execute(fn, { signal: controller.signal }));
    await clock.advance(500);
    controller.abort('stop');
    expect(await call).toBe('stop');
    expect(clock.monotonic()).toBe(500);
    clock.assertNoTimers();
    await clock.advance(5_000);
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it('AC12: redux-toolkit #5409, p-timeout #42: when a wait ends by timeout, it leaves no listener', async () => {
    const clock = virtualClock();
    const { signal } = new AbortController();
    const policy = retry({ clock, budget: false, maxAttempts: 20, backoff: constant({ delayMs: 10 }) });
    const call = ended(policy.execute(down, { signal }));
    for (let i = 0; i < 15; i++) {
      await clock.advance(10);
      expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    }
    await clock.runUntil(call);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it.each([
    { peer: 'axios-retry, ffetch, got', ms: 2 ** 31 },
    { peer: 'fluent-logger-forward-node #44', ms: 9_999_999_999_000 },
    { peer: 'Azure PR #39130', ms: 2_147_484_000 },
  ])('D16: AC23: $peer: a Retry-After of $ms ms is no immediate retry', async ({ ms }) => {
    const clock = virtualClock();
    const fn = vi.fn(() => Promise.reject(Object.assign(new Error('busy'), { retryAfterMs: ms })));
    expect(await ended(retry({ clock }).execute(fn))).toMatchObject({ reason: 'retryAfterTooLong', retryAfterMs: ms });
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it('D18: undici: a Retry-After above 30 s is honoured, not cut short', async () => {
    const clock = virtualClock();
    const at: number[] = [];
    const call = retry({ clock, random: () => 0 }).execute(() => {
      at.push(clock.monotonic());
      if (at.length === 1) throw Object.assign(new Error('busy'), { retryAfterMs: 45_000 });
    });
    await clock.runUntil(call);
    expect(at).toEqual([0, 45_000]);
  });

  it('D17: ofetch 2 alpha, PR #621: each attempt has a signal of its own', async () => {
    const clock = virtualClock();
    const guarded = pipeline(
      retry({ clock, budget: false, maxAttempts: 4, backoff: constant({ delayMs: 0 }) }),
      timeout({ timeoutMs: 100, clock }),
    );
    const at: number[] = [];
    const call = guarded.execute(async ({ signal }) => {
      expect(signal.aborted).toBe(false);
      at.push(clock.monotonic());
      await clock.sleep(300, signal);
    });
    await clock.runUntil(ended(call));
    expect(at).toEqual([0, 100, 200, 300]);
  });

  it('AC14: ofetch #21: an abort by the user is never retried', async () => {
    const clock = virtualClock();
    const controller = new AbortController();
    const fn = vi.fn(({ signal }: { signal: AbortSignal }) => clock.sleep(1_000, signal));
    const call = ended(retry({ clock, budget: false }).execute(fn, { signal: controller.signal }));
    controller.abort('user');
    expect(await call).toBe('user');
    await clock.advance(100_000);
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it('D21: Effect withRateLimiter: throttled responses are retried a limited number of times', async () => {
    const clock = virtualClock();
    const fn = vi.fn(() => Promise.reject(Object.assign(new Error('429'), { retryAfterMs: 10 })));
    const error = await clock.runUntil(ended(retry({ clock }).execute(fn)));
    expect(error).toBeInstanceOf(AttemptsExhaustedError);
    expect(fn).toHaveBeenCalledTimes(3);
  });

  it('AC24: wojtekmach/req #473, vercel/fetch-retry #9: clients that failed together retry at different times', async () => {
    const clock = virtualClock();
    const random = seededRandom(3);
    const second: number[] = [];
    const calls = Array.from({ length: 1_000 }, () =>
      retry({ clock, random, maxAttempts: 2, budget: false, throttledBaseMs: 0 }).execute(({ attempt }) => {
        if (attempt === 2) second.push(clock.monotonic());
        return down();
      }),
    );
    await clock.runUntil(Promise.allSettled(calls));
    const uniform = second.toSorted((a, b) => a - b).map((at) => at / 50);
    const distance = Math.max(...uniform.map((x, i) => Math.max((i + 1) / 1_000 - x, x - i / 1_000)));
    expect(distance).toBeLessThan(1.63 / Math.sqrt(1_000));
  });
});

describe('budget', () => {
  it('AC27: aws-sdk-rust #1234: the budget is consulted', async () => {
    const clock = virtualClock();
    const fn = vi.fn(down);
    const budget = retryBudget({ ratio: 0, minPerSecond: 0, clock });
    expect(await ended(retry({ clock, budget }).execute(fn))).toMatchObject({ reason: 'budget' });
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it('AC28: aws-sdk-go-base #915: each upstream has its own, so that one outage does not stop the retries of another', () => {
    const budgets = retryBudgets({ ratio: 0, minPerSecond: 1, clock: virtualClock() });
    for (let i = 0; i < 100; i++) budgets.for('dead').tryRetry(false, 0);
    expect(budgets.for('alive').tryRetry(false, 0)).toBe(true);
    expect(budgets.for('dead').tryRetry(false, 0)).toBe(false);
  });

  it.each([
    { calls: 25, retries: 5 },
    { calls: 2, retries: 3 },
  ])('AC44: envoy PR #9069: with $calls calls in flight, $retries retries are allowed', ({ calls, retries }) => {
    const budget = concurrentRetryBudget({ ratio: 0.2, minConcurrent: 3 });
    for (let i = 0; i < calls; i++) budget.callStarted(0);
    let granted = 0;
    while (granted < 100 && budget.tryRetry(false, 0)) granted++;
    expect(granted).toBe(retries);
    budget.retryEnded();
    expect(budget.tryRetry(false, 0)).toBe(true);
  });
});

describe('signals', () => {
  it('D11: cockatiel 4 bulkhead: a queued call that is aborted is rejected at once, not when its turn comes', async () => {
    const clock = virtualClock();
    const places = bulkhead({ maxConcurrent: 1, maxQueued: 1, clock });
    void ended(places.execute(hang));
    const controller = new AbortController();
    const queued = ended(places.execute(hang, { signal: controller.signal }));
    controller.abort('left');
    expect(await queued).toBe('left');
  });

  it('AC9: cockatiel #69, #81: 10,000 calls in a row on one signal leave no listener and cause no warning', async () => {
    const clock = virtualClock();
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { signal } = new AbortController();
    const guarded = pipeline(
      bulkhead({ maxConcurrent: 1, maxQueued: 1, clock }),
      timeout({ timeoutMs: 1_000, clock }),
      retry({ clock }),
      circuitBreaker({ clock }),
      timeout({ timeoutMs: 500, clock }),
    );
    for (let i = 0; i < 10_000; i++) {
      const call = guarded.execute(() => Promise.resolve(i), { signal });
      expect(getEventListeners(signal, 'abort').length).toBeLessThanOrEqual(1);
      await call;
    }
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    expect(warned).not.toHaveBeenCalled();
  });

  it('AC11: node #55351, #54614: AbortSignal.any is never used on the signal of a caller', async () => {
    const any = vi.spyOn(AbortSignal, 'any');
    const clock = virtualClock();
    const { signal } = new AbortController();
    const guarded = pipeline(timeout({ timeoutMs: 100, clock }), retry({ clock }), timeout({ timeoutMs: 50, clock }));
    await guarded.execute(async (context) => void context.signal.aborted, { signal });
    expect(any).not.toHaveBeenCalled();
  });
});
