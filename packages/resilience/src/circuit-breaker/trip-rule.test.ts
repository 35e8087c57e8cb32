import { describe, expect, it } from 'vitest';
import { consecutiveFailures, failureRate, slowCallRate, type TripRule } from './trip-rule.ts';

interface Heard {
  readonly at?: number;
  readonly ms?: number;
}

/** Plays outcomes (`x` failed, `.` succeeded) and tells after which call, counted from 1, it trips first. */
function tripsAt(rule: TripRule, outcomes: string, heard: (i: number) => Heard = () => ({})): number | undefined {
  const meter = rule.start();
  for (const [i, outcome] of [...outcomes].entries()) {
    const { at = i, ms = 1 } = heard(i);
    if (meter.record(outcome === 'x', ms, at)) return i + 1;
  }
  return undefined;
}

describe('consecutiveFailures', () => {
  it.each([
    { count: 5, outcomes: 'xxxxx', trips: 5 },
    { count: 5, outcomes: 'xxxx.xxxx.', trips: undefined },
    { count: 5, outcomes: 'xxxx.xxxxx', trips: 10 },
    { count: 1, outcomes: '..x', trips: 3 },
  ])('of $count on $outcomes trips at $trips', ({ count, outcomes, trips }) => {
    expect(tripsAt(consecutiveFailures({ count }), outcomes)).toBe(trips);
  });
});

describe('consecutiveFailures of a busy service', () => {
  const rule = consecutiveFailures({ count: 5, busyWindowMs: 1_000 });
  it.each([
    { name: 'five in a row trip a service that had no calls before', outcomes: 'xxxxx', everyMs: 0, trips: 5 },
    { name: 'and one with few', outcomes: '...xxxxx', everyMs: 1, trips: 8 },
    {
      name: 'twenty calls in the second before ask for twenty',
      outcomes: '.'.repeat(20) + 'x'.repeat(25),
      everyMs: 1,
      trips: 40,
    },
    {
      name: 'five in a row among many are chance',
      outcomes: `${'.'.repeat(95)}xxxxx`.repeat(3),
      everyMs: 5,
      trips: undefined,
    },
    {
      name: 'calls of more than a second ago are forgotten',
      outcomes: '.'.repeat(20) + 'x'.repeat(5),
      everyMs: 1_100,
      trips: 25,
    },
  ])('$name', ({ outcomes, everyMs, trips }) => {
    expect(tripsAt(rule, outcomes, (i) => ({ at: i * everyMs }))).toBe(trips);
  });

  it('ignores calls and failures from before a reset', () => {
    const meter = rule.start();
    for (let i = 0; i < 20; i++) meter.record(false, 1, i);
    for (let i = 0; i < 4; i++) expect(meter.record(true, 1, 20)).toBe(false);
    meter.reset();
    for (let i = 1; i <= 5; i++) expect(meter.record(true, 1, 21), `failure ${i}`).toBe(i === 5);
  });
});

describe('failureRate over calls, as resilience4j documents its count-based window', () => {
  it.each([
    {
      name: 'nine failures of ten needed calls do not open',
      minimumCalls: 10,
      outcomes: 'x'.repeat(9),
      trips: undefined,
    },
    { name: 'the tenth does', minimumCalls: 10, outcomes: 'x'.repeat(10), trips: 10 },
    { name: 'equal to the threshold is enough', minimumCalls: 4, outcomes: '..xx', trips: 4 },
    { name: 'below the threshold is not', minimumCalls: 5, outcomes: '...xx', trips: undefined },
    { name: 'the call that fills the window may be a success', minimumCalls: 4, outcomes: 'xxx.', trips: 4 },
    { name: 'old calls leave the window', minimumCalls: 10, outcomes: '..........xxxxx', trips: 15 },
    { name: 'old failures leave the window', minimumCalls: 10, outcomes: 'xxxx..........xxxx', trips: undefined },
  ])('$name', ({ minimumCalls, outcomes, trips }) => {
    expect(tripsAt(failureRate({ windowCalls: 10, minimumCalls }), outcomes)).toBe(trips);
  });
});

describe('failureRate over time, as Polly samples', () => {
  it('needs its minimum throughput within the window', () => {
    const rule = failureRate({ ratio: 0.5, windowMs: 30_000, minimumCalls: 20 });
    expect(tripsAt(rule, 'x'.repeat(19))).toBeUndefined();
    expect(tripsAt(rule, 'x'.repeat(20))).toBe(20);
    // Three seconds apart there are never more than ten or so in the window.
    expect(tripsAt(rule, 'x'.repeat(100), (i) => ({ at: i * 3_000 }))).toBeUndefined();
  });

  it('a long healthy past does not hide current failures', () => {
    const rule = failureRate({ ratio: 0.5, windowMs: 10_000, minimumCalls: 10 });
    const outcomes = '.'.repeat(10_000) + 'x'.repeat(10);
    const at = (i: number): Heard => ({ at: i < 10_000 ? i : 60_000 + i });
    expect(tripsAt(rule, outcomes, at)).toBe(10_010);
  });

  it('opossum #481, #558: the first failure alone does not open', () => {
    expect(tripsAt(failureRate(), 'x')).toBeUndefined();
  });

  it('a success never opens, even if it completes minimumCalls', () => {
    expect(tripsAt(failureRate({ minimumCalls: 4 }), 'xxx.')).toBeUndefined();
    expect(tripsAt(failureRate({ minimumCalls: 4 }), 'xxx.x')).toBe(5);
  });
});

