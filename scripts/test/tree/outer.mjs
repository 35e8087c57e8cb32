// Stands for bootstrap.mjs.
import { join } from 'node:path';
import { endChildrenOnStop, killMarked, run } from '../../children.mjs';

const marker = `tree-${process.pid}`;
const sweep = () => killMarked(`MACADAM_RUN=${marker}`);
endChildrenOnStop(sweep);
const env = { ...process.env, MACADAM_RUN: marker };
const { code } = await run(process.execPath, [join(import.meta.dirname, 'middle.mjs')], {
  env,
  ipc: true,
  graceMs: 5_000,
});
sweep();
process.exitCode = code;
