// The entry point of every root script: `node scripts/bootstrap.mjs <task> [arguments]`.
//
// Runs on any installed Node from 20 on, without dependencies. It finds or installs a new enough Node and pnpm, installs
// the workspace if something has changed, and hands over to scripts/run-task.ts.
//
// The scripts of package.json say `exec node ...`: otherwise a shell would remain between npm and this process, and
// would not pass on the signals that it receives from npm.
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endChildrenOnStop, killMarked, run } from './children.mjs';
import { installWorkspace } from './install.mjs';
import { findNode, findPnpm, pathWith } from './toolchain.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const runId = randomUUID();
const sweep = () => killMarked(`MACADAM_RUN=${runId}`);

async function main() {
  const node = await findNode(root);
  const pnpm = await findPnpm(root);
  const env = { ...process.env, PATH: pathWith([node, pnpm]), MACADAM_RUN: runId };
  await installWorkspace(root, pnpm, env);
  const script = join(root, 'scripts', 'run-task.ts');
  const task = ['--disable-warning=ExperimentalWarning', script, ...process.argv.slice(2)];
  // Its grace period is longer than that of its children, so that it has time to stop them.
  return await run(node, task, { cwd: root, env, ipc: true, graceMs: 10_000 });
}

endChildrenOnStop(sweep);
main()
  .then(({ code }) => code)
  .catch((/** @type {Error} */ error) => {
    if (error.name !== 'Stopped') console.error(error.message);
    return 1;
  })
  .then((code) => {
    sweep();
    process.exitCode = code;
  });
