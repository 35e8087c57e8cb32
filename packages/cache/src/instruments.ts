/**
 * What this package tells a metrics collector. A cache counts with plain integers, which are read when a collector asks: counting
 * costs a hit nothing, and nothing at all happens while no collector is set up. Caches are held weakly.
 *
 * There is no semantic convention for caches inside an application yet: the names may change with one.
 */
import {
  metrics,
  type Attributes,
  type BatchObservableResult,
  type Meter,
  type MeterProvider,
  type Observable,
} from '@opentelemetry/api';
import type { CacheStats } from './cache.ts';

/** A cache, as far as counting goes. */
export interface Observed {
  readonly name: string;
  stats(): CacheStats;
}

const METER_NAME = '@macadam/cache';
/** More names than this are counted together as `_other`: a collector pays for each. */
const MOST_NAMES = 1_000;

/** One row an instrument and attribute value: the statistic it reads, and what it is called. */
const INSTRUMENTS = [
  ['hits', 'counter', 'macadam.cache.reads', '{read}', 'Reads by how they were answered', 'hit'],
  ['staleHits', 'counter', 'macadam.cache.reads', '{read}', 'Reads by how they were answered', 'stale'],
  ['misses', 'counter', 'macadam.cache.reads', '{read}', 'Reads by how they were answered', 'miss'],
  ['loads', 'counter', 'macadam.cache.loads', '{load}', 'Loads begun'],
  ['loadFailures', 'counter', 'macadam.cache.load.errors', '{load}', 'Loads without a result', 'failed'],
  ['loadTimeouts', 'counter', 'macadam.cache.load.errors', '{load}', 'Loads without a result', 'timeout'],
  ['fenced', 'counter', 'macadam.cache.fenced', '{load}', 'Results that an invalidation or a newer value outdated'],
  ['invalidations', 'counter', 'macadam.cache.invalidations', '{key}', 'Keys and tags invalidated or expired'],
  ['evictions', 'counter', 'macadam.cache.evictions', '{entry}', 'Entries that made room for others'],
  ['oversized', 'counter', 'macadam.cache.oversized', '{value}', 'Values too large to keep'],
  ['entries', 'gauge', 'macadam.cache.entries', '{entry}', 'Entries in memory'],
  ['bytes', 'gauge', 'macadam.cache.size', 'By', 'Estimated size of the entries in memory'],
  ['inFlight', 'gauge', 'macadam.cache.loads.in_flight', '{load}', 'Loads in flight'],
] as const satisfies readonly (readonly [keyof CacheStats, 'counter' | 'gauge', string, string, string, string?])[];

const caches = new Set<WeakRef<Observed>>();
const collected = new FinalizationRegistry<WeakRef<Observed>>((ref) => caches.delete(ref));
const names = new Set<string>();
let provider: MeterProvider | undefined;

/** Has the cache read whenever a collector asks, for as long as it lives. */
export function observe(cache: Observed): void {
  const ref = new WeakRef(cache);
  caches.add(ref);
  collected.register(cache, ref);
  // The SDK may be set up after this module was loaded, or again in a test: a new provider gets its instruments.
  const current = metrics.getMeterProvider();
  if (current === provider) return;
  provider = current;
  instrument(current.getMeter(METER_NAME));
}

function instrument(meter: Meter): void {
  const observables = new Map<string, Observable>();
  for (const [, type, name, unit, description] of INSTRUMENTS) {
    if (observables.has(name)) continue;
    const options = { unit, description };
    observables.set(
      name,
      type === 'gauge' ? meter.createObservableGauge(name, options) : meter.createObservableCounter(name, options),
    );
  }
  meter.addBatchObservableCallback((result) => read(observables, result), [...observables.values()]);
}

/** Caches that share a name are added up. */
function read(observables: ReadonlyMap<string, Observable>, result: BatchObservableResult): void {
  const sums = new Map<string, { observable: Observable; attributes: Attributes; value: number }>();
  for (const ref of caches) {
    const cache = ref.deref();
    if (cache === undefined) continue;
    const stats = cache.stats();
    const name = bounded(cache.name);
    for (const [statistic, , metric, , , outcome] of INSTRUMENTS) {
      const key = `${metric}\u0000${name}\u0000${outcome ?? ''}`;
      const sum = sums.get(key);
      if (sum !== undefined) sum.value += stats[statistic];
      else {
        const attributes = { 'macadam.cache.name': name, ...(outcome !== undefined && { 'macadam.outcome': outcome }) };
        sums.set(key, { observable: observables.get(metric) as Observable, attributes, value: stats[statistic] });
      }
    }
  }
  for (const { observable, attributes, value } of sums.values()) result.observe(observable, value, attributes);
}

function bounded(name: string): string {
  if (names.has(name)) return name;
  if (names.size >= MOST_NAMES) return '_other';
  names.add(name);
  return name;
}
