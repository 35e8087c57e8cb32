// One contender in a process of its own: `contend.ts time|bytes SUITE CASE CONTENDER MILLISECONDS`, prints one line of JSON.
import { setTimeout as pause } from 'node:timers/promises';
import { PerformanceObserver } from 'node:perf_hooks';
import type { Measurement } from './measurement.ts';
import type { Subject, Suite } from './suite.ts';

const [mode, suiteName = '', caseName, contenderName, milliseconds] = process.argv.slice(2);
const budgetMs = Number(milliseconds);
const WARM_UP_MS = 250;

/** Runs `count` operations, as many in flight at once as the subject asks for. */
async function operate(subject: Subject, count: number): Promise<void> {
  const { inFlight = 1 } = subject;
  if (inFlight === 1) {
    for (let i = 0; i < count; i++) await subject.run();
    return;
  }
  let left = count;
  const lane = async (): Promise<void> => {
    while (left-- > 0) await subject.run();
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
}

/** How many operations take about `ms`, found by doubling; warms the code up on the way. */
async function calibrate(subject: Subject, ms: number): Promise<number> {
  for (let count = subject.inFlight ?? 1; ; count *= 2) {
    const startedAt = performance.now();
    await operate(subject, count);
    const tookMs = performance.now() - startedAt;
    if (tookMs >= ms / 4) return Math.max(1, Math.round((count * ms) / tookMs));
  }
}

/** Bytes allocated for each operation: only right when the collector stays away, so it is tried with ever fewer. */
async function allocation(subject: Subject, operations: number): Promise<number | undefined> {
  let collections = 0;
  const observer = new PerformanceObserver((list) => (collections += list.getEntries().length));
  observer.observe({ entryTypes: ['gc'] });
  try {
    for (let count = Math.min(operations, 20_000); count >= (subject.inFlight ?? 1); count = Math.floor(count / 2)) {
      globalThis.gc?.();
      await pause(20);
      collections = 0;
      const before = process.memoryUsage().heapUsed;
      await operate(subject, count);
      const bytes = process.memoryUsage().heapUsed - before;
      await pause(5);
      if (collections === 0 && bytes >= 0) return bytes / count;
    }
    return undefined;
  } finally {
    observer.disconnect();
  }
}

async function time(subject: Subject, operations: number): Promise<Measurement> {
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  await operate(subject, operations);
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
// Optimised code is what a service runs: the first stretch only warms it up.
await calibrate(subject, WARM_UP_MS);
await operate(subject, await calibrate(subject, WARM_UP_MS));
const operations = await calibrate(subject, budgetMs);
const result = mode === 'bytes' ? ((await allocation(subject, operations)) ?? null) : await time(subject, operations);
await subject.close?.();
console.log(JSON.stringify(result));
process.exit(0);
