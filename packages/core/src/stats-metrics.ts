/** Metrics that are read from the statistics of objects, described as a table. Reading them is a pure function. */
import type { AttributeBound, MetricDescription } from './telemetry-names.ts';

/** The attributes of a value. */
export type MetricAttributes = Readonly<Record<string, string>>;

/** The source of a value: the name of a statistic, or a function of the statistics that returns undefined if there is none. */
export type StatsSource<Stats> = (keyof Stats & string) | ((stats: Stats) => number | undefined);

/** A metric that is read from the `stats()` of objects at each collection. */
export interface StatsMetric<Stats> {
  /** The name of the metric. */
  readonly name: string;
  /** The kind of the metric. */
  readonly kind: 'counter' | 'gauge';
  /** The unit in UCUM, as in OpenTelemetry: `s`, `By`, `{call}`. */
  readonly unit: string;
  /** The description. */
  readonly description: string;
  /** The kind of objects that have it. Default: all. */
  readonly of?: string;
  /** The source of the value, or one source per set of attributes. */
  readonly reads: StatsSource<Stats> | readonly (readonly [StatsSource<Stats>, MetricAttributes])[];
  /** How the values of several objects with the same name are merged. Default: `sum`. */
  readonly merge?: 'sum' | 'max';
}

/** An object with a name and statistics. */
export interface Counting<Stats> {
  /** The kind of the object, matched by `of` of a metric. Default: none. */
  readonly kind?: string;
  /** The name of the object. */
  readonly name: string;
  /** Returns its statistics. */
  stats(): Stats;
}

/** The statistics of one object at a collection. */
export interface NamedStats<Stats> {
  readonly kind: string | undefined;
  /** The name as an attribute value, which several objects may have. */
  readonly name: string;
  readonly stats: Stats;
}

/** One value of a metric, as observed at a collection. */
export interface Reading {
  readonly value: number;
  readonly attributes: MetricAttributes;
}

/** Describes a metric for the telemetry catalogue; the attribute `nameAttribute` holds the name of the object. */
export function describeStatsMetric<Stats>(metric: StatsMetric<Stats>, nameAttribute: string): MetricDescription {
  const { name, kind, unit, description, reads } = metric;
  const values: Record<string, string[]> = {};
  for (const [, attributes] of rowsOf(reads)) {
    for (const [attribute, value] of Object.entries(attributes)) (values[attribute] ??= []).push(value);
  }
  const attributes: Record<string, AttributeBound> = { [nameAttribute]: NAME_BOUND };
  for (const [attribute, attributeValues] of Object.entries(values))
    attributes[attribute] = [...new Set(attributeValues)];
  return { name, kind, unit, description, attributes };
}

/** Further names are counted together as `_other`: names can come from hosts, and every name is a series at the collector. */
export const MAX_NAMES = 1_000;
const NAME_BOUND = 'names from the code, at most 1,000; those beyond count as `_other`';

/**
 * Reads one metric. The values of objects with the same name and attributes are merged, as `merge` says.
 *
 * @param readings - readings of before, which the values are merged into
 */
export function readStatsMetric<Stats>(
  metric: StatsMetric<Stats>,
  nameAttribute: string,
  objects: Iterable<NamedStats<Stats>>,
  readings: Map<string, Reading> = new Map(),
): Map<string, Reading> {
  const rows = rowsOf(metric.reads);
  for (const { kind, name, stats } of objects) {
    if (metric.of !== undefined && metric.of !== kind) continue;
    for (const [source, fixedAttributes] of rows) {
      const value = valueOf(source, stats);
      if (value === undefined) continue;
      const attributes = { [nameAttribute]: name, ...fixedAttributes };
      const key = JSON.stringify(attributes);
      const before = readings.get(key)?.value;
      readings.set(key, { value: before === undefined ? value : merge(metric, before, value), attributes });
    }
  }
  return readings;
}

function merge({ merge = 'sum' }: { merge?: 'sum' | 'max' }, one: number, other: number): number {
  return merge === 'max' ? Math.max(one, other) : one + other;
}

function valueOf<Stats>(source: StatsSource<Stats>, stats: Stats): number | undefined {
  const value = typeof source === 'function' ? source(stats) : Number(stats[source] ?? Number.NaN);
  return Number.isNaN(value) ? undefined : value;
}

/** Whether a value of the metric is lower than before, which means that another object has taken the place of the one before. */
export function hasDecreased<Stats>({ reads }: StatsMetric<Stats>, before: Stats, now: Stats): boolean {
  return rowsOf(reads).some(([source]) => (valueOf(source, now) ?? 0) < (valueOf(source, before) ?? 0));
}

function rowsOf<Stats>(
  reads: StatsMetric<Stats>['reads'],
): readonly (readonly [StatsSource<Stats>, MetricAttributes])[] {
  return typeof reads === 'object' ? reads : [[reads, {}]];
}
