// The pages that show committed results: those of the benchmarks, and the blocks of figures on other pages.
import { existsSync, globSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { footprintPage } from '../footprint/page.ts';
import { tailPage } from '../tail/page.ts';
import { chartOf } from './chart.ts';
import { fillFigures } from './figures.ts';
import { chartFile, pageOf } from './page.ts';
import type { SuiteResult } from './result.ts';

const root = join(import.meta.dirname, '..', '..');
const results = join(root, 'bench', 'results');
const benchmarks = join(root, 'docs', 'benchmarks');

/** Results that are not those of a suite, and the pages made of them. */
const special: Readonly<Record<string, (result: never) => string>> = { footprint: footprintPage, tail: tailPage };

export function committedResult(suite: string): SuiteResult | undefined {
  const file = join(results, `${suite}.json`);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as SuiteResult) : undefined;
}

/** Commits a result to its file and writes every page that shows it. */
export function saveResult(result: SuiteResult): void {
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, `${result.suite}.json`), `${JSON.stringify(result, null, 2)}\n`);
  writePages();
}

export function writePages(): void {
  for (const [file, text] of pages()) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}

/** Every file that is made of committed results, with the text it should have. */
export function pages(): Map<string, string> {
  const names = existsSync(results) ? readdirSync(results).map((file) => basename(file, '.json')) : [];
  const suites = names.filter((name) => !(name in special));
  const committed = new Map(suites.map((suite) => [suite, committedResult(suite) as SuiteResult]));
  const texts = new Map<string, string>();
  for (const [name, page] of Object.entries(special)) {
    const file = join(results, `${name}.json`);
    if (existsSync(file))
      texts.set(join(benchmarks, `${name}.md`), page(JSON.parse(readFileSync(file, 'utf8')) as never));
  }
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
