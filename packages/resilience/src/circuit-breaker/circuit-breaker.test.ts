import { once } from 'node:events';
import { MacadamError, runWork } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import { describe, expect, it, vi } from 'vitest';
import { AttemptsExhaustedError, BulkheadFullError, CircuitOpenError } from '../errors.ts';
import { timeout } from '../timeout.ts';
import { pipeline } from '../pipeline.ts';
import type { Outcome } from '../policy.ts';
import { retry } from '../retry/retry.ts';
import { circuitBreaker, type CircuitBreaker } from './circuit-breaker.ts';
import type { CircuitBreakerOptions, StateChange } from './options.ts';
import type { Verdict } from './state.ts';
import { consecutiveFailures, failureRate, slowCallRate, type TripRule } from './trip-rule.ts';

function made(options: CircuitBreakerOptions = {}) {
  const clock = virtualClock();
  const changes: string[] = [];
  const breaker = circuitBreaker({
    name: 'db',
    trip: [consecutiveFailures({ count: 3 })],
    openJitter: 0,
    halfOpenProbes: 1,
    clock,
    onStateChange: ({ from, to }) => changes.push(`${from} > ${to}`),
    ...options,
  });
  return { clock, breaker, changes };
}

/** What Node's own functions make of a time limit. */
const overdue: unknown = await once(new EventTarget(), 'never', {
  signal: AbortSignal.abort(new DOMException('late', 'TimeoutError')),
}).catch((error: unknown) => error);

const fail = (breaker: CircuitBreaker, error: unknown): Promise<unknown> =>
  breaker.execute(() => Promise.reject(error as Error)).catch((caught: unknown) => caught);

async function failTimes(breaker: CircuitBreaker, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await fail(breaker, new Error('down'));
}

function fault(): never {
  throw new Error('my bug');
}

