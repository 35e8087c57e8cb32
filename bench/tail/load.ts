// Runs one caller at one rate in a process of its own: `load.ts CALLER URL PER_SECOND SECONDS`. Prints a line of JSON.
// Open loop: calls start when they are due, whether or not earlier ones have finished, and are timed from when they
// were due. A caller that stalls cannot hide that by calling later (coordinated omission).
import { build } from 'hdr-histogram-js';
import { callers } from './callers.ts';
import type { Tail } from './page.ts';

const [name = '', url = '', perSecond, seconds] = process.argv.slice(2);
const [rate, total] = [Number(perSecond), Math.round(Number(perSecond) * Number(seconds))];
const create = callers[name];
if (create === undefined) throw new Error(`No caller "${name}". There are: ${Object.keys(callers).join(', ')}.`);
const call = await create(url);
for (let i = 0; i < 300; i++) await call();

const latencies = build({
  lowestDiscernibleValue: 1,
  highestTrackableValue: 60_000_000,
  numberOfSignificantValueDigits: 3,
});
const failures: Record<string, number> = {};
const pending = new Set<Promise<void>>();
const cpu = process.cpuUsage();
const startedAt = performance.now();

function start(dueAt: number): void {
  const recorded = call().then(
    () => latencies.recordValue(Math.max(1, Math.round((performance.now() - dueAt) * 1_000))),
    (error: Error & { code?: string }) => {
      const why = error.code ?? error.name;
      failures[why] = (failures[why] ?? 0) + 1;
    },
  );
  const settled = recorded.then(() => void pending.delete(settled));
  pending.add(settled);
}

for (let started = 0; started < total;) {
  const now = performance.now();
  for (; started < total && startedAt + (started * 1_000) / rate <= now; started++)
    start(startedAt + (started * 1_000) / rate);
  await new Promise((resolve) => setTimeout(resolve, 1));
}
await Promise.all(pending);
const { user, system } = process.cpuUsage(cpu);
const at = (percentile: number): number => latencies.getValueAtPercentile(percentile) / 1_000;
const tail: Tail = {
  ...{ calls: total, answered: latencies.totalCount, failures },
  ...{ p50Ms: at(50), p90Ms: at(90), p99Ms: at(99), p999Ms: at(99.9), cpuMsPerCall: (user + system) / 1_000 / total },
};
console.log(JSON.stringify(tail));
process.exit(0);
