import { currentWork, runWork } from '@macadam/core';
import { virtualClock, type VirtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { adaptiveConcurrency } from './adaptive-concurrency/adaptive-concurrency.ts';
import { bulkhead } from './bulkhead.ts';
import { paced, type PacedAttempt, type Pacer } from './paced.ts';
import { pipeline } from './pipeline.ts';
import type { Outcome } from './policy.ts';
import { constant } from './retry/backoff.ts';
import { retry } from './retry/retry.ts';
import { timeout } from './timeout.ts';

/** Gives turns one by one, `everyMs` apart. */
function everyMs(clock: VirtualClock, ms: number) {
  const settled: (Outcome | undefined)[] = [];
  const wishes: { attempt: number; remainingMs: number; priority: string | undefined }[] = [];
  let next = 0;
  const pacer: Pacer = {
    acquire(wish: PacedAttempt) {
      wishes.push({
        attempt: wish.attempt,
        remainingMs: wish.remainingMs,
        priority: currentWork()?.priority,
      });
      const turn = { settle: (outcome: Outcome | undefined) => void settled.push(outcome) };
      const now = clock.monotonic();
      const at = Math.max(next, now);
      next = at + ms;
      return at === now ? turn : clock.sleep(at - now, wish.signal).then(() => turn);
    },
  };
  return { pacer, settled, wishes };
}

describe('paced', () => {
  it('starts each attempt of a retry in its turn, and settles the turn with the outcome', async () => {
    const clock = virtualClock();
    const { pacer, settled, wishes } = everyMs(clock, 100);
    const policy = pipeline(
      timeout({ timeoutMs: 1_000, clock }),
      retry({ backoff: constant({ delayMs: 10 }), budget: false, clock }),
      paced({ pacer, clock }),
      timeout({ timeoutMs: 50, clock }),
    );
    const begun: number[] = [];
    const answer = runWork({ priority: 'high', clock }, () =>
      policy.execute(async ({ attempt }) => {
        begun.push(clock.monotonic());
        await clock.sleep(20);
        if (attempt < 3) throw new Error('not yet');
        return attempt;
      }),
    );
    expect(await clock.runUntil(answer)).toBe(3);
    // The wait of 70 ms for a turn is longer than a try may take: it is not the try that takes it.
    expect(begun).toEqual([0, 100, 200]);
    expect(wishes).toEqual([
      { attempt: 1, remainingMs: 1_000, priority: 'high' },
      { attempt: 2, remainingMs: 970, priority: 'high' },
      { attempt: 3, remainingMs: 870, priority: 'high' },
    ]);
    expect(settled.map((one) => [one?.ok, one?.durationMs])).toEqual([
      [false, 20],
      [false, 20],
      [true, 20],
    ]);
  });

  it('a timeout aborts a waiting attempt, and settles the turn of a running one', async () => {
    const clock = virtualClock();
    const { pacer, settled } = everyMs(clock, 500);
    const policy = pipeline(timeout({ timeoutMs: 100, clock }), paced({ pacer, clock }));
    const calls = [1, 2].map(() => policy.execute(() => new Promise(() => {})).catch((error: Error) => error.name));
    expect(await clock.runUntil(Promise.all(calls))).toEqual(['TimeoutError', 'TimeoutError']);
    await clock.settle();
    expect(settled).toEqual([undefined]);
    expect(policy.stats()).toMatchObject({ paced: { begun: 1, waiting: 0 } });
    clock.assertNoTimers();
  });

  it('settles a turn that is granted after the attempt was cancelled', async () => {
    const clock = virtualClock();
    const settled: unknown[] = [];
    const deaf: Pacer = { acquire: () => clock.sleep(200).then(() => ({ settle: (one) => void settled.push(one) })) };
    const policy = pipeline(timeout({ timeoutMs: 100, clock }), paced({ pacer: deaf, clock }));
    let begun = 0;
    await expect(clock.runUntil(policy.execute(() => begun++))).rejects.toMatchObject({ code: 'MAC_TIMEOUT' });
    await clock.advance(200);
    expect([begun, settled]).toEqual([0, [undefined]]);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no'))],
  ] as const)('a pacer that %s fails the attempt, and the next attempt calls it again', async (_how, refuse) => {
    const clock = virtualClock();
    let asked = 0;
    const pacer: Pacer = { acquire: () => (++asked === 1 ? refuse() : { settle() {} }) };
    const policy = pipeline(
      retry({ retryIf: ({ ok }) => !ok, backoff: constant({ delayMs: 1 }), budget: false, clock }),
      paced({ pacer, clock }),
    );
    expect(await clock.runUntil(policy.execute(() => 'ok'))).toBe('ok');
    expect(asked).toBe(2);
    expect(policy.stats()).toMatchObject({ paced: { begun: 1, refused: 1, waiting: 0 } });
  });

  it.each([
    ['nothing', () => undefined],
    ['null', () => null],
    ['a value that is not a turn', () => ({})],
    ['a promise of undefined', async () => undefined],
  ])('a pacer that returns %s fails the attempt, and leaves no turn open', async (_what, acquire) => {
    const clock = virtualClock();
    const policy = pipeline(
      bulkhead({ maxConcurrent: 1, clock }),
      timeout({ timeoutMs: 1_000, clock }),
      paced({ pacer: { acquire } as unknown as Pacer, clock }),
    );
    for (let call = 0; call < 2; call++) {
      const answer = clock.runUntil(policy.execute(() => 'ok'));
      await expect(answer).rejects.toMatchObject({ code: 'MAC_INVALID_OPTIONS', path: 'paced.pacer.acquire()' });
    }
    expect(policy.stats()).toMatchObject({ bulkhead: { inFlight: 0 }, timeout: { inFlight: 0 } });
    clock.assertNoTimers();
  });

  it('a thenable that settles twice gives one turn, and one whose then throws fails the attempt', async () => {
    const turn = { settle() {} };
    const twice = {
      then(answer: (one: unknown) => void) {
        answer(turn);
        answer(turn);
      },
    };
    const policy = paced({ pacer: { acquire: () => twice as unknown as Promise<typeof turn> } });
    let begun = 0;
    await policy.execute(() => void begun++);
    expect(begun).toBe(1);
    expect(policy.stats()).toEqual({ begun: 1, waiting: 0, refused: 0 });
    const broken = {
      get then(): never {
        throw new Error('broken thenable');
      },
    };
    const other = paced({ pacer: { acquire: () => broken } });
    await expect(other.execute(() => 1)).rejects.toThrow('broken thenable');
    expect(other.stats()).toEqual({ begun: 0, waiting: 0, refused: 1 });
  });

  it.each([
    ['throws', throwing],
    ['returns', () => 'after that'],
    ['never settles', () => new Promise<never>(() => {})],
  ])('an attempt that cancels its call as it starts, and then %s, settles its turn once', async (_how, end) => {
    const clock = virtualClock();
    const { pacer, settled } = everyMs(clock, 10);
    const policy = pipeline(
      bulkhead({ maxConcurrent: 5, clock }),
      retry({ retryIf: ({ ok }) => !ok, budget: false, clock }),
      paced({ pacer, clock }),
      adaptiveConcurrency({ clock }),
      timeout({ timeoutMs: 1_000, clock }),
    );
    const controller = new AbortController();
    const { signal } = controller;
    const first = policy.execute(() => 'first');
    const second = policy.execute(
      () => {
        controller.abort('by itself');
        return end();
      },
      { signal },
    );
    await clock.runUntil(Promise.allSettled([first, second]));
    await expect(second).rejects.toBe('by itself');
    expect(policy.stats()).toMatchObject({
      bulkhead: { inFlight: 0 },
      adaptiveConcurrency: { inFlight: 0 },
      attemptTimeout: { inFlight: 0 },
      paced: { begun: 2, waiting: 0 },
    });
    expect(settled.map((one) => one?.ok)).toEqual([true, undefined]);
    clock.assertNoTimers();
  });

  it('an error of settle does not prevent the call from ending', async () => {
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    const pacer: Pacer = {
      acquire: () => ({
        settle() {
          throw new Error('of no consequence');
        },
      }),
    };
    expect(await paced({ pacer }).execute(() => 7)).toBe(7);
    expect((await warned).message).toBe('of no consequence');
  });

  it('must be inside a retry, and outside the policies of an attempt', () => {
    const pacer: Pacer = { acquire: () => ({ settle() {} }) };
    expect(() => pipeline(paced({ pacer }), retry())).toThrow(expect.objectContaining({ code: 'MAC_INVALID_OPTIONS' }));
    expect(() => paced({ pacer: {} as Pacer })).toThrow(expect.objectContaining({ path: 'paced.pacer.acquire' }));
    expect(paced({ pacer: { ...pacer, describe: () => '5 a second' } }).describe()).toBe('paced: 5 a second');
  });
});

function throwing(): never {
  throw new Error('after that');
}
