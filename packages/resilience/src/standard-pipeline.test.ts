import { virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { failureRate } from './circuit-breaker/trip-rule.ts';
import { constant } from './retry/backoff.ts';
import { standardPipeline, type StandardPipelineOptions } from './standard-pipeline.ts';

const kinds = (options: StandardPipelineOptions): string =>
  standardPipeline(options)
    .policies.map(({ kind }) => kind)
    .join(' ');

describe('standardPipeline', () => {
  it.each<{ options: StandardPipelineOptions; layers: string }>([
    { options: {}, layers: 'bulkhead timeout retry circuitBreaker timeout' },
    { options: { bulkhead: false }, layers: 'timeout retry circuitBreaker timeout' },
    { options: { retry: false }, layers: 'bulkhead timeout circuitBreaker timeout' },
    { options: { circuitBreaker: false }, layers: 'bulkhead timeout retry timeout' },
    { options: { bulkhead: false, retry: false, circuitBreaker: false }, layers: 'timeout' },
    {
      options: { hedge: {}, adaptiveConcurrency: {} },
      layers: 'bulkhead timeout retry hedge circuitBreaker adaptiveConcurrency timeout',
    },
  ])('$options makes $layers', ({ options, layers }) => {
    expect(kinds(options)).toBe(layers);
  });

  it.each<{ name: string; options: object; path: string; allowed?: RegExp }>([
    { name: 'a total below 0', options: { timeoutMs: -1 }, path: 'standardPipeline.timeoutMs' },
    { name: 'an attempt of no time', options: { attemptTimeoutMs: 0 }, path: 'standardPipeline.attemptTimeoutMs' },
    {
      name: 'an attempt longer than the total',
      options: { timeoutMs: 1_000, attemptTimeoutMs: 1_001 },
      path: 'standardPipeline.attemptTimeoutMs',
      allowed: /at most timeoutMs \(1000\)/,
    },
    {
      name: 'a window shorter than two attempts',
      options: { attemptTimeoutMs: 6_000, circuitBreaker: { trip: [failureRate({ windowMs: 10_000 })] } },
      path: 'standardPipeline.circuitBreaker.trip[0].windowMs',
      allowed: /at least twice attemptTimeoutMs \(6000\)/,
    },
    {
      name: 'waits that fill the total',
      options: { timeoutMs: 1_000, retry: { backoff: constant({ delayMs: 500 }) } },
      path: 'standardPipeline.retry.backoff',
      allowed: /about 1000 ms in all/,
    },
    {
      name: 'more attempts than their waits leave time for',
      options: { timeoutMs: 2_000, retry: { maxAttempts: 20 } },
      path: 'standardPipeline.retry.maxAttempts',
    },
    {
      name: 'a hedge after the end',
      options: { timeoutMs: 500, hedge: { delayMs: 500 } },
      path: 'standardPipeline.hedge.delayMs',
    },
    { name: 'an unknown option', options: { timeout: 5 }, path: 'standardPipeline.timeout' },
    {
      name: 'a wrong option of a layer',
      options: { bulkhead: { maxConcurrent: 0 } },
      path: 'standardPipeline.bulkhead.maxConcurrent',
    },
    {
      name: 'an unknown option of a layer',
      options: { retry: { retries: 3 } },
      path: 'standardPipeline.retry.retries',
    },
    ...['bulkhead', 'retry', 'hedge', 'circuitBreaker', 'adaptiveConcurrency'].flatMap((layer) =>
      [true, null, 10].map((value) => ({
        name: `${layer} that is ${value}`,
        options: { [layer]: value },
        path: `standardPipeline.${layer}`,
      })),
    ),
    {
      name: 'a backoff that is a number',
      options: { retry: { backoff: 100 } },
      path: 'standardPipeline.retry.backoff',
    },
    {
      name: 'a rule in place of a list',
      options: { circuitBreaker: { trip: failureRate() } },
      path: 'standardPipeline.circuitBreaker.trip',
    },
    {
      name: 'a list of no rules',
      options: { circuitBreaker: { trip: [null] } },
      path: 'standardPipeline.circuitBreaker.trip[0]',
    },
  ])('rejects $name', ({ options, path, allowed = /./ }) => {
    expect(() => standardPipeline(options)).toThrow(expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path }));
    expect(() => standardPipeline(options)).toThrow(allowed);
  });

  it.each([
    { timeoutMs: 1_000, attemptTimeoutMs: 1_000 },
    { timeoutMs: 1_000 },
    { attemptTimeoutMs: 5_000, circuitBreaker: { trip: [failureRate({ windowMs: 10_000 })] } },
    { timeoutMs: 1_001, retry: { backoff: constant({ delayMs: 500 }) } },
  ])('accepts options at the limit: %j', (options) => {
    expect(() => standardPipeline(options)).not.toThrow();
  });

  it.each(['bulkhead', 'retry', 'hedge', 'circuitBreaker', 'adaptiveConcurrency'] as const)(
    'takes an option of %s that is undefined for one that is not given',
    (layer) => {
      const unset = { clock: undefined, ...(layer === 'circuitBreaker' && { name: undefined }) };
      const made = standardPipeline({ name: 'db', clock: virtualClock(), [layer]: unset });
      expect(made.describe()).toContain('circuit breaker "db"');
    },
  );

  it('keeps only the timeout of the attempt when nothing is between both', async () => {
    const clock = virtualClock();
    const limits = { timeoutMs: 30_000, attemptTimeoutMs: 500, clock };
    const guarded = standardPipeline({ ...limits, retry: false, circuitBreaker: false });
    const call = guarded.execute(() => new Promise<never>(() => {}));
    await expect(clock.runUntil(call)).rejects.toMatchObject({ code: 'MAC_TIMEOUT' });
    expect(clock.monotonic()).toBe(500);
  });

  it.each([{}, { retry: false }] as const)('with %o, hedges get the budget that their calls earn', async (options) => {
    const clock = virtualClock();
    const guarded = standardPipeline({ ...options, hedge: { delayMs: 50 }, clock });
    const calls: Promise<void>[] = [];
    for (let i = 0; i < 5_000; i++) {
      const takesMs = i % 25 === 0 ? 200 : 5;
      const fn = ({ attempt }: { attempt: number }): Promise<void> => clock.sleep(attempt === 1 ? takesMs : 5);
      calls.push(guarded.execute(fn, { idempotent: true }));
      await clock.advance(1);
    }
    await clock.runUntil(Promise.all(calls));
    expect(guarded.stats()['hedge']).toMatchObject({ hedges: 200, refused: 0 });
  });

  it('gives probes a lease of attemptTimeoutMs plus a second, so that hung ones do not block the breaker', async () => {
    const clock = virtualClock();
    const guarded = standardPipeline({ timeoutMs: 2_000, attemptTimeoutMs: 500, clock, random: () => 0.5 });
    const hang = (): Promise<never> => new Promise<never>(() => {});
    for (let i = 0; i < 5; i++) await clock.runUntil(Promise.allSettled([guarded.execute(hang)]));
    expect(guarded.stats()['circuitBreaker']).toMatchObject({ state: 'open' });
    await clock.advance(60_000);
    for (let i = 0; i < 3; i++) await clock.runUntil(guarded.execute(() => 'well'));
    expect(guarded.stats()['circuitBreaker']).toMatchObject({ state: 'closed' });
  });
});
