import { systemClock, type Clock } from '@macadam/core';
import { afterEach, expect, it, vi } from 'vitest';
import { pipeline, retry, standardPipeline, timeout } from '@macadam/resilience';

/** A system clock that counts the timers it is asked for. */
function countingClock(): Clock & { timers: number } {
  const counted = {
    ...systemClock,
    timers: 0,
    setTimer(callback: () => void, delayMs: number) {
      counted.timers++;
      return systemClock.setTimer(callback, delayMs);
    },
  };
  return counted;
}

afterEach(() => {
  vi.unstubAllGlobals();
});

/** Counts every AbortController that is made and every listener that is added while `run` runs. */
async function made(run: () => Promise<void>): Promise<{ controllers: number; listeners: number }> {
  const count = { controllers: 0, listeners: 0 };
  const Original = AbortController;
  vi.stubGlobal(
    'AbortController',
    class extends Original {
      constructor() {
        super();
        count.controllers++;
      }
    },
  );
  const add = EventTarget.prototype.addEventListener;
  vi.spyOn(EventTarget.prototype, 'addEventListener').mockImplementation(function (
    this: EventTarget,
    ...args: Parameters<EventTarget['addEventListener']>
  ) {
    count.listeners++;
    add.apply(this, args);
  });
  await run();
  vi.restoreAllMocks();
  return count;
}

it('1,000 successful calls create no AbortController and no listener, and one timer per timeout', async () => {
  const clock = countingClock();
  const guarded = standardPipeline({ clock });
  const count = await made(async () => {
    for (let i = 0; i < 1_000; i++) expect(await guarded.execute(async () => i)).toBe(i);
  });
  expect(count).toEqual({ controllers: 0, listeners: 0 });
  // Ten seconds for the try, then thirty for the call: two limits, two timers at most.
  expect(clock.timers).toBeLessThanOrEqual(2);
});

it('an AbortController is created only for a call that reads its signal', async () => {
  const guarded = standardPipeline({ clock: countingClock() });
  const count = await made(async () => {
    for (let i = 0; i < 100; i++) {
      await guarded.execute(async (context) => (i % 10 === 0 ? context.signal.aborted : context.attempt));
    }
  });
  expect(count).toEqual({ controllers: 10, listeners: 0 });
});

it('concurrent calls share the timer, too', async () => {
  const clock = countingClock();
  const guarded = pipeline(
    timeout({ timeoutMs: 30_000, clock }),
    retry({ clock }),
    timeout({ timeoutMs: 10_000, clock }),
  );
  await Promise.all(Array.from({ length: 1_000 }, () => guarded.execute(async () => 1)));
  expect(clock.timers).toBeLessThanOrEqual(2);
});

it('a rejection by an open circuit sets no timer and creates no AbortController', async () => {
  const clock = countingClock();
  const guarded = standardPipeline({ clock, retry: false });
  for (let i = 0; i < 5; i++) await guarded.execute(() => Promise.reject(new Error('down'))).catch(() => {});
  const timers = clock.timers;
  const count = await made(async () => {
    for (let i = 0; i < 1_000; i++) {
      await expect(guarded.execute(() => 1)).rejects.toMatchObject({ code: 'MAC_CIRCUIT_OPEN' });
    }
  });
  expect(count).toEqual({ controllers: 0, listeners: 0 });
  expect(clock.timers).toBe(timers);
});
