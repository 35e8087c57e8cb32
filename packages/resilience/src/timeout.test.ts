import { isMacadamError, runWork } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import { describe, expect, it, vi } from 'vitest';
import { pipeline } from './pipeline.ts';
import { constant } from './retry/backoff.ts';
import { retry } from './retry/retry.ts';
import { timeout } from './timeout.ts';

const hang = (): Promise<never> => new Promise<never>(() => {});
const fixed = (delayMs: number) => ({ budget: false, backoff: constant({ delayMs }) }) as const;

describe('timeout', () => {
  it('rejects on time although the function ignores its signal', async () => {
    const clock = virtualClock();
    const policy = timeout({ timeoutMs: 250, clock });
    const call = policy.execute(hang);
    await expect(clock.runUntil(call)).rejects.toMatchObject({
      name: 'TimeoutError',
      code: 'MAC_TIMEOUT',
      retryable: true,
      timeoutMs: 250,
    });
    expect(clock.monotonic()).toBe(250);
    expect(policy.stats()).toEqual({ inFlight: 0, timedOut: 1 });
    clock.assertNoTimers();
  });

  it('aborts the signal of the attempt with the error that the caller gets', async () => {
    const clock = virtualClock();
    let reason: unknown;
    const call = timeout({ timeoutMs: 250, clock }).execute(({ signal }) => {
      signal.addEventListener('abort', () => (reason = signal.reason));
      return hang();
    });
    const [settled] = await clock.runUntil(Promise.allSettled([call]));
    expect(settled.status === 'rejected' && settled.reason).toBe(reason);
  });

  it('calls onCancel; a listener that throws does not prevent this or other calls from ending', async () => {
    const clock = virtualClock();
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const policy = timeout({ timeoutMs: 250, clock });
    const told = vi.fn();
    const calls = [
      policy.execute(hang),
      policy.execute((context) => {
        context.onCancel(() => {
          throw new Error('my bug');
        });
        return hang();
      }),
      policy.execute((context) => {
        context.onCancel(told);
        return hang();
      }),
    ];
    const outcomes = await clock.runUntil(Promise.allSettled(calls));
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(told).toHaveBeenCalledTimes(1);
    expect(warned).toHaveBeenCalledWith(expect.objectContaining({ message: 'my bug' }));
  });

  it('applies the shorter of its limit and the deadline of the current work', async () => {
    const clock = virtualClock();
    const call = runWork({ timeoutMs: 100, clock }, () => timeout({ timeoutMs: 250, clock }).execute(hang));
    await expect(clock.runUntil(call)).rejects.toMatchObject({ timeoutMs: 100 });
    expect(clock.monotonic()).toBe(100);
  });

  it('starts nothing when no time is left', async () => {
    const clock = virtualClock();
    const fn = vi.fn(hang);
    const call = runWork({ timeoutMs: 100, clock }, async () => {
      await clock.sleep(100);
      return timeout({ timeoutMs: 250, clock }).execute(fn);
    });
    await expect(clock.runUntil(call)).rejects.toMatchObject({ code: 'MAC_TIMEOUT', timeoutMs: 0 });
    expect(fn).not.toHaveBeenCalled();
  });

  it('ignores what an abandoned function does later', async () => {
    const clock = virtualClock({ settle: 'eventLoop' });
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    try {
      const call = timeout({ timeoutMs: 10, clock }).execute(async () => {
        await clock.sleep(20);
        throw new Error('too late');
      });
      await expect(clock.runUntil(call)).rejects.toMatchObject({ code: 'MAC_TIMEOUT' });
      await clock.advance(100);
      expect(unhandled).not.toHaveBeenCalled();
    } finally {
      process.off('unhandledRejection', unhandled);
    }
  });

  it('a call can override the limit', async () => {
    const clock = virtualClock();
    const policy = timeout({ timeoutMs: 250, clock });
    await expect(clock.runUntil(policy.execute(hang, { timeoutMs: 40 }))).rejects.toMatchObject({ timeoutMs: 40 });
    await expect(clock.runUntil(policy.execute(hang, { timeoutMs: 0 }))).rejects.toMatchObject({
      path: 'execute.timeoutMs',
    });
  });

  it.each([
    { options: {}, path: 'timeout.timeoutMs' },
    { options: { timeoutMs: 0 }, path: 'timeout.timeoutMs' },
    { options: { timeoutMs: Infinity }, path: 'timeout.timeoutMs' },
    { options: { timeoutMs: '5s' }, path: 'timeout.timeoutMs' },
    { options: { timeoutMs: 5, timeout: 5 }, path: 'timeout.timeout' },
    { options: null, path: 'timeout' },
  ])('rejects $options', ({ options, path }) => {
    expect(() => timeout(options as never)).toThrow(expect.objectContaining({ path }));
  });
});

