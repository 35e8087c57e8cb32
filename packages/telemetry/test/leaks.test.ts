import { createLogger, withCanonicalLine, withSpan } from '../src/index.ts';
import { describe, expect, it } from 'vitest';

const heapAfterCollection = (): number => {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
};

describe('what stays behind', () => {
  it('T22: nothing of five thousand requests, with their children, names, spans and lines', async () => {
    const log = createLogger({ destination: { write: () => {} } });
    const request = (i: number): Promise<void> =>
      withCanonicalLine(log, { name: 'request', attributes: { [`dynamic-${i}`]: i } }, () =>
        withSpan('request', async () => {
          await Promise.resolve();
          log.child({ requestId: `r-${i}` }).info({ [`field-${i}`]: { deep: new Error('x') } }, `message ${i}`);
        }),
      );
    // Far more names than are remembered, so that what is remembered is full before the first look at the heap.
    for (let i = 0; i < 2_500; i++) await request(i);
    const before = heapAfterCollection();
    for (let i = 2_500; i < 7_500; i++) await request(i);
    expect(heapAfterCollection() - before).toBeLessThan(1_000_000);
  });

  it('no handler of the process and no timer, before, during and after a healthy logger', async () => {
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
