// The one entry of every root script: `node scripts/bootstrap.mjs <task> [arguments]`.
//
// Runs on the Node that the machine happens to have (20 or newer), without dependencies. It finds or brings a Node and
// a pnpm that are new enough, installs the workspace if something changed, and hands over to scripts/run-task.ts.
//
// The scripts of package.json say `exec node ...`: otherwise a shell stands between npm and this process, and keeps the
// signals that npm hands down to itself.
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
  // Its grace is longer than that of its own children, so that it has the time to end them.
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
