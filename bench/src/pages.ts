// Generates everything that shows committed results: the benchmark pages, and the blocks of figures on other pages.
import { existsSync, globSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { footprintPage } from '../footprint/page.ts';
import { plainPage } from '../plain/page.ts';
import { profilePage } from '../profile/page.ts';
import { tailChart } from '../tail/chart.ts';
import { tailPage } from '../tail/page.ts';
import { chartOf } from './chart.ts';
import { fillFigures } from './figures.ts';
import { overviewPage, type OtherPage } from './overview.ts';
import { chartFile, pageOf } from './page.ts';
import type { SuiteResult } from './result.ts';

const root = join(import.meta.dirname, '..', '..');
const results = join(root, 'bench', 'results');
export const benchmarks = join(root, 'docs', 'benchmarks');

type Suites = ReadonlyMap<string, SuiteResult>;

/** The results of the other measurements, and the files generated from them. */
const special: Readonly<Record<string, (result: never, suites: Suites) => Readonly<Record<string, string>>>> = {
  footprint: (result) => ({ 'footprint.md': footprintPage(result) }),
  plain: (result, suites) => ({ 'plain.md': plainPage(result, suites) }),
  profile: (result) => ({ 'profile.md': profilePage(result) }),
  tail: (result) => ({ 'tail.md': tailPage(result), 'tail.svg': tailChart(result) }),
};

export function committedResult(suite: string): SuiteResult | undefined {
  const file = join(results, `${suite}.json`);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as SuiteResult) : undefined;
}

/** Commits a result to its file and writes every page that shows it. */
export function saveResult(name: string, result: object): void {
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`);
  writePages();
}

export function writePages(): void {
  for (const [file, text] of pages()) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}

/** Every file that is generated from committed results, with its expected content. */
export function pages(): Map<string, string> {
  const names = existsSync(results) ? readdirSync(results).map((file) => basename(file, '.json')) : [];
  const suites = names.filter((name) => !(name in special));
  const committed = new Map(suites.map((suite) => [suite, committedResult(suite) as SuiteResult]));
  const texts = new Map<string, string>();
  for (const name of names.filter((one) => one in special)) {
    const result = JSON.parse(readFileSync(join(results, `${name}.json`), 'utf8')) as never;
    const made = special[name]?.(result, committed) ?? {};
    for (const [file, text] of Object.entries(made)) texts.set(join(benchmarks, file), text);
  }
  for (const [suite, result] of committed) {
    texts.set(join(benchmarks, `${suite}.md`), pageOf(result));
    for (const one of result.cases) texts.set(join(benchmarks, chartFile(suite, one.name)), chartOf(one));
  }
  texts.set(join(benchmarks, 'README.md'), overviewPage([...committed.values()], otherPages(names)));
  for (const name of globSync(['README.md', 'docs/*.md', 'packages/*/README.md'], { cwd: root })) {
    const file = join(root, name);
    const text = readFileSync(file, 'utf8');
    if (text.includes('<!-- figures: '))
      texts.set(file, fillFigures(text, committed, relative(dirname(file), benchmarks)));
  }
  return texts;
}

function otherPages(names: readonly string[]): OtherPage[] {
  return [
    { file: 'tail.md', title: 'Tail latency under load', there: names.includes('tail') },
    { file: 'footprint.md', title: 'Import time and install size', there: names.includes('footprint') },
    { file: 'profile.md', title: 'Profiles of the hot paths', there: names.includes('profile') },
    { file: 'plain.md', title: 'The ratios verified by plain loops', there: names.includes('plain') },
    { file: 'cache-hit-ratio.md', title: 'Hit ratios of the cache', there: true },
    { file: '../performance.md', title: 'Where the time goes', there: true },
  ].filter(({ there }) => there);
}
