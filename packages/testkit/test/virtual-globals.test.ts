import { once } from 'node:events';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import pRetry from 'p-retry';
import {
  resetMidBody,
  startFaultServer,
  useVirtualGlobals,
  virtualClock,
  type VirtualClockOptions,
} from '@macadam/testkit';
import { fetch, MockAgent, request } from 'undici';
import { afterEach, describe, expect, test, vi } from 'vitest';

const failTimes = (times: number, value: string) => {
  let calls = 0;
  return () => (++calls <= times ? Promise.reject(new Error(`failure ${calls}`)) : Promise.resolve(value));
};

describe('p-retry', () => {
  test('works without virtual globals if it has no delays: its promise chains settle between two timers', async () => {
    const clock = virtualClock();
    const load = failTimes(3, 'loaded');
    const waits: number[] = [];
    const call = pRetry(load, {
      retries: 5,
      minTimeout: 0,
      onFailedAttempt: async ({ attemptNumber }) => {
        await clock.sleep(attemptNumber * 100);
        waits.push(clock.monotonic());
      },
    });
    await expect(clock.runUntil(call)).resolves.toBe('loaded');
    expect(waits).toEqual([100, 300, 600]);
    clock.assertNoTimers();
  });

  test('waits on the clock with virtual globals', async () => {
    const clock = virtualClock();
    using _globals = useVirtualGlobals(clock);
    await expect(clock.runUntil(pRetry(failTimes(3, 'loaded'), { minTimeout: 1_000, factor: 2 }))).resolves.toBe(
      'loaded',
    );
    expect(clock.monotonic()).toBe(7_000);
    clock.assertNoTimers();
  });
});

describe("undici's MockAgent", () => {
  const mock = (delayMs?: number): MockAgent => {
    const agent = new MockAgent();
    agent.disableNetConnect();
    const reply = agent.get('http://mock.internal').intercept({ path: '/' }).reply(200, { ok: true });
    if (delayMs !== undefined) reply.delay(delayMs);
    return agent;
  };
  const settles: VirtualClockOptions[] = [{ settle: 'microtasks' }, { settle: 'eventLoop' }];

  test.each(settles)('a response without delay takes no time ($settle)', async (options) => {
    const clock = virtualClock(options);
    const agent = mock();
    const call = request('http://mock.internal/', { dispatcher: agent }).then(({ body }) => body.json());
    await expect(clock.runUntil(call)).resolves.toEqual({ ok: true });
    expect(clock.monotonic()).toBe(0);
  });

  test('a delayed response takes real time, and stalls a virtual clock', async () => {
    const clock = virtualClock();
    const agent = mock(60_000);
    const controller = new AbortController();
    const call = request('http://mock.internal/', { dispatcher: agent, signal: controller.signal });
    await expect(clock.runUntil(call)).rejects.toMatchObject({ code: 'MAC_CLOCK_STALLED' });
    controller.abort();
    await expect(call).rejects.toThrow();
  });

  test.each(settles)('a delayed response takes virtual time with virtual globals ($settle)', async (options) => {
    const clock = virtualClock(options);
    using _globals = useVirtualGlobals(clock);
    const agent = mock(60_000);
    const call = request('http://mock.internal/', { dispatcher: agent }).then(({ body }) => body.json());
    await expect(clock.runUntil(call)).resolves.toEqual({ ok: true });
    expect(clock.monotonic()).toBe(60_000);
  });

  test('a delayed response to fetch takes virtual time with virtual globals', async () => {
    const clock = virtualClock();
    using _globals = useVirtualGlobals(clock);
    const agent = mock(250);
    const call = fetch('http://mock.internal/', { dispatcher: agent }).then((response) => response.json());
    await expect(clock.runUntil(call)).resolves.toEqual({ ok: true });
    expect(clock.monotonic()).toBe(250);
  });
});

