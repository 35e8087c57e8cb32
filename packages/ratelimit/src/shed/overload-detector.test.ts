import { seededRandom, virtualClock } from '@macadam/testkit';
import { describe, expect, it, vi } from 'vitest';
import type { OverloadedError, OverloadReason } from '../errors.ts';
import { createLoadShedder } from './create-load-shedder.ts';
import { loadShedderSettings, type LoadShedderOptions } from './options.ts';
import { OverloadDetector } from './overload-detector.ts';

const clock = virtualClock();
/** Memory is always above the threshold. */
const onlyMemory = { eventLoopDelayMs: false, eventLoopUtilization: false, cpuThrottled: false, memory: 1e-9 } as const;

function detectorOf(options: LoadShedderOptions): OverloadDetector {
  return new OverloadDetector(loadShedderSettings({ clock, ...options }));
}

describe('OverloadDetector', () => {
  it.each<[string, LoadShedderOptions, number, string, RegExp]>([
    ['the mean wait', { overloadedAboveMs: 20 }, 50, 'queueDelayMs', /^queueDelayMs was 25, above 20$/],
    ['memory', { signals: onlyMemory }, 0, 'memory', /^memory was 0?\.\d+, above 1e-9$/],
    ['isOverloaded', { isOverloaded: () => true }, 0, 'isOverloaded', /^isOverloaded\(\) returned true$/],
  ])('names %s as the sign of overload, with value and threshold', (_, options, waitMs, signal, words) => {
    const detector = detectorOf(options);
    expect(detector.signal).toBeUndefined();
    detector.recordWait(waitMs);
    detector.recordWait(0);
    expect(detector.isOverloaded(false)).toBe(true);
    expect(detector.signal).toBe(signal);
    expect(detector.describe()).toMatch(words);
    detector.close();
  });

  it('reports the latest signal of overload while admission recovers', () => {
    const detector = detectorOf({ overloadedAboveMs: 20 });
    detector.recordWait(30);
    expect(detector.isOverloaded(false)).toBe(true);
    expect(detector.isOverloaded(false)).toBe(false);
    expect(detector.signal).toBe('queueDelayMs');
  });

  it('ignores waits from before an idle window', () => {
    const detector = detectorOf({ overloadedAboveMs: 20 });
    detector.recordWait(500);
    expect(detector.isOverloaded(true)).toBe(false);
  });

  it('an isOverloaded that throws is a process warning and no sign of overload', () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const error = new Error('broken gauge');
    const detector = detectorOf({
      isOverloaded: () => {
        throw error;
      },
    });
    expect(detector.isOverloaded(false)).toBe(false);
    expect(warned.mock.calls).toEqual([[error]]);
    warned.mockRestore();
  });
});

describe('errors of a load shedder', () => {
  async function errorsOf(options: LoadShedderOptions): Promise<Map<OverloadReason, OverloadedError>> {
    const errors = new Map<OverloadReason, OverloadedError>();
    const own = virtualClock();
    const shedder = createLoadShedder({ clock: own, random: seededRandom(1), name: 'api', ...options });
    for (let second = 0; second < 20; second++) {
      for (let i = 0; i < 20; i++) {
        shedder
          .run(() => own.sleep(50), { priority: 'low', tenant: `t${i}` })
          .catch((error: OverloadedError) => errors.set(error.reason, error));
      }
      await own.advance(1_000);
    }
    await shedder.close();
    return errors;
  }

  it('name the signal when the priority is not admitted, else the queue or the wait', async () => {
    const concurrency = { initial: 2, min: 2, max: 2 };
    const errors = await errorsOf({ concurrency, maxQueued: 8, isOverloaded: () => true });
    expect(errors.get('priority')).toMatchObject({
      signal: 'isOverloaded',
      message: '"api" has no room for low work (priority): isOverloaded() returned true',
    });
    expect(errors.get('full')).toMatchObject({
      signal: undefined,
      message: '"api" has no room for low work (full): 1 of 2 in flight, 8 queued',
    });
    expect(errors.get('tooLong')?.message).toMatch(/^"api" has no room for low work \(tooLong\): waited \d+ ms$/);
    expect(errors.get('tooLong')?.signal).toBeUndefined();
  });
});
