// Mutation testing of the resilience package: changes the code in one place at a time and reports the changes that no
// test detects.
// `npm run mutation -- -m src/keyed.ts` runs single files; the others keep their last result.
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { check, program } from './programs.ts';
import { root } from './workspace.ts';

type Status =
  'Killed' | 'Timeout' | 'Survived' | 'NoCoverage' | 'RuntimeError' | 'CompileError' | 'Ignored' | 'Pending';

/** The part of the report of Stryker that is used. */
interface Mutant {
  readonly mutatorName: string;
  readonly replacement?: string;
  readonly status: Status;
  readonly location: { readonly start: { readonly line: number; readonly column: number } };
}
export interface MutationReport {
  readonly files: Readonly<Record<string, { readonly source: string; readonly mutants: readonly Mutant[] }>>;
}

const folder = join(root, 'packages', 'resilience');
const page = join(root, 'docs', 'mutation.md');

export async function mutation(args: readonly string[]): Promise<number> {
  const { code } = await program('stryker', ['run', ...args], { cwd: folder });
  const report = JSON.parse(readFileSync(join(folder, 'reports', 'mutation', 'incremental.json'), 'utf8'));
  writeFileSync(page, render(report as MutationReport, mutated()));
  await check('prettier', ['--write', page, '--log-level=warn']);
  return code;
}

/** The files to mutate: those that the configuration names and that exist. */
function mutated(): string[] {
  const config = readFileSync(join(folder, 'stryker.config.mjs'), 'utf8');
  return [...config.matchAll(/'(src\/[\w/-]+\.ts)'/g)].map(([, path]) => path as string).sort();
}

/** Renders the page: scores by file, files without a result, and every mutant that survived. */
export function render(report: MutationReport, files: readonly string[]): string {
  const count = (mutants: readonly Mutant[], ...statuses: Status[]): number =>
    mutants.filter(({ status }) => statuses.includes(status)).length;
  const row = (name: string, mutants: readonly Mutant[]): string => {
    const killed = count(mutants, 'Killed', 'Timeout');
    const survived = count(mutants, 'Survived', 'NoCoverage');
    const score = killed + survived === 0 ? '' : `${((100 * killed) / (killed + survived)).toFixed(1)} %`;
    return `| ${name} | ${score} | ${killed} | ${survived} | ${count(mutants, 'RuntimeError', 'CompileError')} |`;
  };
  const run = files.filter((path) => report.files[path] !== undefined);
  const notRun = files.filter((path) => report.files[path] === undefined);
  const mutantsOf = (path: string): readonly Mutant[] => report.files[path]?.mutants ?? [];
  const survivors = run.flatMap((path) => {
    const lines = (report.files[path]?.source ?? '').split('\n');
    return mutantsOf(path)
      .filter(({ status }) => status === 'Survived' || status === 'NoCoverage')
      .map(({ location: { start }, mutatorName, replacement = '' }) => {
        const source = (lines[start.line - 1] ?? '').trim();
        return `| \`${path}:${start.line}:${start.column}\` | ${code(source)} | ${mutatorName}: ${code(replacement)} |`;
      });
  });
  return [
    '# Mutation testing of the resilience package',
    '',
    'Written by `npm run mutation`; not edited by hand. Stryker changes the code in one place (a mutant), runs the unit',
    'tests that reach the place, and expects one of them to fail. What is changed and what is excluded, with the',
    `reasons, is in \`${relative(root, join(folder, 'stryker.config.mjs'))}\`. It takes many minutes and is not part of \`npm test\`.`,
    '',
    'A mutant is *killed* when a test fails or times out, and has *survived* when all tests pass or none reaches it. One that',
    'breaks a test file before its first test counts as neither. A result is kept from run to run while the code and the tests',
    'that reach it stay as they are; a constant of a module, which no single test reaches, is run again with `-- --force`.',
    '',
    '| file | score | killed | survived | broken |',
    '| :-- | --: | --: | --: | --: |',
    ...run.map((path) => row(`\`${path}\``, mutantsOf(path))),
    row('**all**', run.flatMap(mutantsOf)),
    '',
    notRun.length === 0 ? 'Every file was run.' : `Not run: ${notRun.map((path) => `\`${path}\``).join(', ')}.`,
    '',
    '## Surviving mutants',
    '',
    'Some of these do not change observable behaviour: a bound that no value reaches, an optimization left out.',
    '',
    '| place | line | mutation |',
    '| :-- | :-- | :-- |',
    ...survivors,
    '',
  ].join('\n');
}

/** Formats source text as code in a table cell, on one line. */
function code(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').replaceAll('|', String.raw`\|`);
  const short = line.length > 90 ? `${line.slice(0, 90)}…` : line;
  return short.includes('`') ? `\`\` ${short} \`\`` : `\`${short === '' ? ' ' : short}\``;
}
