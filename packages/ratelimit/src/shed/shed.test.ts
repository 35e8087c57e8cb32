import { getEventListeners } from 'node:events';
import type { Priority } from '@macadam/core';
import { seededRandom, virtualClock, type VirtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { AdmissionLevel, levelOf } from './admission-level.ts';
import { codel, CODEL_START, type CodelState } from './codel.ts';
import { createLoadShedder } from './create-load-shedder.ts';
import type { LoadShedder } from './load-shedder.ts';

describe('codel', () => {
  const numbers = { targetMs: 5, intervalMs: 100 };
  /** [now, waited, drop, overloaded] */
  it.each([
    {
      title: 'a burst is served, however long it waits, while the queue empties within the interval',
      rows: [
        [0, 0, false, false],
        [50, 90, false, false],
        [101, 0, false, false],
        [150, 90, false, false],
      ],
    },
    {
      title: 'when even the shortest wait of an interval was above the target, what waited twice the target is dropped',
      rows: [
        [0, 30, false, false],
        [50, 20, false, true],
        [101, 40, true, true],
        [102, 11, true, true],
        [103, 10, false, true],
        [104, 3, false, true],
        [150, 50, true, true],
        [151, 50, false, false],
        [152, 50, false, false],
      ],
    },
    {
      title: 'folly: one wait alone is never dropped, the next one is when the one before it was too long, too',
      rows: [
        [300, 90, false, false],
        [380, 60, false, true],
        [380, 60, true, true],
        [500, 4, false, true],
        [570, 30, true, true],
        [601, 30, false, false],
        [602, 30, false, false],
      ],
    },
  ] as const)('$title', ({ rows }) => {
    let state: CodelState = CODEL_START;
    rows.forEach(([now, waited, drop, overloaded], i) => {
      const step = codel(state, now, waited, numbers);
      expect([step.drop, step.next.overloaded], `step ${i + 1}`).toEqual([drop, overloaded]);
      state = step.next;
    });
  });
});

describe('AdmissionLevel', () => {
  function window(level: AdmissionLevel, overloaded: boolean, from: number): number {
    let admitted = 0;
    for (let i = 0; i < 640; i++) if (level.admit(i)) admitted++;
    level.endWindow(from + 1_000, () => overloaded);
    return admitted;
  }

  it('admits 5 % fewer in each window of overload, lowest priority first, and 1 %, then 2 % more afterwards', () => {
    const level = new AdmissionLevel();
    level.endWindow(0, () => false);
    const admitted = Array.from({ length: 6 }, (_, i) => window(level, i < 3, i * 1_000));
    expect(admitted).toEqual([640, 608, 577, 548, 554, 566]);
  });

  it('always admits the highest priority', () => {
    const level = new AdmissionLevel();
    level.endWindow(0, () => false);
    for (let i = 0; i < 200; i++) window(level, true, i * 1_000);
    expect(level.share).toBe(0.2);
    expect(level.admit(127)).toBe(true);
    expect(level.admit(128)).toBe(false);
  });

  it.each([
    { overload: false, share: 1 },
    { overload: true, share: 0.2 },
  ])('after an idle window, with overload $overload, admits a ratio of $share', ({ overload, share }) => {
    const level = new AdmissionLevel();
    level.endWindow(0, () => false);
    for (let i = 0; i < 200; i++) window(level, true, i * 1_000);
    for (let i = 0; i < 640; i++) level.admit(i);
    const rests: boolean[] = [];
    level.endWindow(800_000, (wasIdle) => {
      rests.push(wasIdle);
      return overload;
    });
    expect(rests).toEqual([true]);
    expect(level.share).toBe(share);
  });

  it('a user has one level for an hour, and another in the next', () => {
    const levels = (hour: number): number[] =>
      Array.from({ length: 2_000 }, (_, i) => levelOf('low', `user ${i}`, hour * 3_600_000 + 5));
    expect(levels(1)).toEqual(levels(1));
    expect(Math.min(...levels(1))).toBeGreaterThanOrEqual(3 * 128);
    expect(Math.max(...levels(1))).toBeLessThan(4 * 128);
    expect(new Set(levels(1)).size).toBe(128);
    expect(levels(1).filter((one, i) => one === levels(2)[i]).length).toBeLessThan(60);
  });
});

describe('createLoadShedder', () => {
  const fixed = (limit: number) => ({ initial: limit, min: limit, max: limit });

  it('keeps a reserve for high priorities, and runs exempt work at once', async () => {
    const clock = virtualClock();
    const shedder = createLoadShedder({ concurrency: fixed(5), maxQueued: 0, clock, random: seededRandom(1) });
    const work = (how = {}): Promise<unknown> =>
      shedder.run(() => clock.sleep(10), how).catch((error: { reason: string }) => error.reason);
    const runs = Array.from({ length: 5 }, () => work());
    runs.push(work({ priority: 'high' }), work({ priority: 'critical' }), work({ exempt: true }));
    expect(await clock.runUntil(Promise.all(runs))).toEqual([
      ...Array(4).fill(undefined),
      'full',
      undefined,
      'full',
      undefined,
    ]);
  });

  it('high priorities do not queue behind others when the reserve has room', async () => {
    const clock = virtualClock();
    const shedder = createLoadShedder({ concurrency: fixed(5), clock });
    const begun: string[] = [];
    const work = (name: string, priority: Priority): Promise<unknown> =>
      shedder.run(
        () => {
          begun.push(name);
          return clock.sleep(10);
        },
        { priority },
      );
    const runs = Array.from({ length: 6 }, (_, i) => work(`normal ${i}`, 'normal'));
    runs.push(work('critical', 'critical'));
    await clock.settle();
    expect(begun).toEqual(['normal 0', 'normal 1', 'normal 2', 'normal 3', 'critical']);
    await clock.runUntil(Promise.all(runs));
  });

  it('a standing queue of normal work does not shorten the wait that is allowed for critical work', async () => {
    const clock = virtualClock();
    const places = { concurrency: { initial: 2, min: 2, max: 2 }, reserve: 0, clock, random: seededRandom(1) };
    const shedder = createLoadShedder(places);
    const ended: string[] = [];
    const work = (name: string, priority: Priority, ms: number): Promise<unknown> =>
      shedder
        .run(() => clock.sleep(ms), { priority })
        .then(
          () => ended.push(name),
          ({ reason }: { reason: string }) => ended.push(`${name}: ${reason}`),
        );
    // Both places are taken for long, and normal work keeps waiting: after an interval it may wait 10 ms only.
    const all = [work('a', 'normal', 160), work('b', 'normal', 160)];
    for (let i = 0; i < 13; i++) {
      all.push(work(`n${i}`, 'normal', 1));
      await clock.advance(10);
    }
    all.push(work('critical', 'critical', 1));
    await clock.advance(15);
    expect(ended).toContain('n12: tooLong');
    expect(ended).not.toContain('critical: tooLong');
    await clock.advance(100);
    await Promise.all(all);
    expect(ended).toContain('critical');
  });

  it('rejections are retryable, and their retryAfterMs are spread', async () => {
    const clock = virtualClock();
    const shedder = createLoadShedder({ concurrency: fixed(1), maxQueued: 0, clock, random: seededRandom(1) });
    const held = shedder.run(() => clock.sleep(10));
    const errors = await Promise.all(
      Array.from({ length: 50 }, () => shedder.run(() => 0).catch((error: { retryAfterMs: number }) => error)),
    );
    for (const error of errors) {
      expect(error).toMatchObject({ code: 'MAC_OVERLOADED', reason: 'full', priority: 'normal', retryable: true });
    }
    const waits = errors.map((error) => (error as { retryAfterMs: number }).retryAfterMs);
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(500);
    expect(Math.max(...waits)).toBeLessThanOrEqual(1_500);
    expect(new Set(waits).size).toBeGreaterThan(40);
    await clock.runUntil(held);
  });

  it('leaves no listeners, timers or queue entries behind', async () => {
    const clock = virtualClock();
    const shedder = createLoadShedder({ concurrency: fixed(1), clock });
    const controller = new AbortController();
    const held = shedder.run(() => clock.sleep(10));
    const waits = Array.from({ length: 3 }, () =>
      shedder.run(() => 0, { signal: controller.signal }).catch(() => 'gone'),
    );
    await clock.settle();
    controller.abort();
    expect(await Promise.all(waits)).toEqual(['gone', 'gone', 'gone']);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    await clock.runUntil(held);
    await expect(shedder.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(shedder.stats()).toMatchObject({ inFlight: 0, queued: 0 });
    clock.assertNoTimers();
    await shedder.close();
    await expect(shedder.run(() => 0)).rejects.toMatchObject({ code: 'MAC_CLOSED' });
  });

  it('ignores waits from before an idle period', async () => {
    const clock = virtualClock();
    const shedder = createLoadShedder({ concurrency: fixed(1), overloadedAboveMs: 1, clock, random: seededRandom(1) });
    const refused: unknown[] = [];
    const ask = (how = {}): Promise<unknown> =>
      shedder.run(() => clock.sleep(20), how).catch((error: { reason: string }) => refused.push(error.reason));
    for (let i = 0; i < 3_000; i++) {
      void ask();
      await clock.advance(10);
    }
    await clock.advance(600_000);
    expect(refused).toContain('priority');
    refused.length = 0;
    for (let i = 0; i < 10; i++) {
      await clock.runUntil(ask());
      await clock.advance(60_000);
    }
    expect(refused).toEqual([]);
    await shedder.close();
  });

  it('calls isOverloaded once per window', async () => {
    const clock = virtualClock();
    let asked = 0;
    const isOverloaded = (): boolean => ++asked > 0;
    const shedder = createLoadShedder({ clock, isOverloaded });
    for (let second = 0; second < 60; second++) {
      for (let i = 0; i < 50; i++) await shedder.run(() => 0, { priority: 'low', tenant: `t${i}` }).catch(() => 0);
      await clock.advance(1_000);
    }
    expect(asked).toBe(59);
    expect(shedder.stats()['shedByPriority']).toBeGreaterThan(500);
  });
});

/** Poisson arrivals at a server that does a fixed number of things at once, each for the same time. */
async function load(
  clock: VirtualClock,
  shedder: LoadShedder,
  streams: readonly { priority: Priority; perSecond: (atMs: number) => number; tenant?: string }[],
  durationMs: number,
) {
  const random = seededRandom(3);
  const served: { priority: Priority; waitedMs: number; at: number }[] = [];
  const came = new Map<Priority, number>();
  const streamed = streams.map(({ priority, perSecond, tenant = '' }) => {
    const arrive = (): void => {
      const now = clock.monotonic();
      if (now >= durationMs) return;
      came.set(priority, (came.get(priority) ?? 0) + 1);
      const work = shedder.run(
        () => {
          served.push({ priority, waitedMs: clock.monotonic() - now, at: now });
          return clock.sleep(20);
        },
        { priority, tenant: `${tenant}${Math.floor(random() * 50)}` },
      );
      work.catch(() => {});
      clock.setTimer(arrive, (-Math.log(1 - random()) / perSecond(now)) * 1_000);
    };
    return arrive;
  });
  for (const arrive of streamed) arrive();
  await clock.advance(durationMs + 1_000);
  return { served, came };
}

function quantile(values: readonly number[], q: number): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * q)] ?? NaN;
}

