// The pages that show committed results: those of the benchmarks, and the blocks of figures on other pages.
import { existsSync, globSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { chartOf } from './chart.ts';
import { fillFigures } from './figures.ts';
import { chartFile, pageOf } from './page.ts';
import type { SuiteResult } from './result.ts';

const root = join(import.meta.dirname, '..', '..');
const results = join(root, 'bench', 'results');
const benchmarks = join(root, 'docs', 'benchmarks');

export function committedResult(suite: string): SuiteResult | undefined {
  const file = join(results, `${suite}.json`);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as SuiteResult) : undefined;
}

/** Commits a result to its file and writes every page that shows it. */
export function saveResult(result: SuiteResult): void {
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, `${result.suite}.json`), `${JSON.stringify(result, null, 2)}\n`);
  for (const [file, text] of pages()) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}

/** Every file that is made of committed results, with the text it should have. */
export function pages(): Map<string, string> {
  const suites = existsSync(results) ? readdirSync(results).map((file) => basename(file, '.json')) : [];
  const committed = new Map(suites.map((suite) => [suite, committedResult(suite) as SuiteResult]));
  const texts = new Map<string, string>();
  for (const [suite, result] of committed) {
    texts.set(join(benchmarks, `${suite}.md`), pageOf(result));
    for (const one of result.cases) texts.set(join(benchmarks, chartFile(suite, one.name)), chartOf(one));
  }
  for (const name of globSync(['README.md', 'docs/*.md', 'packages/*/README.md'], { cwd: root })) {
    const file = join(root, name);
    const text = readFileSync(file, 'utf8');
    if (text.includes('<!-- figures: '))
      texts.set(file, fillFigures(text, committed, relative(dirname(file), benchmarks)));
  }
  return texts;
}
