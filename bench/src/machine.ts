// The machine a run has to itself, or has not.
import { execFile } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** The share of all its cores that others may use while it still counts as quiet. */
const QUIET = 0.1;
const SAMPLE_MS = 500;

/**
 * Waits until the machine is quiet; false when it stays busy. What the cores do now is looked at, not the load average,
 * which for a minute still tells of the run before.
 */
export async function quiet(waitMs: number, tell: (line: string) => void = () => {}): Promise<boolean> {
  for (let waitedMs = 0; ; waitedMs += SAMPLE_MS) {
    const busy = await busyShare();
    if (busy <= QUIET) return true;
    if (waitedMs >= waitMs) return false;
    tell(`the machine is ${Math.round(busy * 100)} % busy; waiting for it to be below ${QUIET * 100} %`);
  }
}

async function busyShare(): Promise<number> {
  const before = ticks();
  await pause(SAMPLE_MS);
  const after = ticks();
  const all = after.all - before.all;
  return all === 0 ? 0 : 1 - (after.idle - before.idle) / all;
}

function ticks(): { idle: number; all: number } {
  const times = cpus().map((core) => core.times);
  const all = times.reduce((sum, { user, nice, sys, idle, irq }) => sum + user + nice + sys + idle + irq, 0);
  return { idle: times.reduce((sum, { idle }) => sum + idle, 0), all };
}

let pinned: Promise<readonly string[]> | undefined;

/** A command that keeps a process on one core, the last, where the system can; the first is the busiest with everything else. */
export function pinning(): Promise<readonly string[]> {
  const command = ['taskset', '--cpu-list', String(availableParallelism() - 1)];
  pinned ??= run(command[0] as string, [...command.slice(1), 'true']).then(
    () => command,
    () => [],
  );
  return pinned;
}

export function processor(): string {
  return cpus()[0]?.model.trim() ?? 'unknown';
}
