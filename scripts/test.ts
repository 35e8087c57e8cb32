// `npm test`: runs every check and every test, prints a line for each step, and the totals last.
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { api } from './api.ts';
import { budgets } from './budgets.ts';
import { build } from './build.ts';
import { catalogue } from './catalogue.ts';
import { temporaryFolder } from './children.mjs';
import { docs } from './docs.ts';
import { lint } from './lint.ts';
import { runAndShow } from './programs.ts';
import { checkPacked } from './packed.ts';
import { withPromtool } from './promtool.ts';
import { withRedis } from './redis.ts';
import { withValkey } from './valkey.ts';
import { runSteps, type Step } from './steps.ts';
import { emptyTally, type Tally } from './tally.ts';
import { typecheck } from './typecheck.ts';

/**
 * All steps, the longest first. Tests and budgets may run next to others: they wait for events, or count what does not
 * depend on the load.
 */
const steps: readonly Step[] = [
  { heading: 'tests', work: () => withRedis(() => withValkey(() => withPromtool(runVitest))) },
  { heading: 'build', work: async () => void (await build()) },
  { heading: 'lint and layers', work: lint },
  { heading: 'types', work: typecheck },
  { heading: 'documentation site', work: () => docs(['--check']) },
  { heading: 'telemetry catalogue', work: () => catalogue(['--check']) },
  { heading: 'budgets of the hot paths', work: () => budgets(), needs: ['build'] },
  { heading: 'packed packages', work: checkPacked, needs: ['build'] },
  { heading: 'api.md', work: () => api(['--check']), needs: ['build'] },
];

export async function test(): Promise<number> {
  const total = emptyTally();
  try {
    await runSteps(steps, total);
  } finally {
    console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  }
  return total.failed === 0 ? 0 : 1;
}

/** Runs all vitest projects and reads the figures from the JSON report. */
async function runVitest(): Promise<Tally> {
  const folder = temporaryFolder(mkdtempSync(join(tmpdir(), 'macadam-test-')));
  const report = join(folder, 'report.json');
  const { code } = await runAndShow('vitest', [
    'run',
    '--reporter=dot',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ]);
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(readFileSync(report, 'utf8'));
  // A test file that fails to load, or an unhandled rejection, fails the run without a failed test.
  const failed = Math.max(numFailedTests, code === 0 ? 0 : 1);
  return { passed: numPassedTests, failed, skipped: numPendingTests + numTodoTests };
}
