// `npm run bench [-- SUITE…] [--quick] [--compare] [--save] [--case NAME]`: measures, and prints a table for each case.
// `npm run bench -- budgets | footprint | tail | profile`: what else can be told of speed; see each one's `main.ts`.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { comparison } from './compare.ts';
import { committedResult, saveResult } from './pages.ts';
import { caseResult, suiteResult, type CaseResult, type SuiteResult } from './result.ts';
import { measureCase, quiet, type Plan } from './rounds.ts';
import type { Suite } from './suite.ts';
import { caseRows, claimLine, textTable } from './table.ts';

/** What is not a suite: `npm run bench -- budgets`, and so on. */
const programs = ['budgets', 'footprint', 'tail', 'profile'];
const [first = ''] = process.argv.slice(2);
if (programs.includes(first)) {
  process.argv.splice(2, 1);
  await import(`../${first}/main.ts`);
  process.exit();
}

const bench = join(import.meta.dirname, '..');
const FULL: Plan = { rounds: 7, milliseconds: 250 };
const QUICK: Plan = { rounds: 3, milliseconds: 100 };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
    compare: { type: 'boolean', default: false },
    case: { type: 'string' },
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

/** Progress on a terminal is one line that changes; elsewhere only what stays is printed. */
function tell(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line}`);
}

async function runSuite(name: string): Promise<SuiteResult> {
  const { suite } = (await import(`../suites/${name}.ts`)) as { suite: Suite };
  const plan = values.quick ? QUICK : FULL;
  const isQuiet = await quiet(values.quick ? 0 : 60_000, tell);
  if (!isQuiet) console.log('The machine is busy: expect a wide spread.');
  const cases: CaseResult[] = [];
  for (const one of suite.cases) {
    if (values.case !== undefined && one.name !== values.case) continue;
    const result = caseResult(one, await measureCase(suite, one, plan, tell));
    tell('');
    console.log(`\n${suite.name} · ${one.name}\n${textTable(caseRows(result))}`);
    for (const claim of result.claims) console.log(claimLine(claim));
    cases.push(result);
  }
  return suiteResult(suite, plan, isQuiet, cases);
}

/** A run of one case replaces that case of the committed result, whose other cases stay. */
function withCases(committed: SuiteResult | undefined, result: SuiteResult): SuiteResult {
  const others = committed?.cases.filter(({ name }) => result.cases.every((one) => one.name !== name)) ?? [];
  return { ...result, cases: [...others, ...result.cases] };
}

let missed = 0;
for (const name of wanted) {
  const result = await runSuite(name);
  missed += result.cases.flatMap(({ claims }) => claims).filter(({ holds, ratio }) => !holds && ratio.distinct).length;
  const committed = committedResult(name);
  if (values.compare && committed !== undefined) console.log(`\n${comparison(committed, result)}`);
  if (values.save) saveResult(values.case === undefined ? result : withCases(committed, result));
}
console.log(missed === 0 ? '\nEvery claim holds.' : `\n${missed} claims missed.`);
process.exitCode = missed === 0 ? 0 : 1;
