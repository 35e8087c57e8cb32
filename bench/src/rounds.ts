import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { availableParallelism, loadavg } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { figureOf, type Figure, type Measurement } from './measurement.ts';
import type { Case, Suite } from './suite.ts';

const run = promisify(execFile);
const CONTEND = join(import.meta.dirname, 'contend.ts');
/** A young generation so large that the collector stays away while allocations are counted. */
const NODE_FLAGS = ['--expose-gc', '--min-semi-space-size=128', '--max-semi-space-size=128', '--no-warnings'];

export interface Plan {
  readonly rounds: number;
  /** How long each measurement takes, in milliseconds. */
  readonly milliseconds: number;
}

export interface ContenderResult {
  readonly name: string;
  readonly cpuNs: Figure;
  readonly perSecond: Figure;
  readonly bytes: Figure | undefined;
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
      measured.get(name)?.push(await measureOnce(suite.name, subject.name, name, plan.milliseconds));
    }
  }
  return subject.contenders.map(({ name }) => summarise(name, measured.get(name) ?? []));
}

async function measureOnce(suite: string, subject: string, contender: string, ms: number): Promise<Measurement> {
  const command = [process.execPath, ...NODE_FLAGS, CONTEND, suite, subject, contender, String(ms)];
  const [program = '', ...args] = [...(await pinning()), ...command];
  const { stdout } = await run(program, args, { timeout: 120_000 });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Measurement;
}

function summarise(name: string, rounds: readonly Measurement[]): ContenderResult {
  const bytes = rounds.flatMap((round) => (round.bytes === undefined ? [] : [round.bytes]));
  return {
    name,
    cpuNs: figureOf(rounds.map((round) => round.cpuNs)),
    perSecond: figureOf(rounds.map((round) => round.perSecond)),
    bytes: bytes.length === 0 ? undefined : figureOf(bytes),
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
