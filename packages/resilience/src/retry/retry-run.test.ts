import { runWork, systemClock, type Clock } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import { describe, expect, it, vi } from 'vitest';
import { constant } from './backoff.ts';
import type { RetryOptions } from './options.ts';
import type { RetryBudget } from './retry-budget.ts';
import { retry } from './retry.ts';

/** A budget that writes down what it is told, and grants so many retries. */
function told(grants = Infinity) {
  const log: string[] = [];
  let left = grants;
  const budget: RetryBudget = {
    callStarted: (now) => void log.push(`call at ${now}`),
    callEnded: () => void log.push('end'),
    callSucceeded: (retries, throttled) => void log.push(`success ${retries}${throttled ? ' throttled' : ''}`),
    attemptFailed: () => void log.push('failure'),
    tryRetry: (throttled, now) => {
      log.push(`may I${throttled ? ', throttled,' : ''} at ${now}`);
      return left-- > 0;
    },
    retryEnded: () => void log.push('retry ended'),
    describe: () => 'told',
    stats: () => ({}),
  };
  return { log, budget };
}

const down = new Error('down');
const busy = Object.assign(new Error('busy'), { retryAfterMs: 30 });
const backoff = constant({ delayMs: 100 });

/** Plays one call that begins at 1 000 ms; each try answers at once with its value or error. */
async function play(answers: readonly unknown[], options: RetryOptions = {}, grants = Infinity) {
  const clock = virtualClock();
  await clock.advance(1_000);
  const { log, budget } = told(grants);
  const policy = retry({ clock, budget, backoff, throttledBaseMs: 0, ...options });
  const fn = ({ attempt }: { attempt: number }): unknown => {
    const answer = answers[attempt - 1];
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const [settled] = await clock.runUntil(Promise.allSettled([policy.execute(fn)]));
  clock.assertNoTimers();
  return { log, settled, policy };
}

describe('the calls that a retry makes on its budget', () => {
  const values: RetryOptions = { retryIf: (outcome) => !outcome.ok || outcome.value === 'bad' };
  it.each<{ name: string; answers: unknown[]; options?: RetryOptions; grants?: number; log: string[] }>([
    { name: 'that succeeds at once', answers: ['ok'], log: ['call at 1000', 'end', 'success 0'] },
    { name: 'whose values are judged', answers: ['ok'], options: values, log: ['call at 1000', 'end', 'success 0'] },
    {
      name: 'that succeeds after a failure',
      answers: [down, 'ok'],
      log: ['call at 1000', 'failure', 'may I at 1000', 'retry ended', 'end', 'success 1'],
    },
    {
      name: 'that succeeds after a failure and a throttling',
      answers: [down, busy, 'ok'],
      log: [
        'call at 1000',
        'failure',
        'may I at 1000',
        'retry ended',
        'failure',
        'may I, throttled, at 1100',
        'retry ended',
        'end',
        'success 2 throttled',
      ],
    },
    {
      name: 'that fails for good',
      answers: [busy, down],
      options: { maxAttempts: 2 },
      log: ['call at 1000', 'failure', 'may I, throttled, at 1000', 'retry ended', 'failure', 'end'],
    },
    {
      name: 'that ends with a value nobody wants',
      answers: ['bad', 'bad'],
      options: { ...values, maxAttempts: 2 },
      log: ['call at 1000', 'failure', 'may I at 1000', 'retry ended', 'failure', 'end'],
    },
    {
      name: 'that is refused its second retry',
      answers: [down, down, 'ok'],
      grants: 1,
      log: ['call at 1000', 'failure', 'may I at 1000', 'retry ended', 'failure', 'may I at 1100', 'end'],
    },
    {
      name: 'whose failure is not to be retried',
      answers: [down],
      options: { retryIf: () => false },
      log: ['call at 1000', 'end'],
    },
    {
      name: 'that was repeated for free',
      answers: [down],
      options: { transparentIf: () => true, retryIf: () => false },
      log: ['call at 1000', 'end'],
    },
    {
      name: 'whose rule throws while it holds a grant',
      answers: [down, busy],
      options: {
        transparentIf: ({ attempt }) => {
          if (attempt > 1) throw new Error('my bug');
          return false;
        },
      },
      log: ['call at 1000', 'failure', 'may I at 1000', 'retry ended', 'end'],
    },
  ])('$name', async ({ answers, options, grants, log }) => {
    expect((await play(answers, options, grants)).log).toEqual(log);
  });
});

it('a value nobody wants, left to a retry further out, is no success for the budget', async () => {
  const { log, budget } = told();
  const clock = virtualClock();
  const inner = retry({ clock, budget, retryIf: () => true });
  await retry({ clock, budget: false }).execute(() => inner.execute(() => 'bad'));
  expect(log).toEqual(['call at 0', 'failure', 'end']);
});

describe('a budget that throws', () => {
  it.each([
    { method: 'callStarted', answers: ['ok'], settled: { value: 'ok' } },
    { method: 'callSucceeded', answers: ['ok'], settled: { value: 'ok' } },
    { method: 'callSucceeded', answers: [down, 'ok'], settled: { value: 'ok' } },
    { method: 'callEnded', answers: ['ok'], settled: { value: 'ok' } },
    { method: 'callEnded', answers: [down, 'ok'], settled: { value: 'ok' } },
    { method: 'attemptFailed', answers: [down, 'ok'], settled: { value: 'ok' } },
    { method: 'retryEnded', answers: [down, 'ok'], settled: { value: 'ok' } },
    { method: 'tryRetry', answers: [down, 'ok'], settled: { reason: { reason: 'budget', cause: down } } },
  ] as const)('in $method becomes a warning, and the call ends', async ({ method, answers, settled }) => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const bug = new Error('my bug');
    const fault = (): never => {
      throw bug;
    };
    const { settled: actual } = await play(answers, { budget: { ...told().budget, [method]: fault } });
    expect(actual).toMatchObject(settled);
    expect(warned).toHaveBeenCalledExactlyOnceWith(bug);
  });

  it('in describe and stats becomes a warning as well', () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const fault = (): never => {
      throw new Error('my bug');
    };
    const policy = retry({ budget: { ...told().budget, describe: fault, stats: fault } });
    expect(policy.stats()).toMatchObject({ calls: 0, budget: {} });
    expect(policy.describe()).toMatch(/; a retry budget that cannot be described$/);
    expect(warned).toHaveBeenCalledTimes(2);
  });
});

