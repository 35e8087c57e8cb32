import { getEventListeners } from 'node:events';
import { virtualClock } from '@macadam/testkit';
import { describe, expect, it, vi } from 'vitest';
import { deadlineAfter } from './deadline.ts';
import { isMacadamError } from './brand.ts';
import { runInScope } from './scope.ts';
import { currentWork, runWork, type Work } from './work.ts';

const work = (): Work => {
  const found = currentWork();
  if (found === undefined) throw new Error('no work');
  return found;
};
const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

describe('runWork', () => {
  it('makes the work current for all code that fn calls, also asynchronously, and for no other', async () => {
    expect(currentWork()).toBeUndefined();
    const result = await runWork({ tenant: 'acme' }, async () => {
      await Promise.resolve();
      const deep = async (): Promise<string | undefined> => {
        await new Promise<void>((resolve) => queueMicrotask(resolve));
        return currentWork()?.tenant;
      };
      return deep();
    });
    expect(result).toBe('acme');
    expect(currentWork()).toBeUndefined();
  });

  it('keeps concurrent units of work apart', async () => {
    const seen = await Promise.all(
      ['a', 'b', 'c'].map((tenant) =>
        runWork({ tenant }, async () => {
          await Promise.resolve();
          return work().tenant;
        }),
      ),
    );
    expect(seen).toEqual(['a', 'b', 'c']);
  });

  it.each([
    { outerMs: 100, innerMs: 500, leftMs: 100 },
    { outerMs: 500, innerMs: 100, leftMs: 100 },
    { outerMs: undefined, innerMs: 100, leftMs: 100 },
    { outerMs: 100, innerMs: undefined, leftMs: 100 },
    { outerMs: undefined, innerMs: undefined, leftMs: undefined },
  ])('a timeout of $innerMs ms inside of one of $outerMs ms leaves $leftMs ms', ({ outerMs, innerMs, leftMs }) => {
    const clock = virtualClock();
    const limit = (timeoutMs: number | undefined) => (timeoutMs === undefined ? {} : { timeoutMs });
    const inner = runWork({ clock, ...limit(outerMs) }, () =>
      runWork(limit(innerMs), () => work().deadline?.remainingMs()),
    );
    expect(inner).toBe(leftMs);
  });

  it('uses the earlier one of timeoutMs and deadline', () => {
    const clock = virtualClock();
    const left = (timeoutMs: number, deadlineMs: number): number | undefined =>
      runWork({ clock, timeoutMs, deadline: deadlineAfter(deadlineMs, clock) }, () => work().deadline?.remainingMs());
    expect(left(10, 20)).toBe(10);
    expect(left(20, 10)).toBe(10);
  });

  it('inherits priority and tenant, and either can be replaced', () => {
    runWork({ priority: 'high', tenant: 'acme' }, () => {
      runWork({}, () => expect(work()).toMatchObject({ priority: 'high', tenant: 'acme' }));
      runWork({ priority: 'background' }, () => expect(work().priority).toBe('background'));
      runWork({ tenant: 'umbrella' }, () => expect(work()).toMatchObject({ priority: 'high', tenant: 'umbrella' }));
    });
    runWork({}, () => {
      expect(work().priority).toBe('normal');
      expect('tenant' in work()).toBe(false);
      expect('deadline' in work()).toBe(false);
    });
  });

  it('returns what fn returns, and throws what it throws', async () => {
    const thrown = new Error('thrown');
    expect(runWork({}, () => 7)).toBe(7);
    expect(() =>
      runWork({}, () => {
        throw thrown;
      }),
    ).toThrow(thrown);
    await expect(runWork({}, () => Promise.reject(thrown))).rejects.toBe(thrown);
    const promise = Promise.resolve(1);
    expect(runWork({}, () => promise)).toBe(promise);
  });

  it('runs a lazy thenable, such as a query builder, once and inside of the work', async () => {
    const seen: (string | undefined)[] = [];
    const query: PromiseLike<string> = {
      then(onValue, onError) {
        seen.push(currentWork()?.tenant);
        return Promise.resolve('row').then(onValue, onError);
      },
    };
    expect(await runWork({ tenant: 'acme' }, () => query)).toBe('row');
    expect(seen).toEqual(['acme']);
  });

  it.each([
    { options: { timeoutMs: 0 }, path: 'runWork.timeoutMs' },
    { options: { timeoutMs: -1 }, path: 'runWork.timeoutMs' },
    { options: { priority: 'urgent' }, path: 'runWork.priority' },
    { options: { timeout: 5 }, path: 'runWork.timeout' },
    { options: null, path: 'runWork' },
  ])('refuses $options', ({ options, path }) => {
    expect(() => runWork(options as never, () => {})).toThrow(expect.objectContaining({ path }));
  });
});

