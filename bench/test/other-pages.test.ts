import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { installSize } from '../footprint/install-size.ts';
import { footprintPage, type FootprintResult } from '../footprint/page.ts';
import { comparisonOf, type PlainPair } from '../plain/comparison.ts';
import { operations } from '../plain/operations.ts';
import { plainPage, type PlainResult } from '../plain/page.ts';
import { pairs } from '../plain/pairs.ts';
import type { SuiteResult } from '../src/result.ts';
import type { Suite } from '../src/suite.ts';
import { tailChart } from '../tail/chart.ts';
import { tailPage, type TailResult } from '../tail/page.ts';
import { caseOf } from './fixture.ts';

const machine = { date: '2026-01-02', node: 'v24.0.0', cpu: 'A', quiet: true };

describe('the page of tail latency', () => {
  const run = (caller: string, load: number, p99Ms: number) => ({
    ...{ caller, load, perSecond: 1_000 * load, calls: 100, answered: 90, failures: { MAC_TIMEOUT: 10 } },
    ...{ p50Ms: 11, p90Ms: 12, p99Ms, p999Ms: 2 * p99Ms, cpuMsPerCall: 0.5 },
  });
  const runs = [0.5, 1.2].flatMap((load) => [run('macadam', load, 20), run('got', load, 400 * load)]);
  const result: TailResult = { ...machine, seconds: 8, capacity: 1_000, runs };

  test('has a table for each load, with latencies and failures', () => {
    const text = tailPage(result);
    expect(text).toContain('## 120 % of capacity, 1200 requests per second');
    expect(text).toContain('| got | 90.0 % | 11.0 | 12.0 | 480 | 960 | 0.50 | 10 MAC_TIMEOUT |');
    expect(text).toContain('![p99 by load](tail.svg)');
  });

  test('has a chart with a line for each caller, longer latencies above shorter ones', () => {
    const chart = tailChart(result);
    const heights = (index: number): number[] =>
      [...(chart.match(/points="([^"]+)"/g)?.[index] ?? '').matchAll(/,([\d.]+)/g)].map(([, y]) => Number(y));
    expect(heights(0)).toHaveLength(2);
    expect(Math.min(...heights(0))).toBeGreaterThan(Math.max(...heights(1)));
  });
});

describe('the page of import time and install size', () => {
  test('has a table for each job', () => {
    const size = { version: '1.0.0', packages: 3, bytes: 123_456, installScripts: 0 };
    const one = { group: 'http', name: 'got', importCpuMs: { median: 40.25, spread: 0.1 }, ...size };
    const result: FootprintResult = { ...machine, rounds: 9, packages: [one] };
    expect(footprintPage(result)).toContain('| got 1.0.0 | 40.3 ms ± 10 % | 3 | 123 kB | 0 |');
  });
});

describe('the ratios of plain loops', () => {
  const names = { suite: 'cache', case: 'hit', of: 'macadam', to: 'peer' };
  const pairOf = (ofNs: number[], toNs: number[]): PlainPair => ({ ...names, ofNs, toNs });
  /** Its rounds have the ratios 0.5, 0.4 and 0.5. */
  const cache: SuiteResult = {
    ...{ suite: 'cache', what: '' },
    cases: [caseOf('hit', { macadam: [50, 40, 55], peer: [100, 100, 110] })],
  };
  const suites = new Map([['cache', cache]]);

  test('are those of the medians, with the lowest and highest of a round', () => {
    const { plain } = comparisonOf(pairOf([10, 30, 20], [40, 50, 100]), suites);
    expect(plain).toEqual({ value: 20 / 50, low: 20 / 100, high: 30 / 50 });
    expect(comparisonOf(pairOf([10, 20], [10, 10]), suites).plain.value).toBe(1.5);
  });

  test.each([
    ['the same', 50, 'agrees', 0],
    ['a little more', 54, 'agrees', 0.08],
    ['too much', 56, 'differs', 0.12],
    ['a little less', 46, 'agrees', -0.08],
    ['too little', 44, 'differs', -0.12],
  ])('are compared with the median of the rounds of the harness: %s', (_, ns, verdict, difference) => {
    const compared = comparisonOf(pairOf([ns], [100]), suites);
    expect(compared).toMatchObject({ verdict, harness: 0.5 });
    expect(compared.verdict === 'not in the results' ? NaN : compared.difference).toBeCloseTo(difference, 10);
  });

  test.each([
    ['suite', { suite: 'gone' }],
    ['case', { case: 'gone' }],
    ['contender', { to: 'gone' }],
  ])('are reported without a ratio of the harness when its results have no such %s', (_, other) => {
    const compared = comparisonOf({ ...pairOf([1], [2]), ...other }, suites);
    expect(compared).toMatchObject({ plain: { value: 0.5 }, verdict: 'not in the results' });
  });

  test('cannot be computed when one of the two has fewer rounds', () => {
    expect(() => comparisonOf(pairOf([1, 2], [2]), suites)).toThrow(
      'the same number of rounds, at least one, not 2 and 1',
    );
  });

  test('are on a page that names pairs that differ or are missing in the harness', () => {
    const all = [pairOf([50], [100]), pairOf([60], [100]), { ...pairOf([60], [100]), case: 'gone' }];
    const result: PlainResult = { ...machine, rounds: 7, pairs: all };
    const text = plainPage(result, suites);
    expect(text).toContain('1 of 3 ratios are within 10 % of those of the harness.');
    expect(text).toContain('Different: macadam vs peer (cache). Not in the results of the harness: macadam vs');
    expect(text).toContain(
      '| cache, hit: macadam (60 ns) | peer (100 ns) | 0.60x (0.60 to 0.60) | 0.50x | +20.0 % | differs |',
    );
    expect(text).toContain(
      '| cache, gone: macadam (60 ns) | peer (100 ns) | 0.60x (0.60 to 0.60) | - | - | not in the',
    );
  });
});

test.each(pairs)('a pair of the plain loops exists in the harness: $suite, $of and $to', async (pair) => {
  const { suite } = (await import(`../suites/${pair.suite}.ts`)) as { suite: Suite };
  const contenders = suite.cases.find(({ name }) => name === pair.case)?.contenders.map(({ name }) => name);
  for (const name of [pair.of, pair.to]) {
    expect(contenders).toContain(name);
    expect(Object.keys(operations[pair.suite] ?? {})).toContain(name);
  }
});

describe('the size of an install', () => {
  const folders: string[] = [];
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
  });

  function workspace(packages: Readonly<Record<string, object>>): string {
    const root = mkdtempSync(join(tmpdir(), 'macadam-size-'));
    folders.push(root);
    for (const [name, manifest] of Object.entries(packages)) {
      mkdirSync(join(root, 'node_modules', name), { recursive: true });
      const text = JSON.stringify({ name, version: '1.0.0', ...manifest });
      writeFileSync(join(root, 'node_modules', name, 'package.json'), text);
    }
    return root;
  }

  test('includes the package and all dependencies once, and peers unless they are optional', () => {
    const root = workspace({
      a: {
        dependencies: { b: '1', c: '1' },
        peerDependencies: { p: '1', q: '1' },
        peerDependenciesMeta: { q: { optional: true } },
      },
      b: { dependencies: { c: '1' }, optionalDependencies: { gone: '1' } },
      ...{ c: { scripts: { postinstall: 'true' } }, p: {}, q: {} },
    });
    expect(installSize('a', root)).toMatchObject({ version: '1.0.0', packages: 4, installScripts: 1 });
  });

  test('rejects a package that is not installed', () => {
    expect(() => installSize('a', workspace({ a: { dependencies: { b: '1' } } }))).toThrow('b is not installed');
  });
});
