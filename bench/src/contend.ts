// One contender in a process of its own: `contend.ts time|bytes SUITE CASE CONTENDER MILLISECONDS`, prints one line of JSON.
import { setTimeout as pause } from 'node:timers/promises';
import { PerformanceObserver } from 'node:perf_hooks';
import type { Measurement } from './measurement.ts';
import { operatorOf, type Operator } from './operate.ts';
import type { Subject, Suite } from './suite.ts';

const [mode, suiteName = '', caseName, contenderName, milliseconds] = process.argv.slice(2);
const budgetMs = Number(milliseconds);
/** Optimised code is what a service runs: as long as this nothing is measured. What is allocated settles sooner than what it takes. */
const WARM_UP = mode === 'bytes' ? { ms: 250, share: 1 / 3 } : { ms: 400, share: 1 };
/** After the heap was tidied. */
const SETTLE_MS = 100;
const CHUNK_MS = 50;

/** Operates for so long, and for so many operations; returns how many a millisecond held in the end. */
async function warmUp(operator: Operator, { inFlight = 1 }: Subject, ms: number, operations = 0): Promise<number> {
  const startedAt = performance.now();
  let [count, done] = [inFlight, 0];
  for (;;) {
    const chunkAt = performance.now();
    await operator.operate(count);
    const now = performance.now();
    const perMs = count / Math.max(now - chunkAt, 0.001);
    operator.pace(perMs);
    done += count;
    if (now - startedAt >= ms && done >= operations) return perMs;
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
// A subject that knows how many operations it takes to be warm is believed.
if (subject.warmUp === undefined) await warmUp(operator, subject, WARM_UP.ms);
else await warmUp(operator, subject, 0, subject.warmUp * WARM_UP.share);
// Nobody pays for what was left behind by the making of the subject.
globalThis.gc?.();
const perMs = await warmUp(operator, subject, SETTLE_MS);
const operations = Math.max(subject.inFlight ?? 1, Math.round(perMs * budgetMs));
const result =
  mode === 'bytes' ? ((await allocation(operator, subject, operations)) ?? null) : await time(operator, operations);
await subject.close?.();
console.log(JSON.stringify(result));
process.exit(0);
