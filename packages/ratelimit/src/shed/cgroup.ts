/**
 * Reads CPU throttling and memory of the container of this process from the kernel (cgroup v1 and v2). Without a
 * container, and on other systems than Linux, all readings are absent.
 */
import { readFileSync } from 'node:fs';

/** Returns the text of a file, or undefined when it cannot be read. */
export type ReadFile = (path: string) => string | undefined;

/** Counts since the start of the container, and its current memory use. Absent without a limit, or when unknown. */
export interface ContainerReading {
  /** Scheduling periods, usually of 100 ms, in which the container had something to run. */
  readonly periods?: number;
  /** Those in which it used up its CPU quota and was throttled. */
  readonly throttledPeriods?: number;
  /** Ratio of its memory limit that is in use and cannot be reclaimed, 0 to 1. */
  readonly memoryShare?: number;
}

const ROOT = '/sys/fs/cgroup';
/** cgroup v1 reports a huge number when there is no limit. */
const NO_LIMIT_BYTES = 2 ** 60;

export function readContainer(read: ReadFile = readText): ContainerReading {
  const membership = read('/proc/self/cgroup') ?? '';
  const unified = /^0::(\/.*)$/m.exec(membership)?.[1];
  for (const folder of [`${ROOT}${unified === '/' ? '' : (unified ?? '')}`, ROOT]) {
    const stat = read(`${folder}/cpu.stat`);
    const current = read(`${folder}/memory.current`);
    if (stat === undefined && current === undefined) continue;
    return {
      ...throttling(stat),
      ...memory(current, read(`${folder}/memory.max`), counts(read(`${folder}/memory.stat`))['inactive_file']),
    };
  }
  const stat = read(`${ROOT}/cpu/cpu.stat`) ?? read(`${ROOT}/cpu,cpuacct/cpu.stat`);
  const usage = read(`${ROOT}/memory/memory.usage_in_bytes`);
  const inactive = counts(read(`${ROOT}/memory/memory.stat`))['total_inactive_file'];
  return { ...throttling(stat), ...memory(usage, read(`${ROOT}/memory/memory.limit_in_bytes`), inactive) };
}

function throttling(stat: string | undefined): ContainerReading {
  const { nr_periods: periods, nr_throttled: throttledPeriods } = counts(stat);
  // Without a quota the kernel does not count periods.
  return periods === undefined || throttledPeriods === undefined || periods === 0 ? {} : { periods, throttledPeriods };
}

/** The inactive page cache (`inactive_file`) does not count as used: the kernel reclaims it before memory runs out. */
function memory(used: string | undefined, limit: string | undefined, inactive = 0): ContainerReading {
  const usedBytes = whole(used);
  const limitBytes = whole(limit);
  if (usedBytes === undefined || limitBytes === undefined || limitBytes === 0 || limitBytes >= NO_LIMIT_BYTES)
    return {};
  return { memoryShare: Math.max(0, usedBytes - inactive) / limitBytes };
}

/** Parses lines of the form `name number`. */
function counts(text = ''): Readonly<Record<string, number>> {
  const pairs = [...text.matchAll(/^([a-z_]+) (\d+)$/gm)];
  return Object.fromEntries(pairs.map(([, name, value]) => [name as string, Number(value)]));
}

function whole(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+\s*$/.test(text) ? Number(text) : undefined;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
