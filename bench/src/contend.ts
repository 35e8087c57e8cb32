// One contender in a process of its own: `contend.ts time|bytes SUITE CASE CONTENDER MILLISECONDS`, prints one line of JSON.
import { setTimeout as pause } from 'node:timers/promises';
import { PerformanceObserver } from 'node:perf_hooks';
import type { Measurement } from './measurement.ts';
import { operatorOf, type Operator } from './operate.ts';
import type { Subject, Suite } from './suite.ts';

const [mode, suiteName = '', caseName, contenderName, milliseconds] = process.argv.slice(2);
const budgetMs = Number(milliseconds);
const WARM_UP_MS = 300;
const CHUNK_MS = 30;
/** Optimised code is what a service runs. It is there when nothing has become cheaper for so long. */
const STEADY_MS = 150;
const CHEAPER = 0.98;
/** No subject is waited for longer than this, in milliseconds. */
const MOST_MS = 2_500;

/** Operates for at least so long and so many operations, until the cost is steady; returns how many a millisecond held. */
async function warmUp(operator: Operator, { inFlight = 1 }: Subject, ms: number, operations = 0): Promise<number> {
  const startedAt = performance.now();
  let [count, done, least, cheaperAt] = [inFlight, 0, Infinity, startedAt];
  for (;;) {
    const [chunkAt, cpu] = [performance.now(), process.cpuUsage()];
    await operator.operate(count);
    const now = performance.now();
    const { user, system } = process.cpuUsage(cpu);
    const cost = (user + system) / count;
    if (cost < least * CHEAPER) [least, cheaperAt] = [cost, now];
    const perMs = count / Math.max(now - chunkAt, 0.001);
    operator.pace(perMs);
    done += count;
    const isSteady = now - cheaperAt >= STEADY_MS || now - startedAt >= MOST_MS;
    if (now - startedAt >= ms && done >= operations && isSteady) return perMs;
    count = Math.max(inFlight, Math.min(count * 4, Math.round(perMs * CHUNK_MS)));
  }
}

/** Bytes allocated for each operation: only right when the collector stays away, so it is tried with ever fewer. */
async function allocation(operator: Operator, { inFlight = 1 }: Subject, most: number): Promise<number | undefined> {
  let collections = 0;
  const observer = new PerformanceObserver((list) => (collections += list.getEntries().length));
  observer.observe({ entryTypes: ['gc'] });
  try {
    for (let count = Math.min(most, 20_000); count >= inFlight; count = Math.floor(count / 2)) {
      globalThis.gc?.();
      await pause(20);
      collections = 0;
      const before = process.memoryUsage().heapUsed;
      await operator.operate(count);
      const bytes = process.memoryUsage().heapUsed - before;
      await pause(5);
      if (collections === 0 && bytes >= 0) return bytes / count;
    }
    return undefined;
  } finally {
    observer.disconnect();
  }
}

/** CPU time of all threads of the process: what the collector and the compiler do for an operation is part of its cost. */
async function time(operator: Operator, operations: number): Promise<Measurement> {
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  await operator.operate(operations);
  const tookMs = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpu);
  return {
    cpuNs: ((user + system) * 1_000) / operations,
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
const operator = await operatorOf(subject);
// Nobody pays for what was left behind by the making of the subject. Not later: a collection while nothing is in flight
// takes the shapes of all short-lived objects away, and for thousands of calls to come what is measured is the compiler.
globalThis.gc?.();
// What is allocated settles long before what it takes.
const share = mode === 'bytes' ? 0.3 : 1;
const perMs = await warmUp(operator, subject, WARM_UP_MS * share, (subject.warmUp ?? 0) * share);
const operations = Math.max(subject.inFlight ?? 1, Math.round(perMs * budgetMs));
const result =
  mode === 'bytes' ? ((await allocation(operator, subject, operations)) ?? null) : await time(operator, operations);
await subject.close?.();
console.log(JSON.stringify(result));
process.exit(0);