it('records the times of attempts relative to the start of the call', async () => {
  const { settled } = await play([down, busy, down]);
  expect(settled).toMatchObject({
    reason: {
      attempts: [
        { attempt: 1, startedAtMs: 0, waitedMs: 0 },
        { attempt: 2, startedAtMs: 100, waitedMs: 100 },
        { attempt: 3, startedAtMs: 200, waitedMs: 100 },
      ],
    },
  });
});

describe('a caller that aborts', () => {
  /** Tries that never answer but the first, which fails. */
  async function leaving(atMs: number) {
    const clock = virtualClock();
    const controller = new AbortController();
    const { log, budget } = told();
    const judged: unknown[] = [];
    const retryIf = (outcome: unknown): boolean => judged.push(outcome) > 0;
    const call = retry({ clock, budget, backoff, retryIf }).execute(
      ({ attempt }) => (attempt === 1 ? Promise.reject(down) : new Promise<never>(() => {})),
      { signal: controller.signal },
    );
    const settled = Promise.allSettled([call]);
    await clock.advance(atMs);
    controller.abort('left');
    expect(await settled).toEqual([{ status: 'rejected', reason: 'left' }]);
    await clock.advance(10_000);
    clock.assertNoTimers();
    return { log, judged };
  }

  it.each([
    { name: 'in the wait', atMs: 50 },
    { name: 'in the second try', atMs: 150 },
  ])('an abort $name releases the grant once, and ignores later outcomes', async ({ atMs }) => {
    const { log, judged } = await leaving(atMs);
    expect(log).toEqual(['call at 0', 'failure', 'may I at 0', 'retry ended', 'end']);
    expect(judged).toHaveLength(1);
  });

  it('from within retryIf gets its reason, and the call ends once', async () => {
    const clock = virtualClock();
    const controller = new AbortController();
    const { log, budget } = told();
    const policy = retry({
      clock,
      budget,
      retryIf: () => {
        controller.abort('left');
        return false;
      },
    });
    await expect(policy.execute(() => Promise.reject(down), { signal: controller.signal })).rejects.toBe('left');
    expect(log).toEqual(['call at 0', 'end']);
  });

  it.each([
    { name: 'retryIf', log: ['call at 0', 'end'] },
    { name: 'retryAfterMs', log: ['call at 0', 'failure', 'end'] },
    { name: 'isThrottled', log: ['call at 0', 'failure', 'end'] },
    { name: 'backoff', log: ['call at 0', 'failure', 'end'] },
    { name: 'transparentIf', log: ['call at 0', 'end'] },
  ])('from within $name is granted no retry, and nothing is started', async ({ name, log: expected }) => {
    const clock = virtualClock();
    const controller = new AbortController();
    const { log, budget } = told();
    const callback = (): unknown => {
      controller.abort('left');
      return name === 'backoff' || name === 'retryAfterMs' ? 10 : true;
    };
    const fn = vi.fn(() => Promise.reject(down));
    const call = retry({ clock, budget, [name]: callback }).execute(fn, { signal: controller.signal });
    await expect(clock.runUntil(call)).rejects.toBe('left');
    await clock.advance(10_000);
    expect(log).toEqual(expected);
    expect(fn).toHaveBeenCalledTimes(1);
    clock.assertNoTimers();
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8])(
    '%d microtasks after the second try has failed is never followed by a judgement or a try',
    async (microtasks) => {
      const clock = virtualClock();
      const controller = new AbortController();
      const { log, budget } = told();
      let tries = 0;
      const retryIf = (): boolean => {
        expect(controller.signal.aborted).toBe(false);
        return true;
      };
      const call = retry({ clock, budget, backoff, retryIf, maxAttempts: 9 }).execute(
        ({ attempt }) => {
          expect(controller.signal.aborted).toBe(false);
          tries++;
          if (attempt === 2) void after(microtasks, () => controller.abort('left'));
          return Promise.reject(down);
        },
        { signal: controller.signal },
      );
      await expect(clock.runUntil(call)).rejects.toBe('left');
      clock.assertNoTimers();
      expect(tries).toBe(2);
      expect(log.filter((line) => line === 'end')).toHaveLength(1);
      const granted = log.filter((line) => line.startsWith('may I')).length;
      expect(log.filter((line) => line === 'retry ended')).toHaveLength(granted);
    },
  );
});

