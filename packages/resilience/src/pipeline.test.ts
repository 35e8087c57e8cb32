import { virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { adaptiveConcurrency } from './adaptive-concurrency/adaptive-concurrency.ts';
import { bulkhead } from './bulkhead.ts';
import { circuitBreaker } from './circuit-breaker/circuit-breaker.ts';
import { fallback } from './fallback.ts';
import { hedge } from './hedge/hedge.ts';
import { pipeline } from './pipeline.ts';
import type { Policy } from './policy.ts';
import { constant } from './retry/backoff.ts';
import { retry } from './retry/retry.ts';
import { standardPipeline } from './standard-pipeline.ts';
import { timeout } from './timeout.ts';

const clock = virtualClock();
const make = {
  fallback: () => fallback({ value: 0, clock }),
  bulkhead: () => bulkhead({ clock }),
  timeout: () => timeout({ timeoutMs: 100, clock }),
  retry: () => retry({ clock }),
  hedge: () => hedge({ clock }),
  breaker: () => circuitBreaker({ clock }),
  adaptive: () => adaptiveConcurrency({ clock }),
} satisfies Record<string, () => Policy>;
type Name = keyof typeof make;
const composed = (names: string) => pipeline(...names.split(' ').map((name) => make[name as Name]()));

describe('pipeline', () => {
  it.each([
    'timeout',
    'retry',
    'timeout retry',
    'retry timeout',
    'timeout retry timeout',
    'timeout breaker timeout',
    'bulkhead timeout retry breaker timeout',
    'fallback bulkhead timeout retry hedge breaker adaptive timeout',
    'fallback retry',
    'breaker adaptive',
  ])('accepts the order %s', (names) => {
    expect(composed(names).policies).toHaveLength(names.split(' ').length);
  });

  it.each([
    { names: 'retry bulkhead', path: 'pipeline[1]', reason: /outside of retry .*would count attempts/ },
    { names: 'timeout bulkhead', path: 'pipeline[1]', reason: /outside of timeout/ },
    { names: 'breaker retry', path: 'pipeline[1]', reason: /outside of circuitBreaker/ },
    { names: 'timeout breaker retry', path: 'pipeline[2]', reason: /outside of circuitBreaker/ },
    { names: 'adaptive breaker', path: 'pipeline[1]', reason: /outside of adaptiveConcurrency/ },
    { names: 'breaker hedge', path: 'pipeline[1]', reason: /outside of circuitBreaker/ },
    { names: 'hedge retry', path: 'pipeline[1]', reason: /outside of hedge/ },
    { names: 'retry fallback', path: 'pipeline[1]', reason: /outside of retry/ },
    { names: 'retry timeout breaker', path: 'pipeline[2]', reason: /outside of timeout/ },
    { names: 'breaker timeout', path: 'pipeline[1]', reason: /outside of circuitBreaker .*limits the whole call/ },
    { names: 'timeout timeout', path: 'pipeline[1]', reason: /apart from another timeout/ },
    { names: 'retry retry', path: 'pipeline[1]', reason: /given once/ },
    { names: 'breaker breaker', path: 'pipeline[1]', reason: /given once/ },
  ])('rejects the order "$names" at $path, with the reason', ({ names, path, reason }) => {
    const compose = () => composed(names);
    expect(compose).toThrow(expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path }));
    expect(compose).toThrow(reason);
  });

  it('rejects two clocks, no policies, and policies of other packages', () => {
    expect(() => pipeline(timeout({ timeoutMs: 1, clock }), retry())).toThrow(
      expect.objectContaining({ path: 'pipeline[1].clock' }),
    );
    expect(() => pipeline()).toThrow(expect.objectContaining({ path: 'pipeline' }));
    for (const wrong of [null, {}, { kind: 'retry', execute: () => {} }, 'retry']) {
      expect(() => pipeline(wrong as never)).toThrow(expect.objectContaining({ path: 'pipeline[0]' }));
    }
  });

  it('distinguishes the timeouts of the call and of the attempt', async () => {
    const own = virtualClock();
    const guarded = pipeline(
      timeout({ timeoutMs: 1_000, clock: own }),
      retry({ clock: own, budget: false, backoff: constant({ delayMs: 0 }) }),
      timeout({ timeoutMs: 100, clock: own }),
    );
    const hang = (): Promise<never> => new Promise<never>(() => {});
    const settled = await own.runUntil(Promise.allSettled([guarded.execute(hang)]));
    expect(settled).toMatchObject([{ reason: { cause: { message: 'The attempt took longer than 100 ms' } } }]);
    expect(own.monotonic()).toBe(300);
    const limited = guarded.execute(hang, { timeoutMs: 50, attemptTimeoutMs: 500 });
    await expect(own.runUntil(limited)).rejects.toMatchObject({ code: 'MAC_TIMEOUT', timeoutMs: 50 });
    expect(guarded.stats()).toMatchObject({ timeout: { timedOut: expect.any(Number) as number }, attemptTimeout: {} });
  });

  it('nests', async () => {
    const own = virtualClock();
    const inner = pipeline(timeout({ timeoutMs: 100, clock: own }), circuitBreaker({ clock: own }));
    const outer = pipeline(retry({ clock: own, budget: false, backoff: constant({ delayMs: 5 }) }), inner);
    let calls = 0;
    const call = outer.execute(() => {
      if (++calls < 3) throw new Error('down');
      return 'ok';
    });
    expect(await own.runUntil(call)).toBe('ok');
  });

  it('limits the attempts of a retry around it, whatever the limit of the whole call', async () => {
    const own = virtualClock();
    const attempts = pipeline(timeout({ timeoutMs: 100, clock: own }), circuitBreaker({ clock: own }));
    const repeated = pipeline(retry({ clock: own, maxAttempts: 1 }), attempts);
    const hang = (): Promise<never> => new Promise<never>(() => {});
    const call = repeated.execute(hang, { timeoutMs: 5_000 });
    await expect(own.runUntil(call)).rejects.toThrow('The attempt took longer than 100 ms');
    await expect(own.runUntil(repeated.execute(hang, { attemptTimeoutMs: 20 }))).rejects.toThrow('20 ms');
    await expect(own.runUntil(attempts.execute(hang, { timeoutMs: 300 }))).rejects.toThrow('The call took longer than');
  });

  it('inside of another one, makes the timeouts after it those of attempts', async () => {
    const own = virtualClock();
    const whole = pipeline(timeout({ timeoutMs: 1_000, clock: own }), retry({ clock: own, maxAttempts: 1 }));
    const guarded = pipeline(whole, timeout({ timeoutMs: 100, clock: own }));
    const call = guarded.execute(() => new Promise(() => {}), { timeoutMs: 500 });
    await expect(own.runUntil(call)).rejects.toThrow('The attempt took longer than 100 ms');
    expect(guarded.stats()).toMatchObject({ pipeline: { timeout: {}, retry: {} }, attemptTimeout: { timedOut: 1 } });
  });

  it('has the statistics of each of several inner ones', () => {
    const guarded = pipeline(pipeline(retry({ clock })), pipeline(circuitBreaker({ clock })));
    expect(guarded.stats()).toMatchObject({ pipeline: { retry: {} }, pipeline2: { circuitBreaker: {} } });
  });

  it('describes its policies in order', () => {
    expect(standardPipeline({ name: 'db', timeoutMs: 2_000, attemptTimeoutMs: 500 }).describe()).toMatchInlineSnapshot(`
      "1. bulkhead: 1000 in flight, none queued
      2. timeout: 2000 ms
      3. retry: 3 attempts; waits up to 50 ms x 2 each time, at most 20000 ms, fully jittered; honours Retry-After up to 60000 ms; retry budget: 20 % of the calls of the last 10000 ms, and 3 a second
      4. circuit breaker "db": opens after 50 % failures within 30000 ms, given 20 calls, or 5 failures in a row, and as many as the calls of the 1000 ms before them; stays open 5000 ms, doubling to 60000 ms, ± 20 %; closes after 3 good probes
      5. timeout: 500 ms"
    `);
  });
});
