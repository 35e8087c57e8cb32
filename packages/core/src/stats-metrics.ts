/** Metrics that are read from counts which exist anyway, as a table; reading is a pure function of table and counts. */
import type { AttributeBound, MetricDescription } from './telemetry-names.ts';

/** Attributes of one number. */
export type MetricAttributes = Readonly<Record<string, string>>;

/** Where a number comes from: a statistic by its name, or what a function finds; undefined when there is none. */
export type StatsSource<Stats> = (keyof Stats & string) | ((stats: Stats) => number | undefined);

/** A metric that is read from the `stats()` of objects when a collector asks. */
export interface StatsMetric<Stats> {
  readonly name: string;
  readonly kind: 'counter' | 'gauge';
  /** In UCUM, as OpenTelemetry has it: `s`, `By`, `{call}`. */
  readonly unit: string;
  readonly description: string;
  /** Only objects of this kind have it. Default: all. */
  readonly of?: string;
  /** One number, or one for each set of attributes. */
  readonly reads: StatsSource<Stats> | readonly (readonly [StatsSource<Stats>, MetricAttributes])[];
  /** What is told of several objects of one name. Default: `sum`. */
  readonly merge?: 'sum' | 'max';
}

/** Something with a name that counts. */
export interface Counting<Stats> {
  readonly kind?: string;
  readonly name: string;
  stats(): Stats;
}

/** A number of a metric at a moment. */
export interface Reading {
  readonly value: number;
  readonly attributes: MetricAttributes;
}

/** What the catalogue says of a metric whose objects are named by `nameAttribute`. */
export function describeStatsMetric<Stats>(metric: StatsMetric<Stats>, nameAttribute: string): MetricDescription {
  const { name, kind, unit, description, reads } = metric;
  const values: Record<string, string[]> = {};
  for (const [, attributes] of rowsOf(reads)) {
    for (const [attribute, value] of Object.entries(attributes)) (values[attribute] ??= []).push(value);
  }
  const attributes: Record<string, AttributeBound> = { [nameAttribute]: NAME_BOUND };
  for (const [attribute, all] of Object.entries(values)) attributes[attribute] = [...new Set(all)];
  return { name, kind, unit, description, attributes };
}

/** More names than this are counted together as `_other`: names may come from hosts, and a collector pays for each. */
export const MOST_NAMES = 1_000;
const NAME_BOUND = 'names from the code, at most 1,000; those beyond count as `_other`';

/** The numbers of one metric. Objects of one name are added up, or the largest counts. */
export function readStatsMetric<Stats>(
  metric: StatsMetric<Stats>,
  nameAttribute: string,
  counted: readonly { readonly kind: string | undefined; readonly name: string; readonly stats: Stats }[],
): Iterable<Reading> {
  const found = new Map<string, { value: number; attributes: MetricAttributes }>();
  const rows = rowsOf(metric.reads);
  for (const { kind, name, stats } of counted) {
    if (metric.of !== undefined && metric.of !== kind) continue;
    for (const [source, own] of rows) {
      const value = typeof source === 'function' ? source(stats) : Number(stats[source] ?? Number.NaN);
      if (value === undefined || Number.isNaN(value)) continue;
      const attributes = { [nameAttribute]: name, ...own };
      const key = JSON.stringify(attributes);
      const before = found.get(key);
      if (before === undefined) found.set(key, { value, attributes });
      else before.value = metric.merge === 'max' ? Math.max(before.value, value) : before.value + value;
    }
  }
  return found.values();
}

function rowsOf<Stats>(
  reads: StatsMetric<Stats>['reads'],
): readonly (readonly [StatsSource<Stats>, MetricAttributes])[] {
  return typeof reads === 'object' ? reads : [[reads, {}]];
}
