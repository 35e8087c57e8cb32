// Measures one contender in a process of its own: `contend.ts time|bytes|slices SUITE CASE CONTENDER MILLISECONDS`. Prints
// a line of JSON; with `slices`, a line when it is warm, and then one for each line of its input.
import { setTimeout as pause } from 'node:timers/promises';
import { PerformanceObserver } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import type { Measurement } from './measurement.ts';
import { operatorOf, type Operator } from './operate.ts';
import type { Subject, Suite } from './suite.ts';

const [mode, suiteName = '', caseName, contenderName, milliseconds] = process.argv.slice(2);
const budgetMs = Number(milliseconds);
const CHUNK_MS = 30;
/**
 * A service runs optimized code, so measuring starts when the cost has not fallen for this long. All durations here are
 * CPU time and not wall time: on a busy machine the compiler has to wait for its turn, too.
 */
const STEADY_MS = 150;
/** The cost has fallen when a chunk costs less than this share of the lowest so far. */
const CHEAPER = 0.98;
const WARM_UP_MS = 2_000;
/** Upper limit of the warm-up, whatever the subject asks for. */
const MAX_WARM_UP_MS = 10_000;
/**
 * How much of a slice runs before it counts, as a share of what counts: meanwhile the other contenders have used the caches
 * of the processor.
 */
const LEAD_IN = 0.25;

/**
 * Warms up for at least this long and this many operations, until the cost is steady. Returns operations per
 * millisecond.
 */
async function warmUp(operator: Operator, { inFlight = 1 }: Subject, ms: number, operations = 0): Promise<number> {
  let [count, done, spentMs, least, cheaperAtMs] = [inFlight, 0, 0, Infinity, 0];
  for (;;) {
    const [startedAt, cpu] = [performance.now(), process.cpuUsage()];
    await operator.operate(count);
    const perMs = count / Math.max(performance.now() - startedAt, 0.001);
    const tookMs = cpuMsSince(cpu);
    operator.pace(perMs);
    spentMs += tookMs;
    done += count;
    if (tookMs / count < least * CHEAPER) [least, cheaperAtMs] = [tookMs / count, spentMs];
    const isSteady = spentMs >= ms && done >= operations && spentMs - cheaperAtMs >= STEADY_MS;
    if (isSteady || spentMs >= MAX_WARM_UP_MS) return perMs;
    count = Math.max(inFlight, Math.min(count * 4, Math.round(perMs * CHUNK_MS)));
  }
}

/** CPU time of all threads of the process: the work of the garbage collector and the compiler is part of the cost. */
function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

/**
 * Bytes allocated per operation. The count is only right if no garbage collection happens meanwhile, so it is repeated
 * with ever fewer operations. The collector is not called explicitly, for the reason given below: a scavenge frees
 * enough memory for the next attempt.
 */
async function allocation(operator: Operator, { inFlight = 1 }: Subject, most: number): Promise<number | undefined> {
  let collections = 0;
  const observer = new PerformanceObserver((list) => (collections += list.getEntries().length));
  observer.observe({ entryTypes: ['gc'] });
  try {
    for (let count = Math.min(most, 20_000), tries = 1; count >= inFlight; tries++) {
      await pause(20);
      collections = 0;
      const before = process.memoryUsage().heapUsed;
      await operator.operate(count);
      const bytes = process.memoryUsage().heapUsed - before;
      await pause(5);
      if (collections === 0 && bytes >= 0) return bytes / count;
      if (tries % 2 === 0) count = Math.floor(count / 2);
    }
    return undefined;
  } finally {
    observer.disconnect();
  }
}

async function time(operator: Operator, operations: number): Promise<Measurement> {
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  await operator.operate(operations);
  const tookMs = performance.now() - startedAt;
  return {
    cpuNs: (cpuMsSince(cpu) * 1e6) / operations,
    perSecond: (operations / tookMs) * 1_000,
    peakMiB: process.resourceUsage().maxRSS / 1_024,
    operations,
  };
}

const { suite } = (await import(`../suites/${suiteName}.ts`)) as { suite: Suite };
const contender = suite.cases
  .find(({ name }) => name === caseName)
  ?.contenders.find(({ name }) => name === contenderName);
if (contender === undefined)
  throw new Error(`No contender "${contenderName}" in case "${caseName}" of "${suiteName}".`);
const subject = await contender.setup();
// Collects the garbage of creating the subject, so that no operation pays for it. Not later: a full collection while
// nothing is in flight discards the hidden classes of all short-lived objects, and the optimized code that depends on
// them.
globalThis.gc?.();
const operator = await operatorOf(subject);
// Allocations become steady long before CPU time does.
const share = mode === 'bytes' ? 0.3 : 1;
const perMs = await warmUp(operator, subject, WARM_UP_MS * share, (subject.warmUp ?? 0) * share);
const operations = Math.max(subject.inFlight ?? 1, Math.round(perMs * budgetMs));
if (mode === 'slices') {
  console.log('null');
  for await (const _request of createInterface({ input: process.stdin })) {
    await operator.operate(Math.ceil(operations * LEAD_IN));
    console.log(JSON.stringify(await time(operator, operations)));
  }
} else {
  const result =
    mode === 'bytes' ? ((await allocation(operator, subject, operations)) ?? null) : await time(operator, operations);
  console.log(JSON.stringify(result));
}
await subject.close?.();
process.exit(0);
