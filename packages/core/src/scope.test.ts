import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { describe, expect, it } from 'vitest';
import { ownRetries, retriesOwnedUpstream, runAtRoot, runDetached } from './scope.ts';
import { currentWork, runWork } from './work.ts';

/** As a policy does it: inside a context of its own. */
function owning<T>(fn: () => T): T {
  return new AsyncResource('Test').runInAsyncScope(() => {
    ownRetries();
    return fn();
  });
}

describe('retriesOwnedUpstream', () => {
  it('is false until a retry says so, and only for what that retry runs', async () => {
    expect(retriesOwnedUpstream()).toBe(false);
    const inside = owning(async () => {
      const before = retriesOwnedUpstream();
      await Promise.resolve();
      return [before, retriesOwnedUpstream()];
    });
    expect(retriesOwnedUpstream()).toBe(false);
    expect(await inside).toEqual([true, true]);
    expect(retriesOwnedUpstream()).toBe(false);
  });

  it('keeps the work, and goes on through works inside', () => {
    runWork({ tenant: 'acme' }, () => {
      owning(() => {
        expect(retriesOwnedUpstream()).toBe(true);
        expect(currentWork()?.tenant).toBe('acme');
        runWork({ tenant: 'umbrella' }, () => {
          expect(retriesOwnedUpstream()).toBe(true);
          expect(currentWork()?.tenant).toBe('umbrella');
          owning(() => expect(currentWork()?.tenant).toBe('umbrella'));
        });
      });
      expect(retriesOwnedUpstream()).toBe(false);
    });
  });
});

describe('runDetached', () => {
  it('leaves the work behind, and keeps that retries are owned', async () => {
    expect(runDetached(() => [currentWork(), retriesOwnedUpstream()])).toEqual([undefined, false]);
    await runWork({ timeoutMs: 1_000 }, async () => {
      const inside = runDetached(async () => {
        await Promise.resolve();
        return [currentWork(), retriesOwnedUpstream()];
      });
      expect(await inside).toEqual([undefined, false]);
      owning(() => expect(runDetached(() => [currentWork(), retriesOwnedUpstream()])).toEqual([undefined, true]));
      expect(currentWork()).toBeDefined();
    });
  });
});

describe('runAtRoot', () => {
  it('leaves everything behind that travels with control flow', async () => {
    const storage = new AsyncLocalStorage<string>();
    await storage.run('request', () =>
      runWork({ tenant: 'acme' }, async () => {
        const inside = runAtRoot(async () => {
          await Promise.resolve();
          return [storage.getStore(), currentWork(), retriesOwnedUpstream()];
        });
        expect(await inside).toEqual([undefined, undefined, false]);
        expect([storage.getStore(), currentWork()?.tenant]).toEqual(['request', 'acme']);
      }),
    );
  });
});
