// `npm run bench [-- SUITE…] [--quick] [--compare] [--save] [--case NAME] [--rounds 15] [--json FILE]`:
// measures, and prints a table for each case.
// `npm run bench -- budgets | footprint | tail | profile | plain`: other measurements; see the `main.ts` of each.
import { readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { comparison } from './compare.ts';
import { pinning, quiet } from './machine.ts';
import { committedResult, saveResult } from './pages.ts';
import { caseResult, runOf, type CaseResult, type SuiteResult } from './result.ts';
import { measureCase, planOf, type Plan } from './rounds.ts';
import type { Suite } from './suite.ts';
import { caseRows, claimLine, textTable } from './table.ts';

/** The other measurements: `npm run bench -- budgets` and so on. */
const programs = ['budgets', 'footprint', 'tail', 'profile', 'plain'];
const [first = ''] = process.argv.slice(2);
if (programs.includes(first)) {
  process.argv.splice(2, 1);
  await import(`../${first}/main.ts`);
  process.exit();
}

const bench = join(import.meta.dirname, '..');
const FULL: Plan = { rounds: 7, milliseconds: 300 };
const QUICK: Plan = { rounds: 3, milliseconds: 100 };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
    compare: { type: 'boolean', default: false },
    case: { type: 'string' },
    rounds: { type: 'string' },
    json: { type: 'string' },
  },
});

const known = readdirSync(join(bench, 'suites'))
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -3));
const wanted = positionals.length === 0 ? known : positionals;
const unknown = wanted.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`No suite ${unknown.join(', ')}. There are: ${known.join(', ')}.`);
  process.exit(2);
}

/** On a terminal, progress is one line that is overwritten; elsewhere only final output is printed. */
function showProgress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line}`);
}

const usual = values.quick ? QUICK : FULL;
const plan: Plan = { ...usual, rounds: Number(values.rounds ?? usual.rounds) };
if (!Number.isInteger(plan.rounds) || plan.rounds < 1) {
  console.error(`--rounds must be an integer of at least 1, not "${values.rounds}".`);
  process.exit(2);
}
if (values.save && (values.quick || plan.rounds < FULL.rounds)) {
  console.error(
    `--save needs at least ${FULL.rounds} full rounds; it cannot be combined with --quick or fewer --rounds.`,
  );
  process.exit(2);
}

let [missed, failed] = [0, 0];
const results: SuiteResult[] = [];

/** Measures one case after the other. Each is saved when it is done, and a case that fails does not stop the others. */
async function runSuite(name: string): Promise<void> {
  const { suite } = (await import(`../suites/${name}.ts`)) as { suite: Suite };
  const committed = committedResult(name);
  const pinned = (await pinning()).length > 0;
  const done: CaseResult[] = [];
  for (const one of suite.cases) {
    if (values.case !== undefined && one.name !== values.case) continue;
    try {
      const isQuiet = await quiet(values.quick ? 0 : 60_000, showProgress);
      if (!isQuiet) console.log('\nThe machine is busy: expect a wide spread.');
      const casePlan = planOf(one, plan);
      const result = caseResult(
        one,
        runOf(one, casePlan, pinned, isQuiet),
        await measureCase(suite, one, casePlan, showProgress),
      );
      showProgress('');
      console.log(`\n${suite.name} · ${one.name}\n${textTable(caseRows(result))}`);
      for (const claim of result.claims) console.log(claimLine(claim));
      missed += result.claims.filter(({ verdict }) => verdict === 'misses').length;
      done.push(result);
    } catch (error) {
      showProgress('');
      console.error(`\n${suite.name} · ${one.name} failed: ${error instanceof Error ? error.message : String(error)}`);
      failed += 1;
    }
    if (values.save) {
      const cases = inSuiteOrder(suite, [...done, ...(committed?.cases ?? [])]);
      saveResult(name, { suite: name, what: suite.what, cases } satisfies SuiteResult);
    }
  }
  if (done.length > 0) results.push({ suite: name, what: suite.what, cases: done });
  if (values.compare && committed !== undefined) console.log(`\n${comparison(committed, { cases: done })}`);
}

/** The result of each case of the suite: from this run, or else the committed one. */
function inSuiteOrder(suite: Suite, results: readonly CaseResult[]): CaseResult[] {
  return suite.cases.flatMap(({ name }) => results.find((result) => result.name === name) ?? []);
}

for (const name of wanted) {
  await runSuite(name).catch((error: unknown) => {
    console.error(`\n${name} failed: ${error instanceof Error ? error.message : String(error)}`);
    failed += 1;
  });
}
if (results.length + failed === 0) {
  console.error(`No case "${values.case}" in ${wanted.join(', ')}.`);
  process.exit(2);
}
// Paths are relative to the directory where the command was entered, not where npm runs it.
const here = process.env['INIT_CWD'] ?? '';
if (values.json !== undefined) writeFileSync(resolve(here, values.json), `${JSON.stringify(results, null, 2)}\n`);
console.log(missed === 0 ? '\nEvery claim that was measured holds, or misses narrowly.' : `\n${missed} claims missed.`);
if (failed > 0) console.log(`${failed} cases failed to run.`);
process.exitCode = missed + failed === 0 ? 0 : 1;
