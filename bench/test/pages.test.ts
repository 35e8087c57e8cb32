import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fillFigures } from '../src/figures.ts';
import { pages } from '../src/pages.ts';
import type { SuiteResult } from '../src/result.ts';

describe('pages that show figures', () => {
  test.each([...pages()].map(([file, text]) => [relative(process.cwd(), file), file, text]))(
    '%s is what the committed results say',
    (_, file, text) => {
      expect(existsSync(file) ? readFileSync(file, 'utf8') : '').toBe(text);
    },
  );
});

describe('a block of figures', () => {
  const figure = (median: number) => ({ median, spread: 0.02 });
  const contender = (name: string, ns: number) => ({
    ...{ name, cpuNs: figure(ns), perSecond: figure(1), bytes: 1, peakMiB: figure(1) },
  });
  const claim = { of: 'macadam', to: 'peer', atMost: 0.5, ratio: { value: 0.25, distinct: true }, holds: true };
  const result: SuiteResult = {
    ...{ suite: 'cache', what: 'Hits.', date: '2026-01-02', node: 'v24.0.0', cpu: 'A', rounds: 7, milliseconds: 400 },
    ...{ quiet: true, versions: {} },
    cases: [
      { name: 'hit', what: '', contenders: [contender('peer', 400), contender('macadam', 100)], claims: [claim] },
    ],
  };

  test('is filled again and again to the same text, whatever it held', () => {
    const page = (body: string) => `# Cache\n\n<!-- figures: cache -->${body}<!-- /figures -->\n\nMore.\n`;
    const once = fillFigures(page(''), new Map([['cache', result]]), 'benchmarks');
    expect(once).toContain('| hit | macadam 100 ns ± 2 % · peer 400 ns ± 2 % |');
    expect(once).toContain('- holds: macadam at most 0.5x peer: 0.25x');
    expect(once).toContain('[all figures](benchmarks/cache.md)');
    expect(once).toContain('More.');
    expect(fillFigures(page('old 17x'), new Map([['cache', result]]), 'benchmarks')).toBe(once);
    expect(fillFigures(once, new Map([['cache', result]]), 'benchmarks')).toBe(once);
  });

  test('of a suite that has not been run says so', () => {
    expect(fillFigures('<!-- figures: auth --><!-- /figures -->', new Map(), '.')).toContain('Not measured yet.');
  });
});
