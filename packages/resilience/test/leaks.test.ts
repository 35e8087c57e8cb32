import { getEventListeners } from 'node:events';
import { runWork } from '@macadam/core';
import { describe, expect, it } from 'vitest';
import { standardPipeline, singleFlight } from '@macadam/resilience';

const CALLS = 1_000_000;
const BATCH = 100;

function heap(): number {
  expect(globalThis.gc, 'run with --expose-gc').toBeTypeOf('function');
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

describe('a signal that outlives its calls retains no listener', () => {
  it(
    'a million calls on one signal: a listener for each in flight at most, and a flat heap',
    { timeout: 120_000 },
    async () => {
      const { signal } = new AbortController();
      const options = { signal };
      const guarded = standardPipeline({ name: 'leak' });
      const turn = async (): Promise<number> => {
        await Promise.resolve();
        return 1;
      };
      const run = async (calls: number): Promise<void> => {
        for (let done = 0; done < calls; done += BATCH) {
          const batch = Array.from({ length: BATCH }, () => guarded.execute(turn, options));
          if (done % 10_000 === 0) expect(getEventListeners(signal, 'abort')).toHaveLength(BATCH);
          await Promise.all(batch);
        }
      };
      await run(CALLS / 10);
      const before = heap();
      await run((CALLS * 9) / 10);
      expect(heap() - before).toBeLessThan(1_000_000);
      expect(getEventListeners(signal, 'abort')).toHaveLength(0);
      expect(guarded.stats()).toMatchObject({ bulkhead: { inFlight: 0 }, timeout: { inFlight: 0 } });
    },
  );

  it('with the signal of the current work, and with failing calls', async () => {
    const { signal } = new AbortController();
    const guarded = standardPipeline({ name: 'leak', retry: false, circuitBreaker: false });
    await runWork({ signal, timeoutMs: 60_000 }, async () => {
      for (let i = 0; i < 10_000; i++) {
        const call = guarded.execute(async () => {
          if (i % 2 === 0) throw new Error('down');
        });
        expect(getEventListeners(signal, 'abort').length).toBeLessThanOrEqual(1);
        await call.catch(() => {});
      }
    });
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it('with a single flight, which retains no key either', async () => {
    const { signal } = new AbortController();
    const flights = singleFlight();
    for (let i = 0; i < 1_000; i++) {
      const load = async (): Promise<number> => i;
      await Promise.all([flights.run(`${i}`, load, { signal }), flights.run(`${i}`, load, { signal })]);
    }
    expect(flights.size).toBe(0);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });
});
