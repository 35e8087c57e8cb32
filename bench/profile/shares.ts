import type { CpuProfile, ProfileNode } from './flame-graph.ts';

/** A share of the time of a path, from 0 to 1. */
export interface Share {
  readonly label: string;
  readonly share: number;
}

/** Where the time of a path is spent, by package and by function. */
export interface PathShares {
  readonly name: string;
  readonly owners: readonly Share[];
  readonly functions: readonly Share[];
}

/** Functions with less self time than this are sampling noise. */
const MIN_SHARE = 0.02;
const MAX_FUNCTIONS = 8;
/** The loop that repeats the path and the inspector are not part of it. */
const MEASURING = 'the measuring code';

export function sharesOf(name: string, profile: CpuProfile): PathShares {
  const times = selfTimes(profile).filter(({ owner }) => owner !== MEASURING);
  const total = times.reduce((sum, { time }) => sum + time, 0);
  const owners = new Map<string, number>();
  for (const { owner, time } of times) owners.set(owner, (owners.get(owner) ?? 0) + time / total);
  const functions = times
    .filter(({ named }) => named)
    .map(({ label, time }) => ({ label, share: time / total }))
    .filter(({ share }) => share >= MIN_SHARE);
  return {
    name,
    owners: largestFirst([...owners].map(([label, share]) => ({ label, share }))).filter(
      ({ share }) => share >= MIN_SHARE / 2,
    ),
    functions: largestFirst(functions).slice(0, MAX_FUNCTIONS),
  };
}

interface SelfTime {
  readonly owner: string;
  readonly label: string;
  /** Whether it is a function in a file, and not work of the runtime. */
  readonly named: boolean;
  readonly time: number;
}

function selfTimes({ nodes, samples = [], timeDeltas = [] }: CpuProfile): SelfTime[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const times = new Map<string, SelfTime>();
  for (const [i, id] of samples.entries()) {
    const frame = (byId.get(id) as ProfileNode).callFrame;
    const [owner, named] = [ownerOf(frame), !frame.functionName.startsWith('(')];
    const label = `${frame.functionName || '(anonymous)'}, ${owner}`;
    const time = (times.get(label)?.time ?? 0) + (timeDeltas[i] ?? 0);
    times.set(label, { owner, label, named, time });
  }
  return [...times.values()];
}

function ownerOf({ functionName, url }: ProfileNode['callFrame']): string {
  if (functionName === '(garbage collector)') return 'garbage collection';
  const own = /packages\/([\w-]+)\/(?:dist|src)\//.exec(url)?.[1];
  if (own !== undefined) return `@macadam/${own}`;
  if (url.includes('/bench/') || url === 'node:inspector') return MEASURING;
  const library = /node_modules\/((?:@[\w.-]+\/)?[\w.-]+)\/(?!.*node_modules)/.exec(url)?.[1];
  return library ?? (url.startsWith('node:') || !functionName.startsWith('(') ? 'Node' : 'the runtime');
}

function largestFirst(shares: readonly Share[]): Share[] {
  return [...shares].sort((a, b) => b.share - a.share);
}