describe('slowCallRate', () => {
  const rule = slowCallRate({ slowerThanMs: 100, windowCalls: 4, minimumCalls: 4, ratio: 0.5 });
  it.each([
    { name: 'slow successes count', outcomes: '....', ms: [101, 1, 1, 101], trips: 4 },
    { name: 'exactly the limit is not slow', outcomes: '....', ms: [100, 100, 100, 100], trips: undefined },
    { name: 'fast failures do not count', outcomes: 'xxxx', ms: [1, 1, 1, 1], trips: undefined },
  ])('$name', ({ outcomes, ms, trips }) => {
    expect(tripsAt(rule, outcomes, (i) => ({ ms: ms[i] as number }))).toBe(trips);
  });
});

describe('a rule', () => {
  it.each([
    { rule: consecutiveFailures(), words: '5 failures in a row' },
    { rule: failureRate(), words: '50 % failures within 30000 ms, given 20 calls' },
    { rule: failureRate({ windowCalls: 10 }), words: '50 % failures among the last 10 calls, given 10 calls' },
    { rule: slowCallRate({ slowerThanMs: 9 }), words: '50 % calls slower than 9 ms within 30000 ms, given 20 calls' },
  ])('describes: $words', ({ rule, words }) => {
    expect(rule.describe()).toBe(words);
  });

  it.each([
    { name: 'the default', rule: () => failureRate(), windowMs: 30_000 },
    { name: 'that of a failure rate', rule: () => failureRate({ windowMs: 5_000 }), windowMs: 5_000 },
    { name: 'that of slow calls', rule: () => slowCallRate({ slowerThanMs: 9, windowMs: 7_000 }), windowMs: 7_000 },
  ])('exposes its windowMs: $name', ({ rule, windowMs }) => {
    expect(rule().windowMs).toBe(windowMs);
  });

  it('over calls has no windowMs', () => {
    expect(failureRate({ windowCalls: 10 })).not.toHaveProperty('windowMs');
  });

  it('serves many breakers, each with its own meter', () => {
    for (const rule of [consecutiveFailures({ count: 2 }), failureRate({ windowCalls: 2, minimumCalls: 2 })]) {
      const [a, b] = [rule.start(), rule.start()];
      expect(a.record(true, 1, 0)).toBe(false);
      expect(b.record(true, 1, 0)).toBe(false);
      a.reset();
      expect(a.record(true, 1, 0)).toBe(false);
      expect(b.record(true, 1, 0)).toBe(true);
    }
  });

  it.each([
    { make: () => consecutiveFailures({ count: 0 }), path: 'consecutiveFailures.count' },
    { make: () => consecutiveFailures(3 as never), path: 'consecutiveFailures' },
    { make: () => failureRate(0.5 as never), path: 'failureRate' },
    { make: () => slowCallRate(null as never), path: 'slowCallRate' },
    { make: () => failureRate({ ratio: 0 }), path: 'failureRate.ratio' },
    { make: () => failureRate({ ratio: 1.01 }), path: 'failureRate.ratio' },
    { make: () => failureRate({ windowMs: 10, windowCalls: 10 }), path: 'failureRate.windowCalls' },
    { make: () => failureRate({ windowCalls: 5, minimumCalls: 6 }), path: 'failureRate.minimumCalls' },
    { make: () => slowCallRate({} as never), path: 'slowCallRate.slowerThanMs' },
    { make: () => slowCallRate({ slowerThanMs: 9, ratio: 0 }), path: 'slowCallRate.ratio' },
    { make: () => consecutiveFailures({ busyWindowMs: -1 }), path: 'consecutiveFailures.busyWindowMs' },
    { make: () => failureRate({ windowMs: 0 }), path: 'failureRate.windowMs' },
    { make: () => failureRate({ windowCalls: 0 }), path: 'failureRate.windowCalls' },
    { make: () => failureRate({ windowCalls: 1_000_001 }), path: 'failureRate.windowCalls' },
    { make: () => failureRate({ minimumCalls: 0 }), path: 'failureRate.minimumCalls' },
    { make: () => failureRate({ minCalls: 3 } as object), path: 'failureRate.minCalls' },
  ])('refuses $path', ({ make, path }) => {
    expect(make).toThrow(expect.objectContaining({ path }));
  });
});
