/** A read: of which key, when it began, and what it returned. Times are milliseconds on the machine's monotonic clock. */
export interface ReadOf {
  readonly key: string;
  readonly version: number;
  readonly begunAt: number;
}

/** A version that was written, whose predecessors were then ended in the cache; acknowledged at `at`. */
export interface Ended {
  readonly key: string;
  readonly version: number;
  readonly at: number;
  /** The cache says that all tiers have it; otherwise it holds in its own process only. */
  readonly everywhere: boolean;
}

/** What one life of one process did. */
export interface History {
  readonly process: number;
  readonly reads: ReadOf[];
  readonly endings: Ended[];
}

/** When the connections of a process were bad; it may not have known at once. */
export interface Cut {
  readonly process: number;
  readonly from: number;
  readonly to: number;
}

/** What a mode promises across processes, in milliseconds from the acknowledgement. */
export interface Bounds {
  /** While the reader is connected. */
  readonly connectedMs: number;
  /** When the reader's connection was bad in that time. */
  readonly cutMs: number;
}

export interface Verdict {
  readonly reads: number;
  readonly invalidations: number;
  /** Reads that began after an acknowledgement in the same process, and returned an older version. */
  readonly staleInProcess: number;
  /** The same across processes, beyond the bound. */
  readonly staleAcross: number;
  /** How long after an acknowledgement by another process the latest stale read began; 0 for none. */
  readonly latestStaleMs: number;
  readonly examples: readonly string[];
}

/**
 * The law: a read that begins after the acknowledgement of an invalidation returns nothing older; at once in the process that
 * invalidated, within a bound in the others.
 */
export function judge(histories: readonly History[], cuts: readonly Cut[], bounds: Bounds): Verdict {
  const all = new Map<string, Ended[]>();
  for (const { endings } of histories) {
    for (const ending of endings) if (ending.everywhere) (all.get(ending.key) ?? put(all, ending.key)).push(ending);
  }
  const everywhere = new Map([...all].map(([key, endings]) => [key, new Newest(endings)]));
  const result = { reads: 0, invalidations: 0, staleInProcess: 0, staleAcross: 0, latestStaleMs: 0 };
  const examples: string[] = [];
  for (const history of histories) {
    const own = new Map<string, Ended[]>();
    for (const ending of history.endings) (own.get(ending.key) ?? put(own, ending.key)).push(ending);
    const here = new Map([...own].map(([key, endings]) => [key, new Newest(endings)]));
    result.invalidations += history.endings.length;
    result.reads += history.reads.length;
    for (const { key, version, begunAt } of history.reads) {
      const mine = here.get(key)?.before(begunAt);
      if (mine !== undefined && version < mine.version) {
        result.staleInProcess++;
        examples.push(`${key}: ${version} after own ${mine.version}, ${(begunAt - mine.at).toFixed(1)} ms later`);
      }
      const newest = everywhere.get(key);
      const theirs = newest?.firstAbove(version);
      if (theirs === undefined || begunAt <= theirs.at) continue;
      const lateMs = begunAt - theirs.at;
      result.latestStaleMs = Math.max(result.latestStaleMs, lateMs);
      const wasCut = cuts.some(
        (cut) => cut.process === history.process && cut.to + bounds.cutMs > theirs.at && cut.from < begunAt,
      );
      if (lateMs <= (wasCut ? bounds.cutMs : bounds.connectedMs)) continue;
      result.staleAcross++;
      examples.push(
        `${key}: ${version} after ${theirs.version} of all, ${lateMs.toFixed(1)} ms later${wasCut ? ', cut' : ''}`,
      );
    }
  }
  return { ...result, examples: examples.slice(0, 10) };
}

function put(table: Map<string, Ended[]>, key: string): Ended[] {
  const endings: Ended[] = [];
  table.set(key, endings);
  return endings;
}

/** Endings of one key, for looking up by time and by version. */
class Newest {
  readonly #byTime: Ended[];
  readonly #earliestAbove: Ended[];

  constructor(endings: Ended[]) {
    // By time, each with the largest version so far.
    let largest: Ended | undefined;
    this.#byTime = [...endings]
      .sort((one, other) => one.at - other.at)
      .map((ending) => {
        if (largest === undefined || ending.version > largest.version) largest = ending;
        return { ...largest, at: ending.at };
      });
    // By version, each with the earliest of all that are at least as large.
    let earliest: Ended | undefined;
    this.#earliestAbove = [...endings]
      .sort((one, other) => other.version - one.version)
      .map((ending) => {
        if (earliest === undefined || ending.at < earliest.at) earliest = ending;
        return { ...earliest, version: ending.version };
      })
      .reverse();
  }

  /** The largest version that was acknowledged before. */
  before(at: number): Ended | undefined {
    return lastWhere(this.#byTime, (ending) => ending.at < at);
  }

  /** The earliest acknowledgement of a larger version. */
  firstAbove(version: number): Ended | undefined {
    const index = firstIndexWhere(this.#earliestAbove, (ending) => ending.version > version);
    return this.#earliestAbove[index];
  }
}

function firstIndexWhere<T>(sorted: readonly T[], isIt: (item: T) => boolean): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isIt(sorted[middle] as T)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function lastWhere<T>(sorted: readonly T[], isIt: (item: T) => boolean): T | undefined {
  return sorted[firstIndexWhere(sorted, (item) => !isIt(item)) - 1];
}
