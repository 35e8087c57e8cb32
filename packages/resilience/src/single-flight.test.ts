import { runWork } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import { describe, expect, it, vi } from 'vitest';
import { singleFlight } from './single-flight.ts';
import { timeout } from './timeout.ts';

describe('singleFlight', () => {
  it('combines concurrent calls for a key into one run, and starts a new one afterwards', async () => {
    const clock = virtualClock();
    const flights = singleFlight();
    const load = vi.fn(() => clock.sleep(10).then(() => load.mock.calls.length));
    const all = Promise.all(['a', 'a', 'b', 'a'].map((key) => flights.run(key, load)));
    expect(flights.size).toBe(2);
    expect(await clock.runUntil(all)).toEqual([2, 2, 2, 2]);
    expect(await clock.runUntil(flights.run('a', load))).toBe(3);
    expect(flights.stats()).toEqual({ inFlight: 0, runs: 3, joined: 2 });
  });

  it('shares a failure, also a synchronous one, but does not keep it', async () => {
    const flights = singleFlight();
    const down = new Error('down');
    const failing = (): never => {
      throw down;
    };
    const both = await Promise.allSettled([flights.run('a', failing), flights.run('a', failing)]);
    expect(both).toEqual([
      { status: 'rejected', reason: down },
      { status: 'rejected', reason: down },
    ]);
    expect(await flights.run('a', () => 'well')).toBe('well');
  });

  it('undici PR #5673: an abort rejects only its own caller', async () => {
    const clock = virtualClock();
    const flights = singleFlight();
    const controller = new AbortController();
    const signals: AbortSignal[] = [];
    const load = ({ signal }: { signal: AbortSignal }): Promise<string> => {
      signals.push(signal);
      return clock.sleep(10).then(() => 'loaded');
    };
    const leaving = flights.run('a', load, { signal: controller.signal });
    const staying = flights.run('a', load);
    controller.abort('left');
    await expect(leaving).rejects.toBe('left');
    expect(await clock.runUntil(staying)).toBe('loaded');
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
  });

  it('cancels the run when the last caller has left, and the next call starts a new one', async () => {
    const clock = virtualClock();
    const flights = singleFlight();
    const [a, b] = [new AbortController(), new AbortController()];
    const signals: AbortSignal[] = [];
    const load = async ({ signal }: { signal: AbortSignal }): Promise<string> => {
      signals.push(signal);
      await clock.sleep(10, signal);
      return `load ${signals.length}`;
    };
    const leaving = Promise.allSettled([
      flights.run('a', load, { signal: a.signal }),
      flights.run('a', load, { signal: b.signal }),
    ]);
    a.abort('a left');
    expect(signals[0]?.aborted).toBe(false);
    b.abort('b left');
    expect(signals[0]).toMatchObject({ aborted: true, reason: 'b left' });
    const next = flights.run('a', load);
    expect(await leaving).toMatchObject([{ reason: 'a left' }, { reason: 'b left' }]);
    expect(await clock.runUntil(next)).toBe('load 2');
    expect(flights.size).toBe(0);
  });

  it('keeps similar keys apart, and runs nothing when the signal has already aborted', async () => {
    const flights = singleFlight();
    const keys = ['__proto__', 'constructor', 'a:b', 'a'];
    expect(await Promise.all(keys.map((key) => flights.run(key, () => key)))).toEqual(keys);
    const load = vi.fn();
    await expect(flights.run('a', load, { signal: AbortSignal.abort('before') })).rejects.toBe('before');
    expect(load).not.toHaveBeenCalled();
  });

  it.each([
    { how: 'is cancelled', cancelled: true, timeoutMs: undefined },
    { how: 'is out of time', cancelled: false, timeoutMs: 5 },
  ])('other callers get the result when the work of the first caller $how', async ({ cancelled, timeoutMs }) => {
    const clock = virtualClock();
    const flights = singleFlight();
    const controller = new AbortController();
    const limit = timeout({ timeoutMs: 1_000, clock });
    const load = (): Promise<string> => limit.execute(() => clock.sleep(10).then(() => 'loaded'));
    const { signal } = controller;
    const first = runWork({ signal, ...(timeoutMs !== undefined && { timeoutMs }), clock }, () =>
      flights.run('a', load, { signal }).catch((error: unknown) => error),
    );
    const staying = flights.run('a', load);
    if (cancelled) controller.abort('left');
    expect(await clock.runUntil(staying)).toBe('loaded');
    expect(await first).toBe(cancelled ? 'left' : 'loaded');
  });

  it.each([
    [null, 'singleFlight.run'],
    [{ signal: 5 }, 'singleFlight.run.signal'],
    [{ signal: null }, 'singleFlight.run.signal'],
    [{ singal: undefined }, 'singleFlight.run.singal'],
  ])('rejects options such as %j', (options, path) => {
    const flights = singleFlight();
    expect(() => flights.run('a', () => 1, options as never)).toThrow(expect.objectContaining({ path }));
    expect(flights.stats()).toEqual({ inFlight: 0, runs: 0, joined: 0 });
  });
});
