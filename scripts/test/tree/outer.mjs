// Stands for bootstrap.mjs.
import { join } from 'node:path';
import { endChildrenOnStop, killMarked, run } from '../../children.mjs';

// Not MACADAM_RUN: a run of the tests that is stopped here has to find these processes by its own mark.
const marker = `tree-${process.pid}`;
const sweep = () => killMarked(`MACADAM_TREE=${marker}`);
endChildrenOnStop(sweep);
const env = { ...process.env, MACADAM_TREE: marker };
const { code } = await run(process.execPath, [join(import.meta.dirname, 'middle.mjs')], {
  env,
  ipc: true,
  graceMs: 5_000,
});
sweep();
process.exitCode = code;
