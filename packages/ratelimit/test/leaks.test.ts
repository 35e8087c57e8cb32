import { AsyncLocalStorage } from 'node:async_hooks';
import { virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { createRateLimiter, memoryStore, slidingLog, tokenBucket } from '../src/index.ts';

describe('leaks', () => {
  it('nestjs/throttler #2665: a flood of keys takes no more memory than maxKeys', () => {
    const clock = virtualClock();
    const limiter = createRateLimiter({
      name: 'flood',
      limits: [tokenBucket({ limit: 10, periodMs: 60_000 }), slidingLog({ limit: 20, periodMs: 60_000 })],
      store: memoryStore({ maxKeys: 2_000 }),
      clock,
    });
    const flood = (from: number, count: number): void => {
      for (let i = from; i < from + count; i++) limiter.tryTake(`key ${i}`);
    };
    flood(0, 100_000);
    globalThis.gc!();
    const before = process.memoryUsage().heapUsed;
    flood(100_000, 300_000);
    globalThis.gc!();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(1_000_000);
    expect(limiter.stats()).toMatchObject({ keys: 2_000 });
  });

  it('nestjs/throttler #2629: has no timer per key, and retains nothing of the first request', async () => {
    const limiter = createRateLimiter({ name: 'quiet', limits: [tokenBucket({ limit: 5, periodMs: 3_600_000 })] });
    const context = new AsyncLocalStorage<object>();
    const before = process.getActiveResourcesInfo();
    const requests: WeakRef<object>[] = [];
    for (let i = 0; i < 1_000; i++) {
      const request = { body: new Uint8Array(1_000) };
      requests.push(new WeakRef(request));
      await context.run(request, () => limiter.take(`key ${i}`));
    }
    expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before.length);
    await new Promise<void>((done) => setImmediate(done));
    globalThis.gc!();
    const retained = requests.filter((one) => one.deref() !== undefined).length;
    expect(retained).toBeLessThanOrEqual(2);
  });
});
