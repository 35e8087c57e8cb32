// Measures one operation in a process of its own: `loop.ts SUITE CONTENDER`. Prints the CPU time per operation in
// nanoseconds.
import { operations } from './operations.ts';

const [suite = '', contender = ''] = process.argv.slice(2);
const operation = operations[suite]?.[contender];
if (operation === undefined) throw new Error(`No operation "${contender}" of "${suite}".`);
const { count, warmUp = count } = operation;
const loop = await operation.make();
// In several calls: the runtime can optimize the loop for the next call.
for (let part = 0; part < 10; part++) await loop(warmUp / 10);
const before = process.cpuUsage();
const last = await loop(count);
const { user, system } = process.cpuUsage(before);
if (!last) throw new Error(`"${contender}" of "${suite}" returned nothing, so it did not do its work.`);
console.log(((user + system) * 1_000) / count);
process.exit(0);
