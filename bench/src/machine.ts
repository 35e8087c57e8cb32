// Checks whether the machine is quiet enough for a measurement, and pins processes to a core.
import { execFile } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** Up to this share of the CPU time of all cores may be used by others while the machine still counts as quiet. */
const QUIET = 0.1;
const SAMPLE_MS = 500;

/**
 * Waits until the machine is quiet; returns false when it stays busy. Measures the current use of the cores, not the
 * load average, which still includes the previous run for a minute.
 */
export async function quiet(waitMs: number, onProgress: (line: string) => void = () => {}): Promise<boolean> {
  for (let waitedMs = 0; ; waitedMs += SAMPLE_MS) {
    const busy = await busyShare();
    if (busy <= QUIET) return true;
    if (waitedMs >= waitMs) return false;
    onProgress(`the machine is ${Math.round(busy * 100)} % busy; waiting for it to be below ${QUIET * 100} %`);
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

/**
 * A command prefix that pins a process to the last core, where the system supports it; the first core is the busiest
 * with other work.
 */
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
