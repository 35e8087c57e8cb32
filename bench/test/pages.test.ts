import { existsSync, globSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { slopeOf } from '../src/chart.ts';
import { fillFigures } from '../src/figures.ts';
import { overviewPage } from '../src/overview.ts';
import { pageOf } from '../src/page.ts';
import { pages } from '../src/pages.ts';
import type { SuiteResult } from '../src/result.ts';
import { caseOf } from './fixture.ts';

describe('generated pages', () => {
  test.each([...pages()].map(([file, text]) => [relative(process.cwd(), file), file, text]))(
    '%s is what the committed results say',
    (_, file, text) => {
      expect(existsSync(file) ? readFileSync(file, 'utf8') : '').toBe(text);
    },
  );
});

describe('figures typed by hand in', () => {
  const root = join(import.meta.dirname, '..', '..');
  const written = ['*.md', 'bench/*.md', 'docs/*.md', 'docs/decisions/*.md', 'examples/*/*.md', 'packages/*/README.md'];
  /** What a page says of cost: a time that only a benchmark tells, or how often one costs what another does. */
  const measured = /(?<![-\w])\d[\d.,]*\s?(?:ns|µs|nanoseconds|microseconds)\b|(?<![-\w])\d+(?:\.\d+)?x\b/;
  /** Figures by script, written elsewhere than here, and the log of a release. */
  const generated = /<!-- figures: [\s\S]*?<!-- \/figures -->|<!-- Written by [\s\S]*/g;

  test.each(globSync(written, { cwd: root }))('%s has none', (name) => {
    const text = readFileSync(join(root, name), 'utf8')
      .replaceAll(generated, '')
      .replaceAll(/```[\s\S]*?```/g, '');
    expect(text.split('\n').filter((line) => measured.test(line))).toEqual([]);
  });
});

const hit = caseOf('hit', { peer: [400, 420, 380], macadam: [100, 98, 102] }, [
  { of: 'macadam', to: 'peer', atMost: 0.5 },
]);
const result: SuiteResult = { suite: 'cache', what: 'Hits.', cases: [hit] };

describe('a block of figures', () => {
  const page = (body: string, what = 'cache') =>
    `# Cache\n\n<!-- figures: ${what} -->${body}<!-- /figures -->\n\nMore.\n`;

  test('is filled with the same text, whatever it contained', () => {
    const once = fillFigures(page(''), new Map([['cache', result]]), 'benchmarks');
    expect(once).toContain('| hit | macadam 100 ns ± 1 % · peer 400 ns ± 3 % |');
    expect(once).toContain('| hit | macadam vs peer | holds | 0.5x | 0.25x (0.23 to 0.27) |');
    expect(once).toContain('[all figures](benchmarks/cache.md)');
    expect(once).toContain('More.');
    expect(fillFigures(page('old 17x'), new Map([['cache', result]]), 'benchmarks')).toBe(once);
    expect(fillFigures(once, new Map([['cache', result]]), 'benchmarks')).toBe(once);
  });

  test('can show one case', () => {
    const two = { ...result, cases: [hit, caseOf('miss', { macadam: [7] })] };
    const text = fillFigures(page('', 'cache / miss'), new Map([['cache', two]]), '.');
    expect(text).toContain('| miss | macadam 7.0 ns ± 0 % |');
    expect(text).not.toContain('| hit |');
  });

  test('can count the claims of all suites', () => {
    const text = fillFigures(page('', 'claims'), new Map([['cache', result]]), 'benchmarks');
    expect(text).toContain('| [cache](benchmarks/cache.md) | 1 | 1 | 0 |');
  });

  test('says so when there is no result', () => {
    expect(fillFigures(page('', 'claims'), new Map(), '.')).toContain('Not measured yet.');
    for (const what of ['auth', 'cache / gone'])
      expect(fillFigures(page('', what), new Map([['cache', result]]), '.')).toContain('Not measured yet.');
  });
});

describe('the page of a suite', () => {
  test('says how it was measured once, or for each case when runs differ', () => {
    const other = { ...hit, name: 'later', run: { ...hit.run, date: '2026-02-03', quiet: false } };
    const statements = (text: string): number => text.split('medians of 3 interleaved rounds').length - 1;
    expect(statements(pageOf({ ...result, cases: [hit, { ...hit, name: 'too' }] }))).toBe(1);
    const differing = pageOf({ ...result, cases: [hit, other] });
    expect(statements(differing)).toBe(2);
    expect(differing).toContain('2026-02-03, medians of 3 interleaved rounds of 100 ms, on a machine that was busy');
  });

  test('gives no ratio for two contenders that the rounds do not distinguish', () => {
    const level = caseOf('level', { macadam: [100, 120, 101], peer: [110, 100, 102] }, [
      { of: 'macadam', to: 'peer', atMost: 1 },
    ]);
    const text = pageOf({ ...result, cases: [level] });
    expect(text).toContain('| level |');
    expect(text).toContain('at most 1x peer: level (the rounds do not distinguish the two)');
    expect(text).not.toMatch(/0\.9\dx|1\.0[1-9]x/);
  });
});

describe('the page of all claims', () => {
  test('has every claim with limit, ratio and verdict, and every peer with its version', () => {
    const missed = caseOf('set', { macadam: [300], peer: [100] }, [{ of: 'macadam', to: 'peer', atMost: 2 }]);
    const text = overviewPage([{ ...result, cases: [hit, missed] }], [{ file: 'tail.md', title: 'Waits' }]);
    expect(text).toContain('2 claims: 1 hold, 1 are missed.');
    expect(text).toContain('| [cache](cache.md): hit | macadam vs peer | holds | 0.5x | 0.25x (0.23 to 0.27) |');
    expect(text).toContain('| [cache](cache.md): set | macadam vs peer | **misses** | 2x | 3.00x (3.00 to 3.00) |');
    expect(text).toContain('| [cache](cache.md) | peer 1.2.3 |');
    expect(text).toContain('- [Waits](tail.md)');
  });

  test('includes the allowance of a claim', () => {
    const allowed = caseOf('allowance', { macadam: [150, 155, 160], peer: [100, 110, 105] }, [
      { of: 'macadam', to: 'peer', atMost: 1, plusNs: 100 },
    ]);
    const text = overviewPage([{ ...result, cases: [allowed] }], []);
    expect(text).toContain(
      '| [cache](cache.md): allowance | macadam vs peer plus 100 ns | holds | 1x | 0.75x (0.74 to 0.78) |',
    );
    expect(pageOf({ ...result, cases: [allowed] })).toContain('holds: macadam at most 1x peer plus 100 ns: 0.75x');
  });

  test('gives the slope of each curve', () => {
    const curve = caseOf('keys', { '10': [10], '1,000': [40] }, [], true);
    const text = overviewPage([{ ...result, cases: [curve] }], []);
    expect(text).toContain('| [cache](cache.md): keys | 10: 10 ns | 1,000: 40 ns | +100 % per tenfold increase |');
  });
});

test.each([
  ['level', [1, 10, 100], [5, 5, 5], 0],
  ['twice as much per tenfold increase', [1, 10, 100], [1, 2, 4], 1],
  ['in proportion', [1, 10_000], [3, 30_000], 9],
  ['falling', [1, 100], [4, 1], -0.5],
])('the slope of a curve: %s', (_, sizes, costs, slope) => {
  expect(slopeOf(sizes.map((size, i) => [size, costs[i] as number]))).toBeCloseTo(slope, 10);
});

test('one size has no slope', () => {
  expect(slopeOf([[10, 5]])).toBeUndefined();
});
