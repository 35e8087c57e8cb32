import { hasDecreased, type NamedStats, type Reading, readStatsMetric, type StatsMetric } from './stats-metrics.ts';

/**
 * What objects had counted that no longer exist. Collectors take the decrease of a counter for a restart of the process, and would count
 * everything once more.
 */
export class RetiredCounts<Stats> {
  readonly #counters: readonly StatsMetric<Stats>[];
  readonly #nameAttribute: string;
  /** The last statistics of the objects of each owner. */
  readonly #last = new Map<object, ReadonlyMap<string, NamedStats<Stats>>>();
  readonly #readings = new Map<StatsMetric<Stats>, Map<string, Reading>>();

  constructor(metrics: readonly StatsMetric<Stats>[], nameAttribute: string) {
    this.#counters = metrics.filter(({ kind }) => kind === 'counter');
    this.#nameAttribute = nameAttribute;
  }

  /** The counts of one metric, by series. */
  of(metric: StatsMetric<Stats>): ReadonlyMap<string, Reading> | undefined {
    return this.#readings.get(metric);
  }

  /**
   * Notes the statistics of all objects of an owner, and retires those that are gone.
   *
   * @param objects - by an identity that is unique among the objects of the owner
   */
  update(owner: object, objects: ReadonlyMap<string, NamedStats<Stats>>): void {
    const gone: NamedStats<Stats>[] = [];
    for (const [id, before] of this.#last.get(owner) ?? []) {
      const now = objects.get(id);
      if (now === undefined || this.#isReplaced(before, now)) gone.push(before);
    }
    this.#add(gone);
    this.#last.set(owner, objects);
  }

  /** Retires all objects of an owner. */
  retire(owner: object): void {
    this.#add(this.#last.get(owner)?.values() ?? []);
    this.#last.delete(owner);
  }

  #isReplaced({ kind, stats }: NamedStats<Stats>, now: NamedStats<Stats>): boolean {
    return this.#counters.some((counter) => {
      return (counter.of === undefined || counter.of === kind) && hasDecreased(counter, stats, now.stats);
    });
  }

  #add(objects: Iterable<NamedStats<Stats>>): void {
    const gone = [...objects];
    if (gone.length === 0) return;
    for (const counter of this.#counters) {
      const readings = readStatsMetric(counter, this.#nameAttribute, gone, this.#readings.get(counter));
      this.#readings.set(counter, readings);
    }
  }
}
