// `npm run bench -- budgets [--update]`: counts instructions and bytes of every hot path, and fails when one exceeds
// its budget. Bytes are counted on any machine. Instructions need Valgrind: VALGRIND names the program, or else it is
// searched on PATH.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compare, least, updated, type Measured, type Recorded, type Verdict } from './compare.ts';
import { countBytes, countInstructions } from './counting.ts';
import { kindOf, processorFlags } from './kind.ts';

const FILE = join(import.meta.dirname, '..', 'budgets.json');
const { values } = parseArgs({ options: { update: { type: 'boolean', default: false } } });
const kind = kindOf(process.version, process.arch, processorFlags());
const recorded = existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as Recorded) : {};

async function measure(): Promise<Measured> {
  const [bytes, instructions] = await Promise.all([countBytes(), countInstructions()]);
  return { bytes, ...(instructions !== undefined && { instructions }) };
}

let measured = await measure();
if (values.update) {
  // A budget stays for a long time, so it is counted twice to exclude work that happens only once.
  measured = least(measured, await measure());
  writeFileSync(FILE, `${JSON.stringify(updated(recorded, kind, measured), null, 2)}\n`);
}
const budgets = values.update ? updated(recorded, kind, measured)[kind] : recorded[kind];
// Without any budget for this kind of machine nothing fails.
const judge = (counted: Measured): Verdict => {
  const verdict = compare(budgets ?? {}, counted);
  return budgets === undefined ? { ...verdict, failures: [] } : verdict;
};
let { lines, failures } = judge(measured);
if (failures.length > 0) {
  console.log(`Counting again, in case the cause was work that happens only once: ${failures.join('; ')}`);
  measured = least(measured, await measure());
  ({ lines, failures } = judge(measured));
}
console.log(lines.join('\n'));
if (budgets === undefined) {
  console.log(
    `NOT COMPARED: there are no budgets for this kind of machine (${kind}). There are budgets for: ${Object.keys(recorded).join('; ')}.`,
  );
  console.log('`npm run bench -- budgets --update` records them, next to the others.');
} else if (measured.instructions === undefined) {
  console.log('NOT COMPARED: instructions, since Valgrind is not installed. Bytes were compared.');
}
for (const failure of failures) console.log(`OVER BUDGET: ${failure}`);
if (failures.length > 0)
  console.log('If the cost is justified, run `npm run bench -- budgets --update` and give the reason in the commit.');
process.exitCode = failures.length === 0 ? 0 : 1;
