// The load run of one variant: starts the upstream and the service as processes of their own, sends callers through
// the script, and notes what each of them got.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { seededRandom } from '@macadam/testkit';
import { planArrivals } from './arrivals.ts';
import { createCaller } from './caller.ts';
import { startChild } from './children.ts';
import type { Activity } from './lookup.ts';
import type { Call } from './measure.ts';
import type { PhaseName, Step } from './script.ts';
import type { Group } from './traffic.ts';
import { type Variant, variants } from './variants.ts';

export interface LoadOptions {
  variant: Variant;
  script: readonly Step[];
  groups: readonly Group[];
  seed: number;
  /** When a caller gives up, in milliseconds. */
  patienceMs: number;
  onProgress(progress: Progress): void;
}

export interface Progress {
  variant: Variant;
  phase: PhaseName;
  elapsedMs: number;
  calls: readonly Call[];
  waiting: number;
}

export interface Run {
  variant: Variant;
  calls: readonly Call[];
  /** One for each step of the script. */
  steps: readonly StepRecord[];
  /** The longest time this process was not let run, in milliseconds: how far the figures can be trusted. */
  longestStallMs: number;
}

export interface StepRecord extends Step {
  /** Since the start of the run. */
  startMs: number;
  /** Epoch time. */
  startedAt: number;
  /** Requests that reached the gazetteer during the step. */
  upstreamRequests: number;
  before: Activity;
  after: Activity;
}

export async function runLoad(options: LoadOptions): Promise<Run> {
  const { variant, script, seed } = options;
  const { service, upstream = [], warmNames } = variants[variant];
  const gazetteer = await startChild<{ url: string; names: string[] }>('gazetteer.ts', [
    ...['--port', '0', '--seed', `${seed}`, ...upstream],
  ]);
  const { names } = gazetteer.ready;
  const places = await startChild<{ url: string }>('places.ts', [
    ...['--gazetteer', gazetteer.ready.url, '--port', '0', ...service],
  ]);
  const caller = createCaller(places.ready.url, options.patienceMs);
  // Connections are opened and code is compiled before anything is measured, for every variant alike.
  for (const [i, name] of names.slice(0, warmNames).entries()) await caller.call(name, { 'x-api-key': `warm-up-${i}` });

  const arrivals = planArrivals(options.groups, script, names, seededRandom(seed));
  let failure: Error | undefined;
  const observe = async (step?: Step): Promise<Observation> => {
    const { requests } = await gazetteer.ask<{ requests: number }>({ weather: step?.weather ?? 'healthy' });
    const activity = (await (await fetch(`${places.ready.url}/stats`)).json()) as Activity;
    return { requests, activity, at: Date.now() };
  };

  const stalls = monitorEventLoopDelay({ resolution: 10 });
  stalls.enable();
  const start = performance.now();
  const calls: Call[] = [];
  const pending = new Set<Promise<void>>();
  const report = (phase: Progress['phase']): void =>
    options.onProgress({ variant, phase, elapsedMs: performance.now() - start, calls, waiting: pending.size });
  const arrive = ({ atMs, phase, name, who, headers }: (typeof arrivals)[number]): void => {
    const call = caller.call(name, headers).then((ending) => {
      calls.push({ phase, who, atMs, waitedMs: performance.now() - start - atMs, ending });
      pending.delete(call);
    });
    pending.add(call);
  };

  const observations: Promise<Observation>[] = [];
  const note = (observation: Promise<Observation>): void => {
    observation.catch((error: Error) => (failure ??= error));
    observations.push(observation);
  };
  const startsMs: number[] = [];
  let stepStartMs = 0;
  let next = 0;
  for (const step of script) {
    note(observe(step));
    startsMs.push(stepStartMs);
    stepStartMs += step.durationMs;
    for (let nowMs = performance.now() - start; nowMs < stepStartMs; nowMs = performance.now() - start) {
      if (failure !== undefined) throw failure;
      while (next < arrivals.length && arrivals[next]!.atMs <= nowMs) arrive(arrivals[next++]!);
      report(step.phase);
      const wakeMs = Math.min(arrivals[next]?.atMs ?? Infinity, stepStartMs);
      await sleep(Math.max(0, Math.ceil(wakeMs - (performance.now() - start))));
    }
  }
  note(observe());
  const patience = setInterval(() => report(script.at(-1)!.phase), 100);
  await Promise.all(pending);
  clearInterval(patience);

  const seen = await Promise.all(observations);
  stalls.disable();
  caller.close();
  await Promise.all([places.end(), gazetteer.end()]);
  return {
    variant,
    calls,
    longestStallMs: stalls.max / 1e6,
    steps: script.map((step, i) => ({
      ...step,
      startMs: startsMs[i]!,
      startedAt: seen[i]!.at,
      upstreamRequests: seen[i + 1]!.requests - seen[i]!.requests,
      before: seen[i]!.activity,
      after: seen[i + 1]!.activity,
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
