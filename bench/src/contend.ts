// One contender in a process of its own: `contend.ts time|bytes SUITE CASE CONTENDER MILLISECONDS`, prints one line of JSON.
import { setTimeout as pause } from 'node:timers/promises';
import { PerformanceObserver } from 'node:perf_hooks';
import type { Measurement } from './measurement.ts';
import { operatorOf, type Operator } from './operate.ts';
import type { Subject, Suite } from './suite.ts';

const [mode, suiteName = '', caseName, contenderName, milliseconds] = process.argv.slice(2);
const budgetMs = Number(milliseconds);
const CHUNK_MS = 30;
/**
 * Optimised code is what a service runs. It is there when nothing has become cheaper for so long. This and what follows is
 * CPU time, not that on the wall: on a busy machine the compiler has to wait for its turn, too.
 */
const STEADY_MS = 150;
const CHEAPER = 0.98;
const WARM_UP_MS = 2_000;
/** No subject is waited for longer than this, whatever it asks for. */
const MOST_MS = 10_000;

/** Operates for at least so long and so many operations, until the cost is steady; returns how many a millisecond held. */
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
    if (isSteady || spentMs >= MOST_MS) return perMs;
    count = Math.max(inFlight, Math.min(count * 4, Math.round(perMs * CHUNK_MS)));
  }
}

/** Of all threads of the process: what the collector and the compiler do for an operation is part of its cost. */
function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

/**
 * Bytes allocated for each operation: only right when the collector stays away, so it is tried with ever fewer. It is not
 * called for either, see below: a scavenge makes room enough for the next try.
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
// Nobody pays for what was left behind by the making of the subject. Not later: a whole collection while nothing is in
// flight takes the shapes of all short-lived objects away, and what the compiler knows of them with it.
globalThis.gc?.();
const operator = await operatorOf(subject);
// What is allocated settles long before what it takes.
const share = mode === 'bytes' ? 0.3 : 1;
const perMs = await warmUp(operator, subject, WARM_UP_MS * share, (subject.warmUp ?? 0) * share);
const operations = Math.max(subject.inFlight ?? 1, Math.round(perMs * budgetMs));
const result =
  mode === 'bytes' ? ((await allocation(operator, subject, operations)) ?? null) : await time(operator, operations);
await subject.close?.();
console.log(JSON.stringify(result));
process.exit(0);