describe('Work.signal', () => {
  it('is created when first read; before that, the work adds no listener and no timer', async () => {
    const clock = virtualClock();
    const { signal } = new AbortController();
    await runWork({ clock, signal, timeoutMs: 100 }, async () => {
      await Promise.resolve();
      expect(listeners(signal)).toBe(0);
      expect(clock.pendingTimers).toBe(0);
      expect(work().signal).toBe(work().signal);
      expect(listeners(signal)).toBe(1);
      expect(clock.pendingTimers).toBe(1);
    });
    expect(listeners(signal)).toBe(0);
    clock.assertNoTimers();
  });

  it('aborts with the reason of the signal in the options, also if that has already aborted', () => {
    const controller = new AbortController();
    runWork({ signal: controller.signal }, () => {
      const { signal } = work();
      controller.abort('gone');
      expect(signal).toMatchObject({ aborted: true, reason: 'gone' });
    });
    runWork({ signal: AbortSignal.abort('before') }, () => {
      expect(work().signal).toMatchObject({ aborted: true, reason: 'before' });
    });
  });

  it('aborts with a TimeoutError when the deadline passes', async () => {
    const clock = virtualClock();
    let signal: AbortSignal | undefined;
    const running = runWork({ clock, timeoutMs: 100 }, async () => {
      ({ signal } = work());
      await clock.sleep(100, signal);
    });
    const settled = Promise.allSettled([running]);
    await clock.advance(100);
    expect(isMacadamError(signal?.reason, 'MAC_TIMEOUT')).toBe(true);
    expect((await settled)[0].status).toBe('rejected');
    clock.assertNoTimers();
  });

  it('aborts when any outer work is cancelled', () => {
    const signalOf = (outer: AbortSignal, inner: AbortSignal, cancel: () => void): unknown =>
      runWork({ signal: outer }, () =>
        runWork({ signal: inner }, () => {
          const { signal } = work();
          cancel();
          return signal.reason as unknown;
        }),
      );
    const [a, b] = [new AbortController(), new AbortController()];
    expect(signalOf(a.signal, new AbortController().signal, () => a.abort('outer'))).toBe('outer');
    expect(signalOf(new AbortController().signal, b.signal, () => b.abort('inner'))).toBe('inner');
  });

  it('differs from cancellation, which does not abort when the deadline passes, whatever can cancel the work', async () => {
    const clock = virtualClock();
    const [outer, inner] = [new AbortController(), new AbortController()];
    await runWork({ clock, timeoutMs: 100, signal: outer.signal }, () =>
      runWork({ signal: inner.signal }, async () => {
        const { cancellation, signal } = work();
        const advanced = clock.advance(100);
        await clock.sleep(50);
        await advanced;
        expect(signal.aborted).toBe(true);
        expect(cancellation?.aborted).toBe(false);
        inner.abort('left');
        expect(cancellation?.reason).toBe('left');
      }),
    );
    expect(listeners(outer.signal) + listeners(inner.signal)).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });

  it('never aborts after the work has settled', async () => {
    const clock = virtualClock();
    const controller = new AbortController();
    const signal = await runWork({ clock, signal: controller.signal, timeoutMs: 100 }, () =>
      Promise.resolve(work().signal),
    );
    controller.abort('late');
    await clock.advance(1_000);
    expect(signal.aborted).toBe(false);
  });

  it('leaves no listener and no timer after 10,000 units of work with one long-lived signal', async () => {
    const clock = virtualClock();
    const { signal } = new AbortController();
    for (let i = 0; i < 10_000; i++) {
      const running = runWork({ clock, signal, timeoutMs: 1_000 }, async () => {
        void work().signal;
        if (i % 3 === 0) throw new Error('failed');
      });
      expect(listeners(signal)).toBe(1);
      await running.catch(() => {});
    }
    expect(listeners(signal)).toBe(0);
    clock.assertNoTimers();
  });

  it('leaves no listener and no timer after work that throws synchronously', () => {
    const clock = virtualClock();
    const { signal } = new AbortController();
    const failing = (): void => {
      void work().signal;
      throw new Error('failed');
    };
    expect(() => runWork({ clock, signal, timeoutMs: 1_000 }, failing)).toThrow('failed');
    expect(listeners(signal)).toBe(0);
    clock.assertNoTimers();
  });
});

