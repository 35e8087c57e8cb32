import { systemClock } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { createLoadShedder } from './create-load-shedder.ts';
import { loadShedderSettings } from './options.ts';
import { findExceeded, meanWaitMs, ProcessSignals, signalSettings, throttledShare } from './signals.ts';

describe('exceeded', () => {
  const defaults = signalSettings('signals', {});
  it.each([
    [{}, undefined],
    [{ eventLoopDelayMs: 70, eventLoopUtilization: 0.95, cpuThrottled: 0.25, memory: 0.95 }, undefined],
    [{ eventLoopDelayMs: 70.1 }, 'eventLoopDelayMs'],
    [{ eventLoopUtilization: 0.96 }, 'eventLoopUtilization'],
    [{ cpuThrottled: 0.3 }, 'cpuThrottled'],
    [{ memory: 0.96, cpuThrottled: 0.2 }, 'memory'],
  ])('of %j finds %s', (readings, sign) => {
    expect(findExceeded(defaults, readings)).toBe(sign);
  });

  it('ignores signals that are switched off', () => {
    const settings = signalSettings('signals', { memory: false, eventLoopDelayMs: 5 });
    expect(findExceeded(settings, { memory: 1 })).toBeUndefined();
    expect(findExceeded(settings, { eventLoopDelayMs: 6 })).toBe('eventLoopDelayMs');
  });

  it.each([{ memory: 0 }, { cpuThrottled: 1.5 }, { eventLoopDelayMs: -1 }, { heap: 1 } as object])(
    'refuses %j',
    (options) => {
      expect(() => signalSettings('signals', options)).toThrow(
        expect.objectContaining({ code: 'MAC_INVALID_OPTIONS' }),
      );
    },
  );
});

describe('throttledShare', () => {
  it.each([
    [{ periods: 100, throttledPeriods: 10 }, { periods: 200, throttledPeriods: 60 }, { cpuThrottled: 0.5 }],
    [{ periods: 100, throttledPeriods: 10 }, { periods: 100, throttledPeriods: 10 }, {}],
    [{}, { periods: 100, throttledPeriods: 10 }, {}],
    [{ periods: 100, throttledPeriods: 10 }, {}, {}],
  ])('between %j and %j is %j', (before, after, share) => {
    expect(throttledShare(before, after)).toEqual(share);
  });
});

describe('meanWaitMs', () => {
  it.each([
    { name: 'turns of 100 ms', turns: [100, 100, 100], is: 50 },
    { name: 'one of 100 ms in a second of rest', turns: [100, ...Array.from({ length: 45 }, () => 20)], is: 14 },
    { name: 'one of a second, and nothing else', turns: [1_000], is: 500 },
    { name: 'half of the time in turns of 300 ms', turns: [300, ...Array.from({ length: 15 }, () => 20)], is: 80 },
  ])('$name: $is ms', ({ turns, is }) => {
    const mean = turns.reduce((sum, one) => sum + one, 0) / turns.length;
    const variance = turns.reduce((sum, one) => sum + (one - mean) ** 2, 0) / turns.length;
    expect(meanWaitMs(mean, Math.sqrt(variance))).toBeCloseTo(is, 6);
  });
});

describe('ProcessSignals', () => {
  it('measures a blocked event loop, and later an unblocked one', async () => {
    const sensors = new ProcessSignals(signalSettings('signals', {}));
    const turns = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) await systemClock.sleep(25);
    };
    await turns(3);
    sensors.read();
    // The first distance after a reading has no beginning.
    await turns(3);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    await turns(2);
    const held = sensors.read();
    // Also where the machine took ten times as long for the rest.
    expect(held.eventLoopDelayMs).toBeGreaterThan(20);
    expect(held.eventLoopUtilization).toBeGreaterThan(0.3);
    expect(held.memory).toBeGreaterThan(0);
    expect(held.memory).toBeLessThan(1);
    sensors.close();
  });
});

describe('signals of a shedder', () => {
  it('are on with the system clock, and off with another clock', () => {
    expect(loadShedderSettings({}).signals).toMatchObject({ eventLoopDelayMs: 70 });
    expect(loadShedderSettings({ clock: virtualClock() }).signals).toBeUndefined();
    expect(loadShedderSettings({ signals: false }).signals).toBeUndefined();
  });

  it('make the shedder reject the lowest priority', async () => {
    const clock = virtualClock();
    // Any use of memory is too much.
    const shedder = createLoadShedder({ clock, signals: { memory: 1e-9 } });
    for (let second = 0; second < 30; second++) {
      for (let i = 0; i < 50; i++) await shedder.run(() => 0, { priority: 'background' }).catch(() => 0);
      await clock.advance(1_000);
    }
    const { admittedShare = 1, shedByPriority = 0 } = shedder.stats();
    expect(admittedShare).toBeLessThan(0.99);
    expect(shedByPriority).toBeGreaterThan(100);
    await shedder.close();
  });
});
