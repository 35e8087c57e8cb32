// Stands for run-task.ts: one child at work, and a server in the background.
import { join } from 'node:path';
import { endChildrenOnStop, run, start } from '../../children.mjs';

endChildrenOnStop();
const leaf = join(import.meta.dirname, 'leaf.mjs');
start(process.execPath, [leaf, 'server'], { graceMs: 300 });
// Some servers overwrite their environment with a title: they cannot be found by a mark.
const { MACADAM_TREE: _, ...unmarked } = process.env;
start(process.execPath, [leaf, 'titled', '1'], { env: unmarked, graceMs: 300 });
console.log(`middle ${process.pid}`);
await run(process.execPath, [leaf, 'worker'], { graceMs: 300 });