describe('Work.annotate', () => {
  it('adds fields to one record that nested work shares', () => {
    runWork({ attributes: { route: '/a' } }, () => {
      runWork({ attributes: { step: 1 } }, () => work().annotate({ cacheHits: 2 }));
      work().annotate({ step: 2 });
      expect({ ...work().annotations }).toEqual({ route: '/a', step: 2, cacheHits: 2 });
    });
  });

  it('adds a field named __proto__ without changing any prototype', () => {
    runWork({}, () => {
      const hostile = JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1}') as Record<string, unknown>;
      for (let times = 0; times < 2; times++) {
        work().annotate(hostile);
        expect(Object.getPrototypeOf(work().annotations)).toBe(Object.prototype);
        expect(Object.entries(work().annotations)).toEqual([
          ['__proto__', { polluted: true }],
          ['constructor', 1],
        ]);
      }
    });
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it('copies the fields, so that later changes of the argument have no effect', () => {
    const fields = { step: 1 };
    runWork({ attributes: fields }, () => {
      work().annotate({ more: true });
      work().annotate({ step: 2 });
      expect(fields).toEqual({ step: 1 });
      fields.step = 3;
      expect(work().annotations).toEqual({ step: 2, more: true });
    });
  });

  it('calls a getter once, and ignores inherited properties', () => {
    const getter = vi.fn(() => 1);
    const fields = Object.create({ inherited: 1 }, { own: { get: getter, enumerable: true } }) as Record<
      string,
      unknown
    >;
    runWork({}, () => {
      work().annotate(fields);
      expect({ ...work().annotations }).toEqual({ own: 1 });
    });
    expect(getter).toHaveBeenCalledTimes(1);
  });
});

describe('runWork refuses', () => {
  it.each([
    ['deadline', 500],
    ['deadline', new Date()],
    ['signal', {}],
    ['signal', null],
    ['attributes', 'abc'],
    ['tenant', 5],
    ['clock', {}],
  ])('a wrong %s, %s, before it runs the function', (name, value) => {
    const fn = vi.fn();
    expect(() => runWork({ [name]: value }, fn)).toThrow(
      expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path: `runWork.${name}` }),
    );
    expect(fn).not.toHaveBeenCalled();
  });
});

describe('another copy of this package in the same process', () => {
  it('finds the current work with its deadline and annotations, and nests work in it', async () => {
    vi.resetModules();
    const other = await import('./work.ts');
    const { retriesOwnedUpstream } = await import('./scope.ts');
    expect(other.runWork).not.toBe(runWork);
    runWork({ timeoutMs: 1_000, tenant: 'acme', priority: 'high' }, () => {
      expect(other.currentWork()).toBe(currentWork());
      expect(retriesOwnedUpstream()).toBe(false);
      other.runWork({ timeoutMs: 60_000 }, () => {
        expect(currentWork()).toMatchObject({ tenant: 'acme', priority: 'high' });
        expect(work().deadline?.remainingMs()).toBeLessThanOrEqual(1_000);
        work().annotate({ cacheHits: 1 });
      });
      expect(work().annotations).toEqual({ cacheHits: 1 });
    });
  });

  it('can be of another version, whose work has only the public members', () => {
    const { signal } = new AbortController();
    const older: Work = {
      priority: 'high',
      tenant: 'acme',
      deadline: deadlineAfter(1_000),
      signal,
      cancellation: signal,
      annotations: {},
      annotate: () => {},
    };
    runInScope({ work: older, retryOwner: undefined }, () => {
      runWork({ timeoutMs: 60_000 }, () => {
        work().annotate({ cacheHits: 1 });
        expect(work()).toMatchObject({ tenant: 'acme', priority: 'high', annotations: { cacheHits: 1 } });
        expect(work().deadline?.remainingMs()).toBeLessThanOrEqual(1_000);
        expect(work().cancellation).toBe(signal);
      });
    });
  });
});
