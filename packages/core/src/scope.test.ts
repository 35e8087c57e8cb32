import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { describe, expect, it } from 'vitest';
import { ownRetries, RetryScope, retriesOwnedUpstream, runAtRoot, runDetached } from './scope.ts';
import { currentWork, runWork } from './work.ts';

/** Calls `ownRetries` like a policy does, in an asynchronous context of its own. */
function withOwnedRetries<T>(fn: () => T, scope = new RetryScope(currentWork())): T {
  return new AsyncResource('Test').runInAsyncScope(() => ownRetries(scope, fn, undefined));
}

describe('retriesOwnedUpstream', () => {
  it('is true only for what runs inside of a retry that called ownRetries()', async () => {
    expect(retriesOwnedUpstream()).toBe(false);
    const inside = withOwnedRetries(async () => {
      const before = retriesOwnedUpstream();
      await Promise.resolve();
      return [before, retriesOwnedUpstream()];
    });
    expect(retriesOwnedUpstream()).toBe(false);
    expect(await inside).toEqual([true, true]);
    expect(retriesOwnedUpstream()).toBe(false);
  });

  it('ends with the function, also for what runs in the same context later', () => {
    const context = new AsyncResource('Test');
    const scope = new RetryScope(undefined);
    expect(context.runInAsyncScope(() => ownRetries(scope, retriesOwnedUpstream, undefined))).toBe(true);
    expect(context.runInAsyncScope(retriesOwnedUpstream)).toBe(false);
  });

  it('stays true in nested work, and does not change the current work', () => {
    runWork({ tenant: 'acme' }, () => {
      withOwnedRetries(() => {
        expect(retriesOwnedUpstream()).toBe(true);
        expect(currentWork()?.tenant).toBe('acme');
        runWork({ tenant: 'umbrella' }, () => {
          expect(retriesOwnedUpstream()).toBe(true);
          expect(currentWork()?.tenant).toBe('umbrella');
          withOwnedRetries(() => expect(currentWork()?.tenant).toBe('umbrella'));
        });
      });
      expect(retriesOwnedUpstream()).toBe(false);
    });
  });

  it('is false for what goes on after the call has settled, also in nested work', async () => {
    const scope = new RetryScope(undefined);
    const seen: boolean[] = [];
    let resolve = (): void => {};
    const settled = new Promise<void>((done) => (resolve = done));
    const inBackground = async (): Promise<void> => {
      seen.push(retriesOwnedUpstream());
      await settled;
      seen.push(retriesOwnedUpstream());
    };
    const background = withOwnedRetries(() => Promise.all([inBackground(), runWork({}, inBackground)]), scope);
    scope.settled = true;
    resolve();
    await background;
    expect(seen).toEqual([true, true, false, false]);
  });
});

describe('runDetached', () => {
  it('runs outside of the current work and of outer retries', async () => {
    expect(runDetached(() => [currentWork(), retriesOwnedUpstream()])).toEqual([undefined, false]);
    await runWork({ timeoutMs: 1_000 }, async () => {
      const inside = runDetached(async () => {
        await Promise.resolve();
        return [currentWork(), retriesOwnedUpstream()];
      });
      expect(await inside).toEqual([undefined, false]);
      withOwnedRetries(() =>
        expect(runDetached(() => [currentWork(), retriesOwnedUpstream()])).toEqual([undefined, false]),
      );
      expect(currentWork()).toBeDefined();
    });
  });
});

describe('runAtRoot', () => {
  it('runs outside of the current work and all other asynchronous context', async () => {
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
