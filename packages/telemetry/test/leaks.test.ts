import { createLogger, withCanonicalLine, withSpan } from '../src/index.ts';
import { describe, expect, it } from 'vitest';

const heapAfterCollection = (): number => {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
};

describe('leaks', () => {
  it('T22: retains no memory of five thousand requests with child loggers, names, spans and lines', async () => {
    const log = createLogger({ destination: { write: () => {} } });
    const request = (i: number): Promise<void> =>
      withCanonicalLine(log, { name: 'request', attributes: { [`dynamic-${i}`]: i } }, () =>
        withSpan('request', async () => {
          await Promise.resolve();
          log.child({ requestId: `r-${i}` }).info({ [`field-${i}`]: { deep: new Error('x') } }, `message ${i}`);
        }),
      );
    // More names than the caches hold, so that they are full before the heap is first measured.
    for (let i = 0; i < 2_500; i++) await request(i);
    const before = heapAfterCollection();
    for (let i = 2_500; i < 7_500; i++) await request(i);
    expect(heapAfterCollection() - before).toBeLessThan(1_000_000);
  });

  it('a healthy logger adds no listener to the process and no timer', async () => {
    const handlers = (): number =>
      ['exit', 'SIGTERM', 'SIGINT', 'SIGHUP'].reduce((sum, name) => sum + process.listenerCount(name), 0);
    const before = handlers();
    const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const log = createLogger({ destination: '/dev/null' });
    for (let i = 0; i < 1_000; i++) log.info('x');
    expect(handlers()).toBe(before);
    await log.flush();
    await log.close();
    expect(handlers()).toBe(before);
    expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length).toBeLessThanOrEqual(timers);
  });
});
