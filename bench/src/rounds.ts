import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pinning } from './machine.ts';
import { figureOf, totalOf, type Figure, type Measurement } from './measurement.ts';
import { SlicedContender } from './sliced-contender.ts';
import type { Case, Suite } from './suite.ts';

const run = promisify(execFile);
const CONTEND = join(import.meta.dirname, 'contend.ts');
const NODE_FLAGS = ['--expose-gc', '--no-warnings'];
/**
 * A young generation so large that no collection happens while allocations are counted. Not used for timing: it spreads
 * allocations over more memory than fits into the caches of the processor.
 */
const NO_COLLECTION = ['--min-semi-space-size=128', '--max-semi-space-size=128'];
const TIMEOUT_MS = 120_000;

export interface Plan {
  readonly rounds: number;
  /** How long each measurement takes, in milliseconds. */
  readonly milliseconds: number;
  /** The number of slices that a measurement consists of, in a case that is `sliced`. */
  readonly slices?: number;
}

/** A case that is `sliced` has this many times as many rounds as others. */
const SLICED_ROUNDS = 3;
const SLICES = 40;
/** The length of a slice, as a share of a usual measurement. */
const SLICE_SHARE = 0.1;

/** The plan of one case. */
export function planOf({ sliced = false }: Case, plan: Plan): Plan {
  if (!sliced) return plan;
  const milliseconds = plan.milliseconds * SLICE_SHARE * SLICES;
  return { rounds: plan.rounds * SLICED_ROUNDS, milliseconds, slices: SLICES };
}

export interface ContenderResult {
  readonly name: string;
  readonly cpuNs: Figure;
  /**
   * CPU time per operation of each round, in nanoseconds, in the order of the rounds: ratios are computed within a
   * round.
   */
  readonly rounds: readonly number[];
  readonly perSecond: Figure;
  /** Heap bytes allocated per operation, measured once; absent when a collection could not be avoided. */
  readonly bytes?: number;
  readonly peakMiB: Figure;
}

/** The order of a turn: A B C, then B C A, then C A B. None of three or more follows itself. */
export function orderOf<T>(turn: number, contenders: readonly T[]): T[] {
  const first = turn % contenders.length;
  return [...contenders.slice(first), ...contenders.slice(0, first)];
}

/** Measures every contender once per round, in turn, so that disturbances of the machine affect all of them alike. */
export async function measureCase(
  suite: Suite,
  subject: Case,
  plan: Plan,
  onProgress: (line: string) => void,
): Promise<ContenderResult[]> {
  const measured = new Map<string, Measurement[]>(subject.contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < plan.rounds; round++) {
    const inTurn = orderOf(round, subject.contenders).map(({ name }) => name);
    const progress = `${suite.name} · ${subject.name} · round ${round + 1} of ${plan.rounds}`;
    if (plan.slices !== undefined) {
      onProgress(progress);
      const path = [suite.name, subject.name];
      const totals = await inSlices(path, inTurn, plan).catch(() => inSlices(path, inTurn, plan));
      for (const [i, name] of inTurn.entries()) measured.get(name)?.push(totals[i] as Measurement);
      continue;
    }
    for (const name of inTurn) {
      onProgress(`${progress} · ${name}`);
      measured.get(name)?.push(await contend('time', [suite.name, subject.name, name], plan.milliseconds));
    }
  }
  const results: ContenderResult[] = [];
  for (const { name } of subject.contenders) {
    onProgress(`${suite.name} · ${subject.name} · allocation · ${name}`);
    const bytes = await contend<number | null>('bytes', [suite.name, subject.name, name], plan.milliseconds);
    results.push(summarize(name, measured.get(name) ?? [], bytes));
  }
  return results;
}

/** Measures the contenders of a round in alternate slices. */
async function inSlices(path: readonly string[], names: readonly string[], plan: Plan): Promise<Measurement[]> {
  const slices = plan.slices as number;
  const contenders: SlicedContender[] = [];
  try {
    for (const name of names) {
      const command = await commandOf('slices', [...path, name], plan.milliseconds / slices);
      contenders.push(await SlicedContender.start(command));
    }
    const measured = contenders.map((): Measurement[] => []);
    // The first slices are not counted: each contender was idle while the others warmed up.
    for (let slice = -slices / 4; slice < slices; slice++) {
      for (const [i, contender] of orderOf(slice + slices, [...contenders.entries()])) {
        const measurement = await contender.measure();
        if (slice >= 0) measured[i]?.push(measurement);
      }
    }
    return measured.map(totalOf);
  } finally {
    for (const contender of contenders) contender.end();
  }
}

/** Retries a failed process once: a run of an hour must not be lost because one process could not get its port. */
async function contend<T>(mode: 'bytes' | 'time', names: readonly string[], ms: number): Promise<T> {
  const command = await commandOf(mode, names, ms);
  const once = async (): Promise<T> => {
    const { stdout } = await run(command[0] as string, command.slice(1), { timeout: TIMEOUT_MS });
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as T;
  };
  return await once().catch(once);
}

async function commandOf(mode: 'bytes' | 'slices' | 'time', names: readonly string[], ms: number): Promise<string[]> {
  const flags = mode === 'bytes' ? [...NODE_FLAGS, ...NO_COLLECTION] : NODE_FLAGS;
  return [...(await pinning()), process.execPath, ...flags, CONTEND, mode, ...names, String(ms)];
}

function summarize(name: string, measured: readonly Measurement[], bytes: number | null): ContenderResult {
  return {
    name,
    cpuNs: figureOf(measured.map(({ cpuNs }) => cpuNs)),
    rounds: measured.map(({ cpuNs }) => Number(cpuNs.toPrecision(5))),
    perSecond: figureOf(measured.map(({ perSecond }) => perSecond)),
    ...(bytes !== null && { bytes }),
    peakMiB: figureOf(measured.map(({ peakMiB }) => peakMiB)),
  };
}
