import { once } from 'node:events';
import { currentWork, TimeoutError } from '@macadam/core';
import { seededRandom, virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { withCanonicalLine } from '../src/index.ts';
import { capture } from './capture.ts';

describe('withCanonicalLine', () => {
  it('logs one line with the annotations of every layer', async () => {
    const clock = virtualClock();
    const { log, lines, last } = capture({ clock });
    const done = withCanonicalLine(
      log,
      { name: 'orders.place', clock, tenant: 't1', attributes: { plan: 'pro' } },
      async () => {
        currentWork()!.annotate({ cacheHits: 2, token: 'secret' });
        await clock.sleep(30);
        currentWork()!.annotate({ cacheHits: 3, attempts: 2 });
        return 'result';
      },
    );
    await clock.advance(30);
    expect(await done).toBe('result');
    expect(lines).toHaveLength(1);
    expect(last()).toMatchObject({
      level: 30,
      msg: 'orders.place',
      event: 'orders.place',
      outcome: 'ok',
      durationMs: 30,
      priority: 'normal',
      tenant: 't1',
      plan: 'pro',
      cacheHits: 3,
      attempts: 2,
      token: '[redacted]',
    });
  });

  it('keeps the error when the other fields are too many, and has one mark for those left out', () => {
    const { log, lines, last } = capture();
    const many = (name: string): Record<string, unknown> =>
      Object.fromEntries(Array.from({ length: 120 }, (_, i) => [name + i, i]));
    const fails = (): never => {
      currentWork()!.annotate(many('a'));
      throw new Error('boom');
    };
    const work = { name: 'orders.place', fields: () => ({ err: 'theirs', ...many('f') }) };
    expect(() => withCanonicalLine(log, work, fails)).toThrow('boom');
    expect(last()).toMatchObject({ err: { message: 'boom' }, '[…]': '[…more]' });
    expect(lines[0]!.match(/"\[…\]":/g)).toHaveLength(1);
  });

  it.each([
    [
      'a throw',
      () => {
        throw new Error('boom');
      },
      'error',
      50,
    ],
    ['a rejection', () => Promise.reject(new Error('boom')), 'error', 50],
    ['an abort', () => Promise.reject(AbortSignal.abort().reason as Error), 'aborted', 40],
    ['the TimeoutError of the platform', () => Promise.reject(new DOMException('late', 'TimeoutError')), 'timeout', 50],
    [
      'an AbortError of Node with a TimeoutError as its cause',
      () => {
        const signal = AbortSignal.abort(new TimeoutError('The deadline of the current work has passed', 5));
        return once(new EventTarget(), 'never', { signal });
      },
      'timeout',
      50,
    ],
  ])('logs the line for %s, and rethrows the error', async (_name, fn, outcome, level) => {
    const { log, lines, last } = capture();
    await expect(
      (async () => withCanonicalLine(log, { name: 'x', sampleRatio: 0.001, random: () => 1 }, fn))(),
    ).rejects.toThrow();
    expect(lines).toHaveLength(1);
    expect(last()).toMatchObject({ outcome, level, err: { message: expect.any(String) } });
  });

  it('logs work whose deadline has passed with the outcome timeout', async () => {
    const clock = virtualClock();
    const { log, last } = capture({ clock });
    const done = withCanonicalLine(log, { name: 'x', timeoutMs: 100, clock }, () =>
      clock.sleep(1_000, currentWork()!.signal),
    );
    const failed = expect(done).rejects.toMatchObject({ code: 'MAC_TIMEOUT' });
    await clock.advance(100);
    await failed;
    expect(last()).toMatchObject({ outcome: 'timeout', durationMs: 100, err: { code: 'MAC_TIMEOUT' } });
  });

  it('samples successful work, and keeps errors and slow work', () => {
    const clock = virtualClock();
    const { log, lines, last } = capture({ clock });
    const options = { name: 'x', sampleRatio: 0.1, slowerThanMs: 0, random: seededRandom(1), clock };
    for (let i = 0; i < 100; i++) withCanonicalLine(log, { ...options, slowerThanMs: 5 }, () => i);
    const kept = lines.length;
    expect(kept).toBeGreaterThan(3);
    expect(kept).toBeLessThan(25);
    expect(last()).toMatchObject({ sampleRate: 0.1 });
    withCanonicalLine(log, options, () => 1);
    expect(last()).toMatchObject({ slow: true });
    expect(last()).not.toHaveProperty('sampleRate');
  });

  it('keeps its own fields when an annotation has the same name or the fields hook throws', () => {
    const { log, last } = capture();
    const fields = (): never => {
      throw new Error('in the hook');
    };
    withCanonicalLine(
      log,
      { name: 'real', attributes: { event: 'fake', outcome: 'fake', level: 10 }, fields },
      () => 1,
    );
    expect(last()).toMatchObject({ event: 'real', outcome: 'ok', level: 30, shadowed: { level: 10 } });
    expect(last()['fieldsError']).toMatchObject({ message: 'in the hook' });
  });

  it('logs work that throws a Proxy with throwing traps', () => {
    const bad = (): never => {
      throw new Error('asked');
    };
    const { log, lines, last } = capture();
    const thrown: unknown = new Proxy({}, { get: bad, getPrototypeOf: bad });
    let caught: unknown;
    try {
      withCanonicalLine(log, { name: 'x' }, () => {
        throw thrown;
      });
    } catch (error) {
      caught = error;
    }
    expect(caught === thrown).toBe(true);
    expect(lines).toHaveLength(1);
    expect(last()).toMatchObject({ event: 'x', outcome: 'error', err: '[threw]' });
  });

  it('throws for a missing logger or function before it runs the work', () => {
    let ran = false;
    const work = (): boolean => (ran = true);
    expect(() => withCanonicalLine(undefined as never, { name: 'x' }, work)).toThrow(
      expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path: 'withCanonicalLine.log.info' }),
    );
    expect(ran).toBe(false);
    expect(() => withCanonicalLine(capture().log, { name: 'x' }, undefined as never)).toThrow(
      expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path: 'withCanonicalLine.fn' }),
    );
  });

  it.each([
    ['orders.place', 'withCanonicalLine'],
    [undefined, 'withCanonicalLine'],
    [{ name: '' }, 'withCanonicalLine.name'],
    [{ name: 'x', sampleRatio: 0 }, 'withCanonicalLine.sampleRatio'],
    [{ name: 'x', slowerThanMs: -1 }, 'withCanonicalLine.slowerThanMs'],
    [{ name: 'x', timeout: 1 }, 'withCanonicalLine.timeout'],
    [{ name: 'x', fields: {} }, 'withCanonicalLine.fields'],
    [{ name: 'x', random: 0.5 }, 'withCanonicalLine.random'],
    [{ name: 'x', clock: {} }, 'withCanonicalLine.clock'],
    [{ name: 'x', timeoutMs: 0 }, 'runWork.timeoutMs'],
  ])('refuses %j', (options, path) => {
    expect(() => withCanonicalLine(capture().log, options as never, () => 1)).toThrow(
      expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path }),
    );
  });
});
