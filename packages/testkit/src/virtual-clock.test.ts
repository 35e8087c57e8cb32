import { MessageChannel } from 'node:worker_threads';
import { OptionsError } from '@macadam/core';
import { describe, expect, test } from 'vitest';
import { virtualClock, type VirtualClock } from './virtual-clock.ts';

type Act = (clock: VirtualClock, log: (entry: string) => void) => unknown;

interface Step {
  step: number;
  act: Act;
  /** The lines logged since the previous step. */
  logged: string[];
  atMs: number;
  pending: number;
}

const set =
  (name: string, delayMs: number): Act =>
  (clock, log) =>
    clock.setTimer(() => log(`${name}@${clock.monotonic()}`), delayMs);

const scripts: [name: string, steps: Step[]][] = [
  [
    'timers run in order of due time, then of setting, each at its own time',
    [
      { step: 1, act: set('late', 30), logged: [], atMs: 0, pending: 1 },
      { step: 2, act: set('first', 10), logged: [], atMs: 0, pending: 2 },
      { step: 3, act: set('second', 10), logged: [], atMs: 0, pending: 3 },
      { step: 4, act: (clock) => clock.advance(9.5), logged: [], atMs: 9.5, pending: 3 },
      { step: 5, act: (clock) => clock.advance(0.5), logged: ['first@10', 'second@10'], atMs: 10, pending: 1 },
      { step: 6, act: (clock) => clock.advance(100), logged: ['late@30'], atMs: 110, pending: 0 },
    ],
  ],
  [
    'a delay that is negative or NaN is due at once, one that is Infinity never',
    [
      { step: 1, act: set('negative', -5), logged: [], atMs: 0, pending: 1 },
      { step: 2, act: set('nan', NaN), logged: [], atMs: 0, pending: 2 },
      { step: 3, act: set('never', Infinity), logged: [], atMs: 0, pending: 3 },
      { step: 4, act: (clock) => clock.advance(0), logged: ['negative@0', 'nan@0'], atMs: 0, pending: 1 },
      { step: 5, act: (clock) => clock.advance(1e12), logged: [], atMs: 1e12, pending: 1 },
      {
        step: 6,
        act: async (clock) => expect(await clock.advanceToNext()).toBe(false),
        logged: [],
        atMs: 1e12,
        pending: 1,
      },
    ],
  ],
  [
    'a timer that sets timers: those due within the same advance run too',
    [
      {
        step: 1,
        act: (clock, log) =>
          clock.setTimer(() => {
            log(`outer@${clock.monotonic()}`);
            set('inner', 5)(clock, log);
            set('beyond', 50)(clock, log);
          }, 10),
        logged: [],
        atMs: 0,
        pending: 1,
      },
      { step: 2, act: (clock) => clock.advance(20), logged: ['outer@10', 'inner@15'], atMs: 20, pending: 1 },
      { step: 3, act: (clock) => clock.advance(40), logged: ['beyond@60'], atMs: 60, pending: 0 },
    ],
  ],
  [
    'a chain of awaits between two timers is done before the second one runs',
    [
      {
        step: 1,
        act: (clock, log) => {
          void clock.sleep(10).then(async () => {
            for (let link = 0; link < 1_000; link++) await Promise.resolve();
            log(`chain@${clock.monotonic()}`);
          });
          return set('timer', 10.001)(clock, log);
        },
        logged: [],
        atMs: 0,
        pending: 2,
      },
      { step: 2, act: (clock) => clock.advance(11), logged: ['chain@10', 'timer@10.001'], atMs: 11, pending: 0 },
    ],
  ],
  [
    'so is code that hops through nextTick and back',
    [
      {
        step: 1,
        act: (clock, log) => {
          const chain = async (): Promise<void> => {
            for (let link = 0; link < 50; link++) await Promise.resolve();
            log('chain');
          };
          const tick = (): void => process.nextTick(() => void chain());
          clock.setTimer(() => void Promise.resolve().then(tick), 10);
          return set('timer', 11)(clock, log);
        },
        logged: [],
        atMs: 0,
        pending: 2,
      },
      { step: 2, act: (clock) => clock.advance(11), logged: ['chain', 'timer@11'], atMs: 11, pending: 0 },
    ],
  ],
  [
    'work begun before the advance sets its timers before time moves',
    [
      {
        step: 1,
        act: (clock, log) => {
          const work = async (): Promise<void> => {
            await Promise.resolve();
            await clock.sleep(10);
            log(`slept@${clock.monotonic()}`);
          };
          void work();
          return clock.advance(10);
        },
        logged: ['slept@10'],
        atMs: 10,
        pending: 0,
      },
    ],
  ],
  [
    'advanceToNext goes from timer to timer',
    [
      { step: 1, act: set('a', 1_000), logged: [], atMs: 0, pending: 1 },
      { step: 2, act: set('b', 60_000), logged: [], atMs: 0, pending: 2 },
      {
        step: 3,
        act: async (clock) => expect(await clock.advanceToNext()).toBe(true),
        logged: ['a@1000'],
        atMs: 1_000,
        pending: 1,
      },
      {
        step: 4,
        act: async (clock) => expect(await clock.advanceToNext()).toBe(true),
        logged: ['b@60000'],
        atMs: 60_000,
        pending: 0,
      },
      {
        step: 5,
        act: async (clock) => expect(await clock.advanceToNext()).toBe(false),
        logged: [],
        atMs: 60_000,
        pending: 0,
      },
    ],
  ],
  [
    'advanceSync runs callbacks without letting promises settle',
    [
      { step: 1, act: set('a', 10), logged: [], atMs: 0, pending: 1 },
      {
        step: 2,
        act: (clock, log) => {
          void Promise.resolve().then(() => log('microtask'));
          clock.advanceSync(10);
          log('returned');
        },
        logged: ['a@10', 'returned', 'microtask'],
        atMs: 10,
        pending: 0,
      },
    ],
  ],
];