describe('under overload', () => {
  it('at twice the capacity, waits stay short and the capacity is used up', async () => {
    const clock = virtualClock();
    // 20 at once for 20 ms each: a thousand a second.
    const shedder = createLoadShedder({
      concurrency: { initial: 20, min: 20, max: 20 },
      reserve: 0,
      clock,
      random: seededRandom(1),
    });
    const { served } = await load(clock, shedder, [{ priority: 'normal', perSecond: () => 2_000 }], 15_000);
    const waits = served.map(({ waitedMs }) => waitedMs);
    expect(quantile(waits, 0.99)).toBeLessThanOrEqual(65);
    expect(served.length).toBeGreaterThan(0.97 * 15_000);
  });

  it('serves critical work through a twelvefold spike of background work, and everything afterwards', async () => {
    const clock = virtualClock();
    const shedder = createLoadShedder({
      concurrency: { initial: 20, min: 20, max: 20 },
      clock,
      random: seededRandom(1),
    });
    const spike = (atMs: number): number => (atMs >= 3_000 && atMs < 8_000 ? 12 * 400 : 400);
    const { served, came } = await load(
      clock,
      shedder,
      [
        { priority: 'critical', perSecond: () => 200 },
        { priority: 'background', perSecond: spike },
      ],
      20_000,
    );
    const critical = served.filter(({ priority }) => priority === 'critical');
    expect(critical.length / came.get('critical')!).toBeGreaterThanOrEqual(0.994);
    expect(
      quantile(
        critical.map(({ waitedMs }) => waitedMs),
        0.99,
      ),
    ).toBeLessThan(20);
    // During the spike background work still gets what is left; after it, it is served as before.
    const background = served.filter(({ priority }) => priority === 'background');
    expect(background.filter(({ at }) => at >= 3_000 && at < 8_000).length).toBeGreaterThan(0.8 * 5 * 600);
    expect(background.filter(({ at }) => at >= 17_000).length).toBeGreaterThan(0.95 * 3 * 400);
  });

  it.each([
    [null, 'run'],
    [{ signal: null }, 'run.signal'],
    [{ signal: 5 }, 'run.signal'],
    [{ tenant: 5 }, 'run.tenant'],
  ])('refuses options such as %j', async (options, path) => {
    const shedder = createLoadShedder({ clock: virtualClock() });
    await expect(shedder.run(() => 0, options as never)).rejects.toMatchObject({ code: 'MAC_INVALID_OPTIONS', path });
    expect(await shedder.run(() => 7)).toBe(7);
    expect(shedder.stats()).toMatchObject({ inFlight: 0, queued: 0, served: 1 });
  });
});
