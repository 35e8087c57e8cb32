// `npm test`: every check and every test, one heading a step, and one line of figures at the very end.
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { api } from './api.ts';
import { budgets } from './budgets.ts';
import { build } from './build.ts';
import { catalogue } from './catalogue.ts';
import { temporaryFolder } from './children.mjs';
import { lint } from './lint.ts';
import { CheckFailed, program } from './programs.ts';
import { checkPacked } from './packed.ts';
import { withPromtool } from './promtool.ts';
import { withRedis } from './redis.ts';
import { withValkey } from './valkey.ts';
import { addTally, emptyTally, type Tally } from './tally.ts';
import { typecheck } from './typecheck.ts';

/** Runs everything even after a failure: one run tells all that is wrong. */
export async function test(): Promise<number> {
  const total = emptyTally();
  const step = async (heading: string, work: () => Promise<Tally | void>): Promise<boolean> => {
    const began = process.uptime();
    const tally = await work().catch((error: Error): Tally => {
      console.error(error instanceof CheckFailed ? error.message : error);
      return { passed: 0, failed: 1, skipped: 0 };
    });
    addTally(total, tally ?? { passed: 1, failed: 0, skipped: 0 });
    const failed = tally?.failed ?? 0;
    console.log(`${failed === 0 ? 'ok  ' : 'FAIL'} ${heading} (${(process.uptime() - began).toFixed(1)} s)`);
    return failed === 0;
  };

  try {
    const built = await step('build', async () => void (await build()));
    // What is counted there is the same whatever else the machine does, and takes one core for as long as all of this.
    const counting = built ? step('budgets of the hot paths', () => budgets()) : undefined;
    await step('lint and layers', lint);
    await step('types', typecheck);
    await step('telemetry catalogue', () => catalogue(['--check']));
    if (built) {
      await step('api.md', () => api(['--check']));
      await step('packed packages', checkPacked);
    }
    await counting;
    await step('tests', () => withRedis(() => withValkey(() => withPromtool(runVitest))));
  } finally {
    console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  }
  return total.failed === 0 ? 0 : 1;
}

/** Runs all vitest projects and reads the figures from the JSON report. */
async function runVitest(): Promise<Tally> {
  const folder = temporaryFolder(mkdtempSync(join(tmpdir(), 'macadam-test-')));
  const report = join(folder, 'report.json');
  const { code } = await program('vitest', ['run', '--reporter=dot', '--reporter=json', `--outputFile.json=${report}`]);
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(readFileSync(report, 'utf8'));
  // A file that does not load, or an unhandled rejection, fails the run without failing a test.
  const failed = Math.max(numFailedTests, code === 0 ? 0 : 1);
  return { passed: numPassedTests, failed, skipped: numPendingTests + numTodoTests };
}
