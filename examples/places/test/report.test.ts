import { describe, expect, test } from 'vitest';
import type { Figures } from '../src/figures.ts';
import { figuresOf } from '../src/figures.ts';
import type { Run, StepRecord } from '../src/load.ts';
import type { Call } from '../src/statistics.ts';
import { comparisonReport, verdict } from '../src/report.ts';
import { judgePromises, judgeRow, rows } from '../src/comparison.ts';
import { scenarioSteps } from '../src/scenario.ts';

const plain: Figures = {
  ...{
    success: 0.75,
    successSlow: 1,
    successStorm: 0.85,
    p50Ms: 4,
    p99Ms: 10_000,
    maxMs: 10_000,
    longestHangMs: 10_000,
  },
  ...{
    upstreamPerCall: 1,
    upstreamPerCallOutage: 1,
    outageMedianMs: 10_000,
    recoveryMs: 10_000,
    newCallerRecoveryMs: 0,
  },
  timeoutMs: undefined,
};
const macadam: Figures = {
  ...{ success: 0.78, successSlow: 1, successStorm: 0.998, p50Ms: 4, p99Ms: 340, maxMs: 740, longestHangMs: 350 },
  ...{
    upstreamPerCall: 0.86,
    upstreamPerCallOutage: 0.08,
    outageMedianMs: 2,
    recoveryMs: 500,
    newCallerRecoveryMs: 500,
  },
  timeoutMs: 1_000,
};

describe('a row', () => {
  const verdict = (label: string, theirs: Partial<Figures>, ours: Partial<Figures>) =>
    judgeRow(
      rows.find((row) => row.label === label)!,
      { ...plain, ...theirs },
      { ...macadam, ...ours },
    ).verdict;

  test.each([
    ['wait, p50', { p50Ms: 4 }, { p50Ms: 9 }, 'ties'],
    ['wait, p50', { p50Ms: 4 }, { p50Ms: 9.1 }, 'LOSES'],
    ['wait, p50', { p50Ms: 10 }, { p50Ms: 4 }, 'wins'],
    ['wait, max', { maxMs: 1_000 }, { maxMs: 1_015 }, 'ties'],
    ['wait, max', { maxMs: 1_000 }, { maxMs: 1_016 }, 'LOSES'],
    ['success, all phases', { success: 0.75 }, { success: 0.7499 }, 'LOSES'],
    ['success, all phases', { success: 0.75 }, { success: 0.75 }, 'ties'],
    ['success, slow phase', { successSlow: 1 }, { successSlow: 0.9955 }, 'ties'],
    ['success, slow phase', { successSlow: 1 }, { successSlow: 0.994 }, 'LOSES'],
    ['upstream requests per call', { upstreamPerCall: 1 }, { upstreamPerCall: 1.02 }, 'LOSES'],
    ['success, storm phase', { successStorm: NaN }, { successStorm: 0.9 }, 'LOSES'],
  ] as const)('%s: %o against %o %s', (label, theirs, ours, expected) => {
    expect(verdict(label, theirs, ours)).toBe(expected);
  });
});

describe('a promise', () => {
  test('is kept with good figures', () => {
    expect(judgePromises(plain, macadam).every(({ kept }) => kept)).toBe(true);
  });

  test.each([
    [0, { ...plain, successStorm: 0.95 }, macadam],
    [1, plain, { ...macadam, successSlow: 0.989 }],
    [2, plain, { ...macadam, successStorm: 0.989 }],
    [3, plain, { ...macadam, upstreamPerCallOutage: 1.26 }],
    [4, plain, { ...macadam, outageMedianMs: 5 }],
    [5, plain, { ...macadam, maxMs: 1_050.1 }],
    [5, plain, { ...macadam, timeoutMs: undefined }],
    [6, plain, { ...macadam, recoveryMs: 6_100 }],
    [1, plain, { ...macadam, successSlow: NaN }],
  ])('number %i is broken by a figure beyond its limit', (at, theirs, ours) => {
    expect(judgePromises(theirs, ours).map(({ kept }) => kept)).toEqual(Array.from({ length: 7 }, (_, i) => i !== at));
  });
});

/** Ten callers per step. Those of the outage fail: at once after the circuit opens half-way, otherwise after a second. */
function run(variant: 'fetch' | 'macadam'): Run {
  let startMs = 0;
  const calls: Call[] = [];
  const nothing = { attempts: 0, retries: 0, budgetRefusals: 0, circuitRefusals: 0, transitions: [] };
  const opened = { ...nothing, circuitRefusals: 5, transitions: [{ atMs: 5_000_500, from: 'closed', to: 'open' }] };
  const steps = scenarioSteps('day').map((step): StepRecord => {
    const resets = step.condition === 'resets' && variant === 'macadam';
    const openMs = resets ? 500 : 0;
    for (let i = 0; i < 10; i++) {
      const atMs = startMs + i * 100;
      const slow = step.phase === 'outage' && (variant === 'fetch' || i * 100 < openMs);
      calls.push({
        phase: step.phase,
        group: 'everybody',
        atMs,
        waitedMs: slow ? 1_000 : 2,
        outcome: step.phase === 'outage' ? 'failed' : 'succeeded',
      });
    }
    const record = { ...step, startMs, startedAt: 5_000_000, upstreamRequests: resets ? 2 : 10, before: nothing };
    startMs += step.durationMs;
    return { ...record, after: resets ? opened : nothing };
  });
  return { variant, calls, steps, longestStallMs: 20 };
}

describe('the figures of a run', () => {
  test('include all calls', () => {
    const figures = figuresOf(run('fetch'));
    expect(figures).toMatchObject({ successSlow: 1, successStorm: 1, p50Ms: 2, maxMs: 1_000, longestHangMs: 1_000 });
    expect(figures).toMatchObject({ upstreamPerCall: 1, upstreamPerCallOutage: 1, timeoutMs: undefined });
    expect(figures.success).toBeCloseTo(40 / 60);
  });

  test('measure the outage from when the circuit is open, if there is a circuit', () => {
    expect(figuresOf(run('fetch')).outageMedianMs).toBe(1_000);
    expect(figuresOf(run('macadam')).outageMedianMs).toBe(2);
    expect(figuresOf(run('macadam')).upstreamPerCallOutage).toBe(12 / 20);
  });
});

test('the report shows lost rows, and does not pass with them', () => {
  const { text, passed } = comparisonReport(run('macadam'), run('fetch'));
  expect(passed).toBe(false);
  expect(text).toMatch(/^median wait in the outage +2\.0 ms +1\.00 s +LOSES$/m);
  expect(text).toMatch(/^ {2}FAIL {2}plain fetch feels the storm/m);
});

test('the report shows the state changes of the circuit in each phase', () => {
  const { text } = comparisonReport(run('fetch'), run('macadam'));
  expect(text).toMatch(/^ {2}outage +20 callers, .*5 by the open circuit; circuit: closed -> open$/m);
  expect(text).toMatch(/^ {2}calm +10 callers, .*circuit: no change$/m);
});

test.each([
  [true, 12, /^Macadam won or tied every row and kept every promise\.$/],
  [true, 719.8, /kept every promise\.\nThis machine is busy: .* stalled for up to 720 ms/],
  [false, 12, /^Macadam LOST a row or broke a promise\.$/],
  [false, 719.8, /^NOT JUDGED: .* too busy to judge: .* stalled for up to 720 ms/],
])('the verdict for passed: %s with a stall of %d ms', (passed, longestStallMs, word) => {
  expect(verdict(passed, [run('fetch'), { ...run('macadam'), longestStallMs }])).toMatch(word);
});