test.each(scripts)('%s', async (_, steps) => {
  const clock = virtualClock();
  let entries: string[] = [];
  for (const { step, act, logged, atMs, pending } of steps) {
    entries = [];
    await act(clock, (entry) => entries.push(entry));
    expect({ step, logged: entries, atMs: clock.monotonic(), pending: clock.pendingTimers }).toEqual({
      step,
      logged,
      atMs,
      pending,
    });
  }
});

describe('cancelling', () => {
  test('a cancelled timer does not run, and a second cancel() does nothing', async () => {
    const clock = virtualClock();
    const ran: string[] = [];
    const timer = clock.setTimer(() => ran.push('cancelled'), 10);
    clock.setTimer(() => ran.push('kept'), 10);
    timer.cancel();
    timer.cancel();
    await clock.advance(10);
    timer.cancel();
    expect(ran).toEqual(['kept']);
  });

  test('a timer can cancel another that is due at the same time', async () => {
    const clock = virtualClock();
    const ran: string[] = [];
    clock.setTimer(() => victim.cancel(), 10);
    const victim = clock.setTimer(() => ran.push('victim'), 10);
    await clock.advance(10);
    expect(ran).toEqual([]);
  });

  test('a sleep rejects with the reason of its signal, and leaves no timer', async () => {
    const clock = virtualClock();
    const controller = new AbortController();
    const sleeping = clock.sleep(1_000, controller.signal);
    controller.abort('changed my mind');
    await expect(sleeping).rejects.toBe('changed my mind');
    clock.assertNoTimers();
  });
});

describe('runUntil', () => {
  test('advances only until the promise settles, and settles like it', async () => {
    const clock = virtualClock();
    const late = clock.setTimer(() => {}, 10_000);
    await expect(clock.runUntil(clock.sleep(250).then(() => 'done'))).resolves.toBe('done');
    await expect(clock.runUntil(clock.sleep(50).then(() => Promise.reject(new Error('failed'))))).rejects.toThrow(
      'failed',
    );
    expect(clock.monotonic()).toBe(300);
    late.cancel();
  });

  test('calls then of a thenable once', async () => {
    let runs = 0;
    const query = {
      then: (resolve: (rows: string) => void) => {
        runs++;
        resolve('rows');
      },
    };
    await expect(virtualClock().runUntil(query as PromiseLike<string>)).resolves.toBe('rows');
    expect(runs).toBe(1);
  });

  test('throws MAC_CLOCK_STALLED if no timer is left and the promise is still pending', async () => {
    const clock = virtualClock({ startMs: 5 });
    clock.setTimer(() => {}, Infinity);
    const error = await clock.runUntil(new Promise(() => {})).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'VirtualClockError', code: 'MAC_CLOCK_STALLED', atMs: 5, dueMs: [] });
  });

  test('throws MAC_CLOCK_LIMIT after the limit, also for a timer that re-arms itself for ever', async () => {
    const clock = virtualClock();
    const again = (): void => void clock.setTimer(again, 1_000);
    again();
    const error = await clock.runUntil(new Promise(() => {}), { limitMs: 60_000 }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'MAC_CLOCK_LIMIT', atMs: 60_000, dueMs: [61_000] });
    await expect(clock.runUntil(new Promise(() => {}))).rejects.toMatchObject({ code: 'MAC_CLOCK_LIMIT' });
    expect(clock.monotonic()).toBe(60_000 + 86_400_000);
  });

  test("throws MAC_CLOCK_LIMIT if only an unref'd timer is left after the limit", async () => {
    const clock = virtualClock();
    clock.setTimer(() => {}, 200).unref?.();
    const error = await clock.runUntil(new Promise(() => {}), { limitMs: 100 }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'MAC_CLOCK_LIMIT', dueMs: [200] });
  });

  test.each([[() => Promise.resolve()], [undefined], [5]])('accepts a promise and refuses %s', async (value) => {
    const error = await virtualClock()
      .runUntil(value as never)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'MAC_INVALID_OPTIONS', path: 'runUntil.promise' });
  });

  test('waits for a promise that settles in a later turn of the event loop', async () => {
    const clock = virtualClock();
    const turns = (async () => {
      for (let turn = 0; turn < 5; turn++) await new Promise<void>((resolve) => process.nextTick(() => resolve()));
      const { promise, resolve } = withResolvers();
      const channel = new MessageChannel();
      channel.port1.once('message', resolve);
      channel.port2.postMessage('go');
      await promise;
      channel.port1.close();
      await clock.sleep(100);
      return clock.monotonic();
    })();
    await expect(clock.runUntil(turns)).resolves.toBe(100);
  });
});