async function after(microtasks: number, act: () => void): Promise<void> {
  for (let i = 0; i < microtasks; i++) await Promise.resolve();
  act();
}

it('a clock that throws in setTimer fails the call, and the budget is notified of its end', async () => {
  const broken = new RangeError('no timers left');
  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    sleep: (...args) => systemClock.sleep(...args),
    setTimer: () => {
      throw broken;
    },
  };
  const { log, budget } = told();
  await expect(retry({ clock, budget, backoff }).execute(() => Promise.reject(down))).rejects.toBe(broken);
  expect(log).toEqual(['call at 0', 'failure', 'may I at 0', 'retry ended', 'end']);
});

it.each([
  { leftMs: 0, tries: 1 },
  { leftMs: 1, tries: 2 },
])('with $leftMs ms left and transparent retries, an attempt is made $tries times', async ({ leftMs, tries }) => {
  const clock = virtualClock();
  let made = 0;
  await runWork({ clock, timeoutMs: 100 }, async () => {
    const call = retry({ clock, budget: false, maxAttempts: 1, transparentIf: () => true }).execute(async () => {
      made++;
      await clock.sleep(100 - leftMs);
      throw down;
    });
    await clock.runUntil(Promise.allSettled([call]));
  });
  expect(made).toBe(tries);
});
