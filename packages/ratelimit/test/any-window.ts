// Twenty processes on one store: the bound of any window of time, for each limit, with and without leases.
import { fixedWindow, slidingWindow, tokenBucket, type Limit } from '../src/index.ts';
import { mostInAnyWindow, runFleet, type Fleet } from './fleet.ts';

const INSTANCES = 20;
/** The longest latency from the store to a process. */
const LATENCY_MS = 5;
const WINDOWS = [1, 10, 50, 100, 333, 500, 900, 995, 1_000, 2_500];
const periodMs = 1_000;

interface Scenario extends Pick<Fleet, 'cost' | 'crashEveryMs' | 'limits' | 'obedient'> {
  readonly name: string;
  /** Requests a second of one instance. */
  readonly rate: (instance: number, atMs: number) => number;
  /** The mean of `rate`, from which the duration of a run follows. */
  readonly meanRate: number;
}

const even = (rate: number) => ({ rate: () => rate, meanRate: rate });
/** Low most of the time, then a burst of all processes across the edges of windows and cells. */
const waves = { rate: (_: number, at: number) => ((at + 50) % 1_000 < 150 ? 1_500 : 5), meanRate: 229 };
/** Low, then a burst of all processes where one window ends and the next begins. */
const atTheEdge = {
  rate: (_: number, at: number) => (at % 2_000 > 900 && at % 2_000 < 1_100 ? 1_500 : 5),
  meanRate: 154,
};
const greedy = { rate: (i: number) => (i === 0 ? 4_000 : 20), meanRate: 220 };

export const scenarios: readonly Scenario[] = [
  { name: 'bucket, crashes', limits: [tokenBucket({ limit: 2_000, periodMs })], ...waves, crashEveryMs: 400 },
  { name: 'bucket, greedy', limits: [tokenBucket({ limit: 1_000, periodMs, burst: 3_000 })], ...greedy },
  { name: 'bucket, too small to lease', limits: [tokenBucket({ limit: 300, periodMs })], ...even(100), obedient: true },
  { name: 'strict bucket', limits: [tokenBucket({ limit: 2_000, periodMs, strict: true })], ...even(200) },
  { name: 'sliding window', limits: [slidingWindow({ limit: 2_000, periodMs })], ...waves, crashEveryMs: 600 },
  { name: 'fixed window', limits: [fixedWindow({ limit: 2_000, periodMs })], ...atTheEdge, crashEveryMs: 600 },
  {
    name: 'a bucket and a window, of several tokens each',
    limits: [
      tokenBucket({ limit: 3_000, periodMs, burst: 1_000, name: 'bucket' }),
      slidingWindow({ limit: 2_500, periodMs, name: 'window' }),
    ],
    ...even(250),
    cost: (random) => 1 + Math.floor(random() * 3),
    crashEveryMs: 900,
  },
];

/** The most that a single limit may admit in any window of `windowMs`. */
function bound(limit: Limit, windowMs: number): number {
  // A response arrives up to LATENCY_MS after the tokens were taken.
  const seenMs = windowMs + LATENCY_MS;
  if (limit.kind === 'tokenBucket') return limit.capacity + (limit.parameters[0] as number) * seenMs;
  if (seenMs > limit.periodMs) return Infinity;
  return limit.kind === 'fixedWindow' ? 2 * limit.limit : limit.limit;
}

export interface Finding {
  readonly windowMs: number;
  readonly most: number;
  readonly atMost: number;
}

/** Runs a scenario for about `steps` requests, and compares what windows admitted with their bounds. */
export async function check(
  scenario: Scenario,
  steps: number,
  seed: number,
): Promise<{ findings: Finding[]; decisions: number; admitted: number }> {
  const { limits, meanRate, ...rest } = scenario;
  const { admitted, costs, decisions } = await runFleet({
    ...rest,
    limits,
    instances: INSTANCES,
    latencyMs: (random) => random() * LATENCY_MS,
    durationMs: (steps / (INSTANCES * meanRate)) * 1_000,
    seed,
  });
  const capacity = Math.min(...limits.map((limit) => limit.capacity));
  const held = INSTANCES * Math.floor((0.05 * capacity) / INSTANCES);
  const findings = WINDOWS.map((windowMs): Finding => {
    const atMost = Math.min(...limits.map((limit) => bound(limit, windowMs))) + held;
    return { windowMs, most: mostInAnyWindow(admitted, windowMs, costs), atMost };
  });
  return { findings, decisions, admitted: costs.reduce((sum, cost) => sum + cost, 0) };
}