test('an error thrown by a timer rejects advance(), and the clock stops at the time of that timer', async () => {
  const clock = virtualClock();
  clock.setTimer(() => {
    throw new Error('thrown by a timer');
  }, 10);
  clock.setTimer(() => {}, 20);
  await expect(clock.advance(100)).rejects.toThrow('thrown by a timer');
  expect(clock.monotonic()).toBe(10);
  await clock.advance(10);
  expect(clock.pendingTimers).toBe(0);
});

test('throws MAC_CLOCK_BUSY if the clock is advanced while it is being advanced', async () => {
  const clock = virtualClock();
  const first = clock.advance(10);
  await expect(clock.advance(10)).rejects.toMatchObject({ code: 'MAC_CLOCK_BUSY' });
  await expect(clock.advanceToNext()).rejects.toMatchObject({ code: 'MAC_CLOCK_BUSY' });
  expect(() => clock.advanceSync(1)).toThrow('await the earlier call first');
  await first;
  expect(clock.monotonic()).toBe(10);
});

test('jump() changes now() only', async () => {
  const clock = virtualClock({ now: 1_000_000, startMs: 500 });
  const ran: number[] = [];
  clock.setTimer(() => ran.push(clock.monotonic()), 10);
  clock.jump(-3_600_000);
  expect([clock.now(), clock.monotonic(), ran]).toEqual([-2_600_000, 500, []]);
  await clock.advance(10.7);
  expect([clock.now(), ran]).toEqual([-2_599_990, [510]]);
  clock.jump(7_200_000);
  expect(clock.now()).toBe(4_600_010);
});

describe('assertNoTimers', () => {
  test('throws an error with the number of timers and their due times', () => {
    const clock = virtualClock();
    clock.setTimer(() => {}, 30_000);
    clock.setTimer(() => {}, 250);
    expect(() => clock.assertNoTimers()).toThrow('2 timers are still armed, due in +250, +30000 ms');
    expect(() => clock[Symbol.dispose]()).toThrow(
      expect.objectContaining({ code: 'MAC_CLOCK_TIMERS_LEFT', dueMs: [250, 30_000] }),
    );
  });

  test('lists the first ten timers only', () => {
    const clock = virtualClock();
    for (let delayMs = 1; delayMs <= 12; delayMs++) clock.setTimer(() => {}, delayMs);
    expect(() => clock.assertNoTimers()).toThrow(
      '12 timers are still armed, due in +1, +2, +3, +4, +5, +6, +7, +8, +9, +10, … ms',
    );
  });

  test("does not count an unref'd timer, which still runs and counts again after ref()", async () => {
    const clock = virtualClock();
    const ran: string[] = [];
    const kept = clock.setTimer(() => ran.push('kept'), 10);
    const cancelled = clock.setTimer(() => ran.push('cancelled'), 10);
    for (const timer of [kept, cancelled]) timer.unref?.();
    expect(clock.pendingTimers).toBe(0);
    clock.assertNoTimers();
    kept.ref?.();
    kept.ref?.();
    expect(clock.pendingTimers).toBe(1);
    kept.unref?.();
    cancelled.cancel();
    cancelled.ref?.();
    expect(clock.pendingTimers).toBe(0);
    await clock.advance(10);
    expect([ran, clock.pendingTimers]).toEqual([['kept'], 0]);
  });
});

test.each([
  [{ startMs: NaN }, 'virtualClock.startMs'],
  [{ now: Infinity }, 'virtualClock.now'],
  [{ settle: 'never' }, 'virtualClock.settle'],
  [{ start: 1 }, 'virtualClock.start'],
])('refuses %o', (options, path) => {
  expect(() => virtualClock(options as object)).toThrow(expect.objectContaining({ path }));
});

test('refuses to move time back', async () => {
  await expect(virtualClock().advance(-1)).rejects.toBeInstanceOf(OptionsError);
  expect(() => virtualClock().advanceSync(NaN)).toThrow(OptionsError);
  await expect(virtualClock().runUntil(Promise.resolve(), { limitMs: -1 })).rejects.toBeInstanceOf(OptionsError);
});

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}