describe('virtual globals', () => {
  test('timers, Date and performance.now follow the clock, and are restored on dispose', async () => {
    const before = { setTimeout, clearTimeout, setInterval, clearInterval, Date, now: performance.now };
    const clock = virtualClock({ now: 1_000_000 });
    const globals = useVirtualGlobals(clock);
    const ran: string[] = [];
    setTimeout((name: string) => ran.push(`${name}@${performance.now()}`), 100, 'timeout');
    const interval = setInterval(() => ran.push(`interval@${Date.now()}`), 40);
    const cancelled = setTimeout(() => ran.push('cancelled'), 10);
    clearTimeout(cancelled);
    await clock.advance(100);
    clearInterval(interval);
    await clock.advance(1_000);
    expect(ran).toEqual(['interval@1000040', 'interval@1000080', 'timeout@100']);
    expect([new Date().getTime(), new Date(5).getTime(), new Date() instanceof Date]).toEqual([1_001_100, 5, true]);
    expect(Date.UTC(2026, 0)).toBe(before.Date.UTC(2026, 0));
    globals[Symbol.dispose]();
    expect({ setTimeout, clearTimeout, setInterval, clearInterval, Date, now: performance.now }).toEqual(before);
  });

  test("a handle can be unref'd, refreshed and closed", async () => {
    const clock = virtualClock();
    using _globals = useVirtualGlobals(clock);
    const ran: number[] = [];
    const handle = setTimeout(() => ran.push(clock.monotonic()), 100);
    expect(handle.unref().hasRef()).toBe(false);
    clock.assertNoTimers();
    await clock.advance(60);
    handle.refresh();
    await clock.advance(60);
    expect(ran).toEqual([]);
    clock.assertNoTimers();
    expect(handle.ref().hasRef()).toBe(true);
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(40);
    expect(ran).toEqual([160]);
    setTimeout(() => ran.push(0), 1).close();
    clock.assertNoTimers();
  });

  test('a cleared timer stays cleared after refresh()', async () => {
    const clock = virtualClock();
    using _globals = useVirtualGlobals(clock);
    const ran: number[] = [];
    const handle = setTimeout(() => ran.push(clock.monotonic()), 100);
    clearTimeout(handle);
    handle.refresh();
    await clock.advance(200);
    expect(ran).toEqual([]);
  });

  test('promisify(setTimeout) follows the clock, and rejects when its signal aborts', async () => {
    const clock = virtualClock();
    using _globals = useVirtualGlobals(clock);
    const sleep = promisify(setTimeout);
    await expect(clock.runUntil(sleep(5_000, 'slept'))).resolves.toBe('slept');
    expect(clock.monotonic()).toBe(5_000);
    const aborted = sleep(5_000, 'slept', { signal: AbortSignal.abort(new Error('enough')) });
    await expect(clock.runUntil(aborted)).rejects.toThrow('enough');
    clock.assertNoTimers();
  });

  test('setTimeout throws at once for a callback that is not a function', () => {
    using _globals = useVirtualGlobals(virtualClock());
    expect(() => setTimeout(undefined as never, 10)).toThrow(TypeError);
    expect(() => useVirtualGlobals(Date as never)).toThrow('Option useVirtualGlobals.clock is a function');
  });

  test('a second dispose does not restore the globals again', () => {
    const first = useVirtualGlobals(virtualClock());
    first[Symbol.dispose]();
    using _globals = useVirtualGlobals(virtualClock({ now: 1_000_000 }));
    first[Symbol.dispose]();
    expect(Date.now()).toBe(1_000_000);
  });

  test("a delay above Node's maximum is 1 ms, as in Node", async () => {
    const clock = virtualClock();
    using _globals = useVirtualGlobals(clock);
    const ran: number[] = [];
    for (const delayMs of [undefined, -5, NaN, 0, 2 ** 31, Infinity])
      setTimeout(() => ran.push(clock.monotonic()), delayMs);
    await clock.advance(1);
    expect(ran).toEqual([1, 1, 1, 1, 1, 1]);
  });
});

describe('while a test fakes the timers of Node', () => {
  afterEach(() => void vi.useRealTimers());

  const fake = (): Disposable => {
    vi.useFakeTimers();
    return { [Symbol.dispose]: () => void vi.useRealTimers() };
  };

  test.each([
    ['virtual globals', () => useVirtualGlobals(virtualClock())],
    ['fake timers', fake],
  ])('a fault server still breaks responses: %s', async (_, take) => {
    await using upstream = await startFaultServer({ faults: [{ fault: resetMidBody() }] });
    using _taken = take();
    const socket = connect(upstream.port, upstream.host);
    socket.resume().write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    await expect(once(socket, 'end')).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  test('a virtual clock still turns the event loop', async () => {
    using _taken = fake();
    const clock = virtualClock({ settle: 'eventLoop' });
    await clock.runUntil(clock.sleep(1_000));
    await expect(clock.runUntil(new Promise(() => {}))).rejects.toMatchObject({ code: 'MAC_CLOCK_STALLED' });
  });
});