describe('two timeouts, around and inside a retry', () => {
  it('ofetch #21: each attempt is limited, and a total timeout bounds attempts and waits', async () => {
    const clock = virtualClock();
    const starts: number[] = [];
    const guarded = pipeline(
      timeout({ timeoutMs: 1_000, clock }),
      retry({ maxAttempts: 4, clock, ...fixed(50) }),
      timeout({ timeoutMs: 100, clock }),
    );
    const call = guarded.execute(() => {
      starts.push(clock.monotonic());
      return hang();
    });
    await expect(clock.runUntil(call)).rejects.toMatchObject({ reason: 'maxAttempts' });
    expect(starts).toEqual([0, 150, 300, 450]);
    expect(clock.monotonic()).toBe(550);
    clock.assertNoTimers();
  });

  it('axios-retry #21, retry-axios #138: the last attempt gets only the time that is left', async () => {
    const clock = virtualClock();
    const guarded = pipeline(
      timeout({ timeoutMs: 230, clock }),
      retry({ maxAttempts: 10, clock, ...fixed(20) }),
      timeout({ timeoutMs: 100, clock }),
    );
    const starts: number[] = [];
    const call = guarded.execute(() => {
      starts.push(clock.monotonic());
      return hang();
    });
    const [settled] = await clock.runUntil(Promise.allSettled([call]));
    // Not 340: the second try ends at 220, and a third one at 240 would come after the deadline.
    expect(starts).toEqual([0, 120]);
    expect(clock.monotonic()).toBe(220);
    expect(settled).toMatchObject({ reason: { code: 'MAC_ATTEMPTS_EXHAUSTED', reason: 'deadline' } });
  });

  it('a call that times out during an attempt lists the attempts that had failed', async () => {
    const clock = virtualClock();
    const guarded = pipeline(
      timeout({ timeoutMs: 250, clock }),
      retry({ clock, ...fixed(50) }),
      timeout({ timeoutMs: 200, clock }),
    );
    const failure = new Error('down');
    const call = guarded.execute(({ attempt }) => (attempt === 1 ? Promise.reject(failure) : hang()));
    const [settled] = await clock.runUntil(Promise.allSettled([call]));
    const error: unknown = settled.status === 'rejected' && settled.reason;
    expect(clock.monotonic()).toBe(250);
    expect(isMacadamError(error, 'MAC_ATTEMPTS_EXHAUSTED') || isMacadamError(error, 'MAC_TIMEOUT')).toBe(true);
    expect(error).toMatchObject({ attempts: [expect.objectContaining({ attempt: 1, error: failure })] });
  });

  it('a new signal for each attempt: the timeout of the first does not abort the second (ofetch 2 alpha)', async () => {
    const clock = virtualClock();
    const guarded = pipeline(retry({ clock, ...fixed(50) }), timeout({ timeoutMs: 100, clock }));
    const signals: AbortSignal[] = [];
    const call = guarded.execute(async ({ attempt, signal }) => {
      signals.push(signal);
      expect(signal.aborted).toBe(false);
      await clock.sleep(attempt === 1 ? 500 : 50);
      return attempt;
    });
    expect(await clock.runUntil(call)).toBe(2);
    expect(new Set(signals).size).toBe(2);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
  });
});

describe('what the error of a timeout says', () => {
  it.each([
    { timeoutMs: 250, message: 'The call took longer than 250 ms' },
    { timeoutMs: 10.4, message: 'The call took longer than 10 ms' },
    { timeoutMs: 9.96, message: 'The call took longer than 10 ms' },
    { timeoutMs: 0.25, message: 'The call took longer than 0.3 ms' },
  ])('of $timeoutMs ms: $message', async ({ timeoutMs, message }) => {
    const clock = virtualClock();
    await expect(clock.runUntil(timeout({ timeoutMs, clock }).execute(hang))).rejects.toMatchObject({
      message,
      timeoutMs,
    });
  });

  it('names the attempt inside a retry', async () => {
    const clock = virtualClock();
    const guarded = pipeline(retry({ maxAttempts: 1, clock }), timeout({ timeoutMs: 100, clock }));
    await expect(clock.runUntil(guarded.execute(hang))).rejects.toThrow('The attempt took longer than 100 ms');
  });
});
