/**
 * What the kernel says of the container this process is in (cgroup v1 and v2). Outside of a container, and on other systems,
 * it says nothing, and nothing is known.
 */
import { readFileSync } from 'node:fs';

/** Text of a file, or undefined when there is none. */
export type ReadFile = (path: string) => string | undefined;

/** Counts since the container began, and its memory at the moment. Absent where there is no limit, or nothing is known. */
export interface ContainerReading {
  /** Scheduling periods, 100 ms each as a rule, in which it wanted the CPU. */
  readonly periods?: number;
  /** Those in which it used up its quota and was stopped. */
  readonly throttledPeriods?: number;
  /** The share of its memory that is in use and cannot be dropped, 0 to 1. */
  readonly memoryShare?: number;
}

const ROOT = '/sys/fs/cgroup';
/** v1 has no word for no limit, but a number as large as that. */
const NO_LIMIT_BYTES = 2 ** 60;

export function readContainer(read: ReadFile = readText): ContainerReading {
  const own = read('/proc/self/cgroup') ?? '';
  const unified = /^0::(\/.*)$/m.exec(own)?.[1];
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
  // Without a quota the periods are not counted.
  return periods === undefined || throttledPeriods === undefined || periods === 0 ? {} : { periods, throttledPeriods };
}

/** Files that were read and can be read again (`inactive_file`) are dropped before anything fails. */
function memory(used: string | undefined, limit: string | undefined, inactive = 0): ContainerReading {
  const usedBytes = whole(used);
  const limitBytes = whole(limit);
  if (usedBytes === undefined || limitBytes === undefined || limitBytes === 0 || limitBytes >= NO_LIMIT_BYTES)
    return {};
  return { memoryShare: Math.max(0, usedBytes - inactive) / limitBytes };
}

/** `name number` on each line. */
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
