// Counts instructions or bytes of each hot path in a process of its own: `count.ts instructions|bytes`. Run by
// counting.ts, which handles its commands.
import { readSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { CountMessage } from './counting.ts';
import { hotPaths } from './hot-paths.ts';

export type Counts = Record<string, number>;

/** Warm-up operations, until the code is fully optimized. */
const WARM_UP = 60_000;
/** The first count still contains warm-up effects; of the others the lowest is used. */
const ROUNDS = 6;
const NOTHING = 'nothing';
const NEWLINE = 10;

type Path = Pick<(typeof hotPaths)[number], 'name' | 'operations'> & { run: () => unknown };
type Count = (path: Path, operate: () => Promise<void>) => Promise<number>;

async function operate({ run }: Path, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const result = run();
    if (result instanceof Promise) await result;
  }
}

async function countAll(paths: readonly Path[], count: Count, start: () => void): Promise<Counts> {
  const least = new Map<string, number>();
  for (const path of paths) await operate(path, WARM_UP);
  start();
  for (let round = 0; round < ROUNDS; round++) {
    for (const path of paths) {
      const counted = (await count(path, () => operate(path, path.operations))) / path.operations;
      if (round > 0) least.set(path.name, Math.min(counted, least.get(path.name) ?? Infinity));
    }
  }
  return Object.fromEntries(least);
}

/** Heap bytes, from the heap statistics. The young generation is large enough that no collection happens meanwhile. */
const bytes: Count = async (_, operateAll) => {
  globalThis.gc?.();
  await pause(5);
  const before = process.memoryUsage().heapUsed;
  await operateAll();
  return process.memoryUsage().heapUsed - before;
};

/** Instructions of the processor, which Valgrind counts while instrumentation is on. */
const instructions: Count = async ({ name }, operateAll) => {
  // Of the young generation only: a whole collection takes long under Valgrind.
  globalThis.gc?.({ type: 'minor' });
  sendToValgrind('zero');
  await operateAll();
  return Number(sendToValgrind('dump', name));
};

/**
 * Lets the parent process send the command to Valgrind, and waits for its response. Under Valgrind programs run fifty
 * times slower, so starting another program here would take longer than all counting.
 */
function sendToValgrind(...valgrind: string[]): string {
  send({ valgrind });
  const reply = Buffer.alloc(64);
  let length = 0;
  for (let read = 1; read > 0 && reply[length - 1] !== NEWLINE; length += read) {
    read = readSync(0, reply, length, reply.length - length, null);
  }
  return reply.toString('latin1', 0, length).trim();
}

function send(message: CountMessage): void {
  writeSync(1, `${JSON.stringify(message)}\n`);
}

const paths: Path[] = [];
for (const { setup, ...path } of hotPaths) paths.push({ ...path, run: await setup() });
if (process.argv[2] === 'bytes') send({ counts: await countAll(paths, bytes, () => {}) });
else {
  // The cost of the commands themselves, which is the same for every path.
  const startCounting = (): void => void sendToValgrind('instrumentation', 'on');
  const counts = await countAll(
    [{ name: NOTHING, operations: 1, run: () => {} }, ...paths],
    instructions,
    startCounting,
  );
  const own = counts[NOTHING] ?? 0;
  const corrected = paths.map(({ name, operations }) => [name, (counts[name] ?? NaN) - own / operations]);
  send({ counts: Object.fromEntries(corrected) });
}
process.exit(0);
