// Runs one variant: starts the gazetteer and the service as separate processes, sends the traffic of a scenario, and records
// how each call ended.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { seededRandom } from '@macadam/testkit';
import { planArrivals } from './arrivals.ts';
import { createCaller } from './caller.ts';
import { startChild } from './child-processes.ts';
import type { Activity } from './lookup.ts';
import type { PhaseName, Step } from './scenario.ts';
import type { Call } from './statistics.ts';
import type { Group } from './traffic.ts';
import { type Variant, variants } from './variants.ts';

export interface LoadOptions {
  variant: Variant;
  scenario: readonly Step[];
  groups: readonly Group[];
  seed: number;
  /** How long a caller waits before it gives up, in milliseconds. */
  patienceMs: number;
  onProgress(progress: Progress): void;
}

export interface Progress {
  variant: Variant;
  phase: PhaseName;
  elapsedMs: number;
  calls: readonly Call[];
  /** Calls in flight. */
  waiting: number;
}

export interface Run {
  variant: Variant;
  calls: readonly Call[];
  /** One record per step of the scenario. */
  steps: readonly StepRecord[];
  /** The longest stall of the event loop of this process, in milliseconds. After long stalls the figures are unreliable. */
  longestStallMs: number;
}

export interface StepRecord extends Step {
  /** Since the start of the run. */
  startMs: number;
  /** Epoch time. */
  startedAt: number;
  /** Requests that reached the gazetteer during the step. */
  upstreamRequests: number;
  /** The counts of the lookup at the start and the end of the step. */
  before: Activity;
  after: Activity;
}

export async function runLoad(options: LoadOptions): Promise<Run> {
  const { variant, scenario, seed } = options;
  const { service, gazetteer: gazetteerArguments = [], warmNames } = variants[variant];
  const gazetteer = await startChild<{ url: string; names: string[] }>('gazetteer.ts', [
    ...['--port', '0', '--seed', `${seed}`, ...gazetteerArguments],
  ]);
  const { names } = gazetteer.ready;
  const places = await startChild<{ url: string }>('places.ts', [
    ...['--gazetteer', gazetteer.ready.url, '--port', '0', ...service],
  ]);
  const caller = createCaller(places.ready.url, options.patienceMs);
  // Warm up: open connections and compile code before measuring.
  for (const [i, name] of names.slice(0, warmNames).entries()) await caller.call(name, { 'x-api-key': `warm-up-${i}` });

  const arrivals = planArrivals(options.groups, scenario, names, seededRandom(seed));
  let failure: Error | undefined;
  /** Sets the condition of the gazetteer and reads the counts of both processes. */
  const changeCondition = async (step?: Step): Promise<Observation> => {
    const { requests } = await gazetteer.request<{ requests: number }>({ condition: step?.condition ?? 'healthy' });
    const activity = (await (await fetch(`${places.ready.url}/stats`)).json()) as Activity;
    return { requests, activity, at: Date.now() };
  };

  const eventLoopDelay = monitorEventLoopDelay({ resolution: 10 });
  eventLoopDelay.enable();
  const start = performance.now();
  const calls: Call[] = [];
  const pending = new Set<Promise<void>>();
  const reportProgress = (phase: Progress['phase']): void =>
    options.onProgress({ variant, phase, elapsedMs: performance.now() - start, calls, waiting: pending.size });
  const startCall = ({ atMs, phase, name, group, headers }: (typeof arrivals)[number]): void => {
    const call = caller.call(name, headers).then((outcome) => {
      calls.push({ phase, group, atMs, waitedMs: performance.now() - start - atMs, outcome });
      pending.delete(call);
    });
    pending.add(call);
  };

  const observations: Promise<Observation>[] = [];
  const collect = (observation: Promise<Observation>): void => {
    observation.catch((error: Error) => (failure ??= error));
    observations.push(observation);
  };
  const startsMs: number[] = [];
  let stepStartMs = 0;
  let next = 0;
  for (const step of scenario) {
    collect(changeCondition(step));
    startsMs.push(stepStartMs);
    stepStartMs += step.durationMs;
    for (let nowMs = performance.now() - start; nowMs < stepStartMs; nowMs = performance.now() - start) {
      if (failure !== undefined) throw failure;
      while (next < arrivals.length && arrivals[next]!.atMs <= nowMs) startCall(arrivals[next++]!);
      reportProgress(step.phase);
      const wakeMs = Math.min(arrivals[next]?.atMs ?? Infinity, stepStartMs);
      await sleep(Math.max(0, Math.ceil(wakeMs - (performance.now() - start))));
    }
  }
  collect(changeCondition());
  const progressTimer = setInterval(() => reportProgress(scenario.at(-1)!.phase), 100);
  await Promise.all(pending);
  clearInterval(progressTimer);

  const observed = await Promise.all(observations);
  eventLoopDelay.disable();
  caller.close();
  await Promise.all([places.stop(), gazetteer.stop()]);
  return {
    variant,
    calls,
    longestStallMs: eventLoopDelay.max / 1e6,
    steps: scenario.map((step, i) => ({
      ...step,
      startMs: startsMs[i]!,
      startedAt: observed[i]!.at,
      upstreamRequests: observed[i + 1]!.requests - observed[i]!.requests,
      before: observed[i]!.activity,
      after: observed[i + 1]!.activity,
    })),
  };
}

interface Observation {
  requests: number;
  activity: Activity;
  at: number;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