function revokedProxy(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function throwsUnreadable(): never {
  throw Object.create(null) as Error;
}

describe('circuitBreaker', () => {
  it('goes through closed, open, half open and closed, and reports each change once', async () => {
    const { clock, breaker, changes } = made();
    await failTimes(breaker, 3);
    expect(breaker.state).toBe('open');
    const refused = vi.fn();
    await expect(breaker.execute(refused)).rejects.toMatchObject({
      code: 'MAC_CIRCUIT_OPEN',
      retryable: false,
      breaker: 'db',
      state: 'open',
      retryAfterMs: 5_000,
    });
    expect(refused).not.toHaveBeenCalled();
    await clock.advance(5_000);
    expect(await breaker.execute(() => 'well')).toBe('well');
    expect(changes).toEqual(['closed > open', 'open > halfOpen', 'halfOpen > closed']);
    expect(breaker.stats()).toEqual({ state: 'closed', successes: 1, failures: 3, neutral: 0, rejected: 1, opens: 1 });
    expect(clock.pendingTimers).toBe(0);
  });

  it('doubles its open time while probes fail, and resets it once closed', async () => {
    const { clock, breaker } = made();
    const openFor: unknown[] = [];
    const trip = async (failures: number): Promise<void> => {
      await failTimes(breaker, failures);
      const error = await breaker.execute(() => 1).catch((caught: CircuitOpenError) => caught);
      openFor.push((error as CircuitOpenError).retryAfterMs);
    };
    await trip(3);
    for (let i = 0; i < 4; i++) {
      await clock.advance(openFor.at(-1) as number);
      await trip(1);
    }
    await clock.advance(60_000);
    await breaker.execute(() => 'well');
    await trip(3);
    expect(openFor).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 5_000]);
  });

  it.each([
    { random: 0, openMs: 4_000 },
    { random: 0.5, openMs: 5_000 },
    { random: 0.75, openMs: 5_500 },
  ])('with draw $random stays open for $openMs ms', async ({ random, openMs }) => {
    const { breaker } = made({ openJitter: 0.2, random: () => random });
    await failTimes(breaker, 3);
    await expect(breaker.execute(() => 1)).rejects.toMatchObject({ retryAfterMs: openMs });
  });

  it.each([
    { name: 'a failure', error: new Error('down'), opens: true },
    { name: 'undefined thrown', error: undefined, opens: true },
    {
      name: 'a bulkhead that is full',
      error: new BulkheadFullError('x', { maxConcurrent: 1, maxQueued: 0, queuedMs: 0 }),
      opens: false,
    },
    { name: 'another breaker that is open', error: new CircuitOpenError('other', 'open', 5), opens: false },
    { name: 'a rate limit', error: new MacadamError('x', { code: 'MAC_RATE_LIMITED' }), opens: false },
    { name: 'an AbortError', error: new DOMException('x', 'AbortError'), opens: false },
    { name: "a time limit as Node's own functions tell it", error: overdue, opens: true },
    { name: 'another error of ours', error: new MacadamError('x', { code: 'MAC_TIMEOUT' }), opens: true },
  ])('three times $name: opens is $opens', async ({ error, opens }) => {
    const { breaker } = made();
    for (let i = 0; i < 3; i++) expect(await fail(breaker, error)).toBe(error);
    expect(breaker.state).toBe(opens ? 'open' : 'closed');
  });

  it('calls classify, also for values; if it throws, the call fails and counts as neutral', async () => {
    const { breaker } = made({
      classify: (outcome) => {
        if (!outcome.ok) return 'neutral';
        if (outcome.value === 'bug') throw new RangeError('my bug');
        return outcome.value === 'bad' ? 'failure' : 'success';
      },
    });
    await failTimes(breaker, 5);
    await expect(breaker.execute(() => 'bug')).rejects.toThrow('my bug');
    for (let i = 0; i < 3; i++) expect(await breaker.execute(() => 'bad')).toBe('bad');
    expect(breaker.stats()).toMatchObject({ state: 'open', neutral: 6, failures: 3 });
  });

  it.each([undefined, true, Promise.resolve('failure')])(
    'a classify that returns %s fails the call, and does not close the circuit',
    async (verdict) => {
      let answer: unknown = 'failure';
      const { clock, breaker } = made({ classify: () => answer as Verdict });
      await failTimes(breaker, 3);
      await clock.advance(5_000);
      answer = verdict;
      await expect(breaker.execute(() => 1)).rejects.toMatchObject({
        code: 'MAC_INVALID_OPTIONS',
        path: 'circuitBreaker.classify()',
      });
      expect(breaker.stats()).toMatchObject({ state: 'halfOpen', successes: 0, neutral: 1 });
    },
  );

  it.each([
    { act: 'isolate', state: 'isolated', ran: 0 },
    { act: 'reset', state: 'closed', ran: 1 },
  ] as const)('$act() in onStateChange applies to the call that caused the change', async ({ act, state, ran }) => {
    const { clock, breaker } = made({
      onStateChange: ({ to }) => {
        if (to === 'halfOpen') breaker[act]();
      },
    });
    await failTimes(breaker, 3);
    await clock.advance(5_000);
    const fn = vi.fn();
    await Promise.allSettled([breaker.execute(fn)]);
    expect(fn).toHaveBeenCalledTimes(ran);
    expect(breaker.stats()).toMatchObject({ state, rejected: 1 - ran });
  });

  it.each([
    { halfOpenProbes: 1, within: 'MAC_CIRCUIT_OPEN' },
    { halfOpenProbes: 2, within: 'ran' },
  ])('a call from onStateChange takes no place of $halfOpenProbes probes but its own', async (row) => {
    const ran = (): Promise<string> => Promise.resolve('ran');
    let within: Promise<unknown> | undefined;
    const { clock, breaker } = made({
      halfOpenProbes: row.halfOpenProbes,
      onStateChange: ({ to }) => {
        if (to === 'halfOpen') within = breaker.execute(ran).catch((error: MacadamError) => error.code);
      },
    });
    await failTimes(breaker, 3);
    await clock.advance(5_000);
    expect(await breaker.execute(ran)).toBe('ran');
    expect(await within).toBe(row.within);
    expect(breaker.state).toBe('closed');
  });

  it('isolate rejects all calls without retryAfterMs, until reset', async () => {
    const { clock, breaker, changes } = made();
    breaker.isolate();
    await clock.advance(3_600_000);
    const error = await breaker.execute(() => 1).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'MAC_CIRCUIT_OPEN', state: 'isolated' });
    expect('retryAfterMs' in (error as object)).toBe(false);
    breaker.reset();
    expect(await breaker.execute(() => 1)).toBe(1);
    expect(changes).toEqual(['closed > isolated', 'isolated > closed']);
  });

  it('halfOpen only ends the open time', async () => {
    const { breaker, changes } = made();
    breaker.halfOpen();
    await failTimes(breaker, 3);
    breaker.halfOpen();
    expect(breaker).toMatchObject({ state: 'halfOpen', admits: true });
    breaker.isolate();
    breaker.halfOpen();
    expect(changes).toEqual(['closed > open', 'open > halfOpen', 'halfOpen > isolated']);
  });

  it('isolating while a call is in flight discards its outcome', async () => {
    const { clock, breaker } = made();
    const call = breaker.execute(() => clock.sleep(10));
    breaker.isolate();
    await clock.runUntil(call);
    expect(breaker.stats()).toMatchObject({ state: 'isolated', successes: 0 });
  });

  it('reset clears the counts', async () => {
    const { breaker } = made();
    await failTimes(breaker, 2);
    breaker.reset();
    await failTimes(breaker, 2);
    expect(breaker.state).toBe('closed');
    await failTimes(breaker, 1);
    expect(breaker.state).toBe('open');
  });

  it('an error of onStateChange becomes a warning, and changes nothing', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { breaker } = made({
      onStateChange: () => {
        throw new Error('my bug');
      },
    });
    await failTimes(breaker, 3);
    expect(breaker.state).toBe('open');
    expect(warned).toHaveBeenCalledTimes(1);
  });

  it.each([
    { name: 'a value', fn: () => 1 },
    { name: 'a promise', fn: () => Promise.resolve(1) },
  ])("a rule of the user's that throws becomes a warning, and the call ends with $name", async ({ fn }) => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const fault = (): never => {
      throw new Error('my bug');
    };
    const rule: TripRule = { describe: () => 'mine', start: () => ({ record: fault, reset: fault }) };
    const { breaker } = made({ trip: [rule, consecutiveFailures({ count: 1 })] });
    expect(await breaker.execute(fn)).toBe(1);
    await failTimes(breaker, 1);
    expect(breaker.state).toBe('open');
    breaker.reset();
    expect(breaker.state).toBe('closed');
    expect(warned).toHaveBeenCalledTimes(4);
  });

  it.each([
    {
      name: 'the message of one of ours',
      error: new MacadamError('GET /a answered 500', { code: 'MAC_X' }),
      told: 'GET /a answered 500',
    },
    {
      name: 'a code',
      error: Object.assign(new Error('secret of ann'), { code: 'ECONNREFUSED' }),
      told: 'ECONNREFUSED',
    },
    { name: 'a name', error: new RangeError('secret of ann'), told: 'RangeError' },
    { name: 'its kind', error: 'secret of ann', told: 'a thrown string' },
    {
      name: 'what a retry gave up for',
      error: new AttemptsExhaustedError('maxAttempts', [], new RangeError('secret of ann')),
      told: 'RangeError',
    },
  ])('CircuitOpenError names the last failure, of other errors only $name', async ({ error, told }) => {
    const { breaker } = made();
    for (let i = 0; i < 3; i++) await fail(breaker, error);
    const refusal: unknown = await breaker.execute(() => 1).catch((caught: unknown) => caught);
    expect(refusal).toMatchObject({ code: 'MAC_CIRCUIT_OPEN', lastFailure: told });
    expect((refusal as Error).message).toContain(`the last failure: ${told}`);
    breaker.reset();
    breaker.isolate();
    expect(await breaker.execute(() => 1).catch((caught: unknown) => caught)).not.toHaveProperty('lastFailure');
  });

  it('CircuitOpenError says why the circuit opened: by which rule, or by which probe', async () => {
    const { clock, breaker } = made({
      trip: [
        consecutiveFailures({ count: 3 }),
        slowCallRate({ slowerThanMs: 100, windowCalls: 2, minimumCalls: 2, ratio: 1 }),
      ],
    });
    const slowly = (): Promise<string> => clock.sleep(101).then(() => 'at last');
    const reasons: unknown[] = [];
    const refused = async (): Promise<void> => {
      const refusal = await breaker.execute(() => 1).catch((caught: unknown) => caught as CircuitOpenError);
      const { state, reason, message } = refusal as CircuitOpenError;
      reasons.push(reason);
      expect(message.includes(`is ${state} (${reason})`)).toBe(state !== 'isolated');
    };
    await failTimes(breaker, 3);
    await refused();
    await clock.advance(5_000);
    const probe = breaker.execute(slowly);
    await refused();
    await clock.advance(101);
    await probe;
    await refused();
    breaker.reset();
    const calls = [breaker.execute(slowly), breaker.execute(slowly)];
    await clock.advance(101);
    await Promise.all(calls);
    await refused();
    breaker.isolate();
    await refused();
    expect(reasons).toEqual([
      '3 failures in a row',
      '3 failures in a row',
      'a probe took longer than 100 ms',
      '100 % calls slower than 100 ms among the last 2 calls, given 2 calls',
      'isolated by hand',
    ]);
  });

  it('passes the reason to onStateChange', async () => {
    const seen: StateChange[] = [];
    const { breaker } = made({ onStateChange: (change) => seen.push(change) });
    await failTimes(breaker, 3);
    expect(seen).toEqual([{ name: 'db', from: 'closed', to: 'open', reason: '3 failures in a row' }]);
  });

  it('has a reason for every possible change', async () => {
    const reasons: string[] = [];
    const { clock, breaker } = made({ onStateChange: ({ to, reason }) => reasons.push(`${to}: ${reason}`) });
    await failTimes(breaker, 3);
    await clock.advance(5_000);
    await failTimes(breaker, 1);
    await clock.advance(10_000);
    await breaker.execute(() => 'well');
    breaker.isolate();
    breaker.reset();
    expect(reasons).toEqual([
      'open: 3 failures in a row',
      'halfOpen: the open time is over',
      'open: a probe failed',
      'halfOpen: the open time is over',
      'closed: the probes succeeded',
      'isolated: isolated by hand',
      'closed: reset by hand',
    ]);
  });

  it.each<{ name: string; thrown: () => unknown }>([
    {
      name: 'an error whose name throws',
      thrown: () => Object.defineProperty(new Error('down'), 'name', { get: fault }),
    },
    { name: 'a revoked proxy', thrown: revokedProxy },
    { name: 'an object without a prototype', thrown: () => Object.create(null) as unknown },
    { name: 'nothing', thrown: () => undefined },
  ])('$name that is thrown counts as a failure, and the call ends with it', async ({ thrown }) => {
    const { breaker } = made();
    const error = thrown();
    for (let i = 0; i < 3; i++) {
      const call = breaker.execute(() => Promise.reject(error as Error));
      expect(
        await call.then(
          () => false,
          (caught: unknown) => caught === error,
        ),
      ).toBe(true);
    }
    expect(breaker.stats()).toMatchObject({ state: 'open', failures: 3 });
  });

  it.each<{ name: string; options: CircuitBreakerOptions }>([
    { name: 'onStateChange', options: { onStateChange: throwsUnreadable } },
    { name: 'random', options: { random: throwsUnreadable } },
    {
      name: 'describe() of a rule',
      options: {
        trip: [{ describe: throwsUnreadable, start: () => ({ record: (failed) => failed, reset: () => {} }) }],
      },
    },
  ])('$name may throw anything, and the call ends', async ({ options }) => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { breaker } = made({ trip: [consecutiveFailures({ count: 1 })], ...options });
    const down = new Error('down');
    expect(await fail(breaker, down)).toBe(down);
    expect(warned).toHaveBeenCalledExactlyOnceWith('A callback threw a value that cannot be read');
  });

  it('opens also by a rule that cannot be described', async () => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { breaker } = made({ trip: [{ describe: fault, start: () => consecutiveFailures({ count: 2 }).start() }] });
    await failTimes(breaker, 2);
    expect(await fail(breaker, new Error('down'))).toMatchObject({ reason: 'a rule that cannot be described' });
  });

  it('warns only of values that a listener throws, also if they are not errors', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const silent = circuitBreaker({ trip: [consecutiveFailures({ count: 1 })] });
    await failTimes(silent, 1);
    expect(silent.state).toBe('open');
    expect(warned).not.toHaveBeenCalled();
    const { breaker } = made({
      onStateChange: () => {
        throw 7 as unknown;
      },
    });
    await failTimes(breaker, 3);
    expect(warned).toHaveBeenCalledExactlyOnceWith('7');
  });

  it.each([
    { name: 'an AbortError', error: new DOMException('left', 'AbortError') },
    ...[
      'MAC_ABORTED',
      'MAC_BULKHEAD_FULL',
      'MAC_CIRCUIT_OPEN',
      'MAC_CLOSED',
      'MAC_CONCURRENCY_LIMITED',
      'MAC_INVALID_OPTIONS',
      'MAC_OVERLOADED',
      'MAC_RATE_LIMITED',
    ].map((code) => ({ name: code, error: new MacadamError('here', { code }) })),
  ])('$name neither ends nor extends failures in a row', async ({ error }) => {
    const { breaker } = made();
    await failTimes(breaker, 2);
    await fail(breaker, error);
    expect(breaker.stats()).toMatchObject({ state: 'closed', failures: 2, neutral: 1 });
    await failTimes(breaker, 1);
    expect(breaker.state).toBe('open');
  });

  it('an error of classify, and a timeout that was cut short, do not change the failures in a row', async () => {
    const { clock, breaker } = made({
      classify: ({ ok }) => {
        if (ok) throw new RangeError('my bug');
        return 'failure';
      },
    });
    await failTimes(breaker, 2);
    await expect(breaker.execute(() => 'well')).rejects.toThrow('my bug');
    const guarded = pipeline(retry({ maxAttempts: 1, clock }), breaker, timeout({ timeoutMs: 1_000, clock }));
    const impatient = runWork({ timeoutMs: 10, clock }, () => guarded.execute(() => new Promise<never>(() => {})));
    await clock.runUntil(Promise.allSettled([impatient]));
    expect(breaker.stats()).toMatchObject({ state: 'closed', failures: 2, neutral: 2 });
    await failTimes(breaker, 1);
    expect(breaker.state).toBe('open');
  });

  it('passes the outcome, the attempt and the duration to classify', async () => {
    const outcomes: Outcome[] = [];
    const { clock, breaker } = made({ classify: (outcome) => (outcomes.push(outcome), 'success') });
    const error = new Error('down');
    await clock.advance(1_000);
    await clock.runUntil(breaker.execute(() => clock.sleep(30).then(() => 'well')));
    const failing = breaker.execute(() => clock.sleep(70).then(() => Promise.reject(error)));
    await clock.runUntil(Promise.allSettled([failing]));
    expect(outcomes).toEqual([
      { ok: true, value: 'well', attempt: 1, durationMs: 30 },
      { ok: false, error, attempt: 1, durationMs: 70 },
    ]);
  });

  it('counts the open time from the failure, not from the start of its call', async () => {
    const { clock, breaker } = made({ trip: [consecutiveFailures({ count: 1 })] });
    const late = breaker.execute(() => clock.sleep(1_000).then(() => Promise.reject(new Error('down'))));
    await clock.runUntil(Promise.allSettled([late]));
    await expect(breaker.execute(() => 1)).rejects.toMatchObject({ retryAfterMs: 5_000 });
  });

  it('starts counting from zero after it has closed', async () => {
    const { clock, breaker } = made({ trip: [failureRate({ windowCalls: 4, minimumCalls: 4 })] });
    await failTimes(breaker, 4);
    await clock.advance(5_000);
    for (let i = 0; i < 4; i++) await breaker.execute(() => 'well');
    expect(breaker.state).toBe('closed');
    expect(breaker.stats()).toMatchObject({ opens: 1 });
  });

  it('opens when any of its rules trips', async () => {
    const trip = [consecutiveFailures({ count: 9 }), failureRate({ windowCalls: 4, minimumCalls: 4 })];
    const { breaker } = made({ trip });
    for (const ok of [true, false, true]) await (ok ? breaker.execute(() => 1) : fail(breaker, new Error('down')));
    expect(breaker.state).toBe('closed');
    await fail(breaker, new Error('down'));
    expect(breaker.state).toBe('open');
  });

  it('opens on slow successes, and a slow probe opens it again', async () => {
    const { clock, breaker } = made({ trip: [slowCallRate({ slowerThanMs: 100, windowCalls: 2, minimumCalls: 2 })] });
    for (let i = 0; i < 2; i++) await clock.runUntil(breaker.execute(() => clock.sleep(101)));
    expect(breaker.state).toBe('open');
    await clock.advance(5_000);
    await clock.runUntil(breaker.execute(() => clock.sleep(101)));
    expect(breaker.state).toBe('open');
  });

  it('a probe exactly as slow as slowerThanMs closes it; an aborted one, however slow, does not open it', async () => {
    const { clock, breaker } = made({ trip: [slowCallRate({ slowerThanMs: 100, windowCalls: 2, minimumCalls: 2 })] });
    for (let i = 0; i < 2; i++) await clock.runUntil(breaker.execute(() => clock.sleep(101)));
    await clock.advance(5_000);
    const left = async (): Promise<never> => {
      await clock.sleep(500);
      throw new DOMException('left', 'AbortError');
    };
    await clock.runUntil(Promise.allSettled([breaker.execute(left)]));
    expect(breaker.state).toBe('halfOpen');
    await clock.runUntil(breaker.execute(() => clock.sleep(100)));
    expect(breaker.state).toBe('closed');
  });

  it('counts the timeout of an attempt as a failure, also if the call timeout ended it', async () => {
    const { clock, breaker } = made();
    const guarded = pipeline(timeout({ timeoutMs: 50, clock }), breaker);
    for (let i = 0; i < 3; i++) {
      await clock.runUntil(Promise.allSettled([guarded.execute(() => new Promise<never>(() => {}))]));
    }
    expect(breaker.stats()).toMatchObject({ state: 'open', failures: 3 });
  });

  it('captures the stack of CircuitOpenError only with captureStack', async () => {
    for (const captureStack of [false, true]) {
      const { breaker } = made({ captureStack });
      breaker.isolate();
      const error = (await breaker.execute(() => 1).catch((caught: unknown) => caught)) as Error;
      expect(error.stack?.includes('\n    at ')).toBe(captureStack);
    }
  });

  it('describes its options', () => {
    expect(circuitBreaker({ name: 'db' }).describe()).toMatchInlineSnapshot(
      `"circuit breaker "db": opens after 50 % failures within 30000 ms, given 20 calls, or 5 failures in a row, and as many as the calls of the 1000 ms before them; stays open 5000 ms, doubling to 60000 ms, ± 20 %; closes after 3 good probes"`,
    );
  });

  it.each([
    { options: { trip: [] }, path: 'circuitBreaker.trip' },
    { options: { trip: [5] }, path: 'circuitBreaker.trip[0]' },
    { options: { name: '' }, path: 'circuitBreaker.name' },
    { options: { openMs: 0 }, path: 'circuitBreaker.openMs' },
    { options: { openMs: 5_000, maxOpenMs: 1_000 }, path: 'circuitBreaker.maxOpenMs' },
    { options: { openJitter: 1.5 }, path: 'circuitBreaker.openJitter' },
    { options: { halfOpenProbes: 0 }, path: 'circuitBreaker.halfOpenProbes' },
    { options: { probeLeaseMs: 0 }, path: 'circuitBreaker.probeLeaseMs' },
    { options: { classify: 'all' }, path: 'circuitBreaker.classify' },
    { options: { threshold: 5 }, path: 'circuitBreaker.threshold' },
  ])('rejects $options', ({ options, path }) => {
    expect(() => circuitBreaker(options as never)).toThrow(expect.objectContaining({ path }));
  });
});
