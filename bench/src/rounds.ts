import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { availableParallelism, loadavg } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { figureOf, type Figure, type Measurement } from './measurement.ts';
import type { Case, Suite } from './suite.ts';

const run = promisify(execFile);
const CONTEND = join(import.meta.dirname, 'contend.ts');
const NODE_FLAGS = ['--expose-gc', '--no-warnings'];
/**
 * A young generation so large that the collector stays away while allocations are counted. Not for timing: it spreads
 * what is allocated over more memory than the processor's cache holds.
 */
const NO_COLLECTION = ['--min-semi-space-size=128', '--max-semi-space-size=128'];

export interface Plan {
  readonly rounds: number;
  /** How long each measurement takes, in milliseconds. */
  readonly milliseconds: number;
}

export interface ContenderResult {
  readonly name: string;
  readonly cpuNs: Figure;
  readonly perSecond: Figure;
  /** Heap bytes allocated for each operation, measured once; undefined when the collector could not be kept away. */
  readonly bytes: number | undefined;
  readonly peakMiB: Figure;
}

/** Measures every contender once a round, in turn, so that whatever else the machine does meets them all alike. */
export async function measureCase(
  suite: Suite,
  subject: Case,
  plan: Plan,
  tell: (line: string) => void,
): Promise<ContenderResult[]> {
  const measured = new Map<string, Measurement[]>(subject.contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < plan.rounds; round++) {
    const turn = round % subject.contenders.length;
    for (const { name } of [...subject.contenders.slice(turn), ...subject.contenders.slice(0, turn)]) {
      tell(`${suite.name} · ${subject.name} · round ${round + 1} of ${plan.rounds} · ${name}`);
      measured.get(name)?.push(await contend('time', [suite.name, subject.name, name], plan.milliseconds));
    }
  }
  const results: ContenderResult[] = [];
  for (const { name } of subject.contenders) {
    tell(`${suite.name} · ${subject.name} · allocation · ${name}`);
    const bytes = await contend<number | null>('bytes', [suite.name, subject.name, name], plan.milliseconds);
    results.push(summarise(name, measured.get(name) ?? [], bytes ?? undefined));
  }
  return results;
}

async function contend<T>(mode: 'bytes' | 'time', names: readonly string[], ms: number): Promise<T> {
  const flags = mode === 'bytes' ? [...NODE_FLAGS, ...NO_COLLECTION] : NODE_FLAGS;
  const command = [...(await pinning()), process.execPath, ...flags, CONTEND, mode, ...names, String(ms)];
  const { stdout } = await run(command[0] as string, command.slice(1), { timeout: 120_000 });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as T;
}

function summarise(name: string, rounds: readonly Measurement[], bytes: number | undefined): ContenderResult {
  return {
    name,
    cpuNs: figureOf(rounds.map((round) => round.cpuNs)),
    perSecond: figureOf(rounds.map((round) => round.perSecond)),
    bytes,
    peakMiB: figureOf(rounds.map((round) => round.peakMiB)),
  };
}

let pinned: readonly string[] | undefined;

/** Keeps a process on one core, the last, where the system can; the first is the busiest with everything else. */
async function pinning(): Promise<readonly string[]> {
  if (pinned !== undefined) return pinned;
  const command = ['taskset', '--cpu-list', String(availableParallelism() - 1)];
  pinned = await run(command[0] as string, [...command.slice(1), 'true']).then(
    () => command,
    () => [],
  );
  return pinned;
}

/** Waits for a quiet machine; false when it stays busy. */
export async function quiet(waitMs: number, tell: (line: string) => void): Promise<boolean> {
  const most = availableParallelism() * 0.5;
  for (let waitedMs = 0; ; waitedMs += 5_000) {
    const [load = 0] = loadavg();
    if (load <= most) return true;
    if (waitedMs >= waitMs) return false;
    tell(`the machine is busy (load ${load.toFixed(1)}); waiting for it to be below ${most.toFixed(1)}`);
    await pause(5_000);
  }
}
