// Counts what each hot path takes, in a process of its own: `count.ts instructions|bytes`, prints one line of JSON.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { readFile, rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { hotPaths } from './hot-paths.ts';

export type Counts = Record<string, number>;

/** Until the optimiser has nothing to add. */
const WARM_UP = 60_000;
/** The first is for what is still found in it; of the others the least counts. */
const ROUNDS = 6;
const NOTHING = 'nothing';

type Path = Pick<(typeof hotPaths)[number], 'name' | 'operations'> & { run: () => unknown };
type Count = (path: Path, operate: () => Promise<void>) => Promise<number>;

async function operate({ run }: Path, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const result = run();
    if (result instanceof Promise) await result;
  }
}

async function countAll(paths: readonly Path[], count: Count, start: () => Promise<void>): Promise<Counts> {
  const least = new Map<string, number>();
  for (const path of paths) await operate(path, WARM_UP);
  await start();
  for (let round = 0; round < ROUNDS; round++) {
    for (const path of paths) {
      const counted = (await count(path, () => operate(path, path.operations))) / path.operations;
      if (round > 0) least.set(path.name, Math.min(counted, least.get(path.name) ?? Infinity));
    }
  }
  return Object.fromEntries(least);
}

/** Heap bytes, told by the heap itself between two collections; the young generation is large enough for none. */
const bytes: Count = async (_, operateAll) => {
  globalThis.gc?.();
  await pause(5);
  const before = process.memoryUsage().heapUsed;
  await operateAll();
  return process.memoryUsage().heapUsed - before;
};

/** Instructions of the processor, which Valgrind counts while it is told to. */
const instructions: Count = async ({ name }, operateAll) => {
  await valgrind('zero');
  await operateAll();
  await valgrind('dump', name);
  return await lastDump();
};

const run = promisify(execFile);
let dumps = 0;

async function valgrind(...command: string[]): Promise<void> {
  await run(process.env['VGDB'] ?? 'vgdb', [`--vgdb-prefix=${process.env['CALLGRIND_OUT']}`, ...command]);
}

async function lastDump(): Promise<number> {
  const file = `${process.env['CALLGRIND_OUT']}.${++dumps}`;
  const total = /^summary: (\d+)/m.exec(await readFile(file, 'utf8'))?.[1];
  await rm(file);
  return Number(total);
}

const paths: Path[] = [];
for (const { setup, ...path } of hotPaths) paths.push({ ...path, run: await setup() });
if (process.argv[2] === 'bytes') console.log(JSON.stringify(await countAll(paths, bytes, async () => {})));
else {
  // What asking for the count takes, which is the same for every path.
  const startCounting = (): Promise<void> => valgrind('instrumentation', 'on');
  const counts = await countAll(
    [{ name: NOTHING, operations: 1, run: () => {} }, ...paths],
    instructions,
    startCounting,
  );
  const own = counts[NOTHING] ?? 0;
  const corrected = paths.map(({ name, operations }) => [name, (counts[name] ?? NaN) - own / operations]);
  console.log(JSON.stringify(Object.fromEntries(corrected)));
}
process.exit(0);
