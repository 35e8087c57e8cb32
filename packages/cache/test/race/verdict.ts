/** One read of a key. Times are milliseconds on the monotonic clock of the machine. */
export interface RecordedRead {
  readonly key: string;
  readonly version: number;
  readonly startedAt: number;
}

/** An acknowledged invalidation (at `at`) of every version older than `version`, which was written before it. */
export interface Invalidation {
  readonly key: string;
  readonly version: number;
  readonly at: number;
  /** Whether all tiers acknowledged it; otherwise it took effect in its own process only. */
  readonly everywhere: boolean;
}

/** What one process did from its start to its end. */
export interface History {
  readonly process: number;
  readonly reads: RecordedRead[];
  readonly invalidations: Invalidation[];
}

/** When the connections of a process were cut. It may notice later. */
export interface Cut {
  readonly process: number;
  readonly from: number;
  readonly to: number;
}

/** What a coherence mode promises across processes, in milliseconds from the acknowledgement. */
export interface Bounds {
  /** While the reader is connected. */
  readonly connectedMs: number;
  /** When the connection of the reader was cut in that time. */
  readonly cutMs: number;
}

export interface Verdict {
  readonly reads: number;
  readonly invalidations: number;
  /** Reads that started after an acknowledgement in the same process, and returned an older version. */
  readonly staleInProcess: number;
  /** The same across processes, beyond the bound. */
  readonly staleAcross: number;
  /** How long after an acknowledgement by another process the latest stale read started; 0 for none. */
  readonly latestStaleMs: number;
  readonly examples: readonly string[];
}

/**
 * Checks the coherence property: a read that starts after the acknowledgement of an invalidation returns nothing older.
 * This holds at once in the process that invalidated, and within a bound in the others.
 */
export function judge(histories: readonly History[], cuts: readonly Cut[], bounds: Bounds): Verdict {
  const all = new Map<string, Invalidation[]>();
  for (const { invalidations } of histories) {
    for (const invalidation of invalidations)
      if (invalidation.everywhere) (all.get(invalidation.key) ?? addKey(all, invalidation.key)).push(invalidation);
  }
  const everywhere = new Map([...all].map(([key, invalidations]) => [key, new InvalidationIndex(invalidations)]));
  const result = { reads: 0, invalidations: 0, staleInProcess: 0, staleAcross: 0, latestStaleMs: 0 };
  const examples: string[] = [];
  for (const history of histories) {
    const own = new Map<string, Invalidation[]>();
    for (const invalidation of history.invalidations)
      (own.get(invalidation.key) ?? addKey(own, invalidation.key)).push(invalidation);
    const ownByKey = new Map([...own].map(([key, invalidations]) => [key, new InvalidationIndex(invalidations)]));
    result.invalidations += history.invalidations.length;
    result.reads += history.reads.length;
    for (const { key, version, startedAt } of history.reads) {
      const ownInvalidation = ownByKey.get(key)?.before(startedAt);
      if (ownInvalidation !== undefined && version < ownInvalidation.version) {
        result.staleInProcess++;
        examples.push(
          `${key}: ${version} after own ${ownInvalidation.version}, ${(startedAt - ownInvalidation.at).toFixed(1)} ms later`,
        );
      }
      const index = everywhere.get(key);
      const otherInvalidation = index?.firstAbove(version);
      if (otherInvalidation === undefined || startedAt <= otherInvalidation.at) continue;
      const lateMs = startedAt - otherInvalidation.at;
      result.latestStaleMs = Math.max(result.latestStaleMs, lateMs);
      const wasCut = cuts.some(
        (cut) =>
          cut.process === history.process && cut.to + bounds.cutMs > otherInvalidation.at && cut.from < startedAt,
      );
      if (lateMs <= (wasCut ? bounds.cutMs : bounds.connectedMs)) continue;
      result.staleAcross++;
      examples.push(
        `${key}: ${version} after ${otherInvalidation.version} by all, ${lateMs.toFixed(1)} ms later${wasCut ? ', cut' : ''}`,
      );
    }
  }
  return { ...result, examples: examples.slice(0, 10) };
}

function addKey(table: Map<string, Invalidation[]>, key: string): Invalidation[] {
  const invalidations: Invalidation[] = [];
  table.set(key, invalidations);
  return invalidations;
}

/** The invalidations of one key, searchable by time and by version. */
class InvalidationIndex {
  readonly #byTime: Invalidation[];
  readonly #earliestAbove: Invalidation[];

  constructor(invalidations: Invalidation[]) {
    // By time, each with the largest version so far.
    let largest: Invalidation | undefined;
    this.#byTime = [...invalidations]
      .sort((one, other) => one.at - other.at)
      .map((invalidation) => {
        if (largest === undefined || invalidation.version > largest.version) largest = invalidation;
        return { ...largest, at: invalidation.at };
      });
    // By version, each with the earliest of all that are at least as large.
    let earliest: Invalidation | undefined;
    this.#earliestAbove = [...invalidations]
      .sort((one, other) => other.version - one.version)
      .map((invalidation) => {
        if (earliest === undefined || invalidation.at < earliest.at) earliest = invalidation;
        return { ...earliest, version: invalidation.version };
      })
      .reverse();
  }

  /** The largest version that was acknowledged before. */
  before(at: number): Invalidation | undefined {
    return lastWhere(this.#byTime, (invalidation) => invalidation.at < at);
  }

  /** The earliest acknowledgement of a larger version. */
  firstAbove(version: number): Invalidation | undefined {
    const index = firstIndexWhere(this.#earliestAbove, (invalidation) => invalidation.version > version);
    return this.#earliestAbove[index];
  }
}

function firstIndexWhere<T>(sorted: readonly T[], matches: (item: T) => boolean): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (matches(sorted[middle] as T)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function lastWhere<T>(sorted: readonly T[], matches: (item: T) => boolean): T | undefined {
  return sorted[firstIndexWhere(sorted, (item) => !matches(item)) - 1];
}
