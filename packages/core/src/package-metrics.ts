/**
 * The metrics of a package as one table. Most are read from the integers that objects count anyway, and only at a
 * collection, so that they cost a call nothing. Without a registered SDK no instrument exists.
 *
 * Core does not depend on OpenTelemetry: it declares the parts of the API that it uses, and `instruments.ts` of each package
 * passes in the real provider.
 */
import { BatchedHistogram } from './batched-histogram.ts';
import { RetiredCounts } from './retired-counts.ts';
import { type Counting, describeStatsMetric, MAX_NAMES, readStatsMetric } from './stats-metrics.ts';
import type { NamedStats, StatsMetric } from './stats-metrics.ts';
import type { MetricDescription } from './telemetry-names.ts';

/** A histogram, recorded when something happens. Only for what does I/O anyway. */
export interface HistogramMetric extends MetricDescription {
  /** The kind of the metric. */
  readonly kind: 'histogram';
  /** The upper bounds of its buckets, in its unit. */
  readonly boundaries: readonly number[];
}

/** Bucket bounds for durations in seconds. Source: OpenTelemetry's HTTP conventions. */
export const SECONDS_BOUNDARIES: readonly number[] = [
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
];

/** Options of an OpenTelemetry instrument, as far as they are used. */
export interface MetricOptions {
  /** The unit, in UCUM. */
  unit: string;
  /** The description. */
  description: string;
  /** The bucket bounds of a histogram. Default: those of the SDK. */
  advice?: { explicitBucketBoundaries: number[] };
}

/** A histogram of OpenTelemetry, as far as it is used. */
export interface HistogramLike {
  /** Records a value. The attributes must not change afterwards. */
  record(value: number, attributes?: Record<string, string | number>, context?: unknown): void;
}

/** A meter of OpenTelemetry, as far as it is used. */
export interface MeterLike {
  /** Creates a histogram. */
  createHistogram(name: string, options: MetricOptions): HistogramLike;
  /** Creates an observable counter. */
  createObservableCounter(name: string, options: MetricOptions): unknown;
  /** Creates an observable gauge. */
  createObservableGauge(name: string, options: MetricOptions): unknown;
  /** Registers a callback that observes several instruments at each collection. */
  addBatchObservableCallback(
    callback: (result: { observe(metric: never, value: number, attributes?: Record<string, string>): void }) => void,
    observables: never[],
  ): void;
}

/** A meter provider of OpenTelemetry, as far as it is used. */
export interface MeterProviderLike {
  /** Returns the meter of that name. */
  getMeter(name: string): MeterLike;
}

/** Options of {@link PackageMetrics}. */
export interface PackageMetricsOptions<Stats> {
  /** The name of the meter: that of the package. */
  scope: string;
  /** Returns the registered provider: `() => metrics.getMeterProvider()`. */
  provider: () => MeterProviderLike;
  /** The meter returned without an SDK, `createNoopMeter()`; no instruments are created with it. */
  noop: MeterLike;
  /** The attribute that holds the name of the observed object. */
  nameAttribute: string;
  /** Metrics read from the `stats()` of observed objects. Default: none. */
  stats?: readonly StatsMetric<Stats>[];
  /** Histograms of the package. Default: none. */
  histograms?: readonly HistogramMetric[];
}

/** The metrics of all packages, also those created by another copy of core. */
const registryKey = Symbol.for('@macadam/core/package-metrics');
const registry = ((globalThis as Record<symbol, unknown>)[registryKey] ??= new Set()) as Set<{ connect(): void }>;

/**
 * Connects the metrics of all packages to the registered meter provider. Call it when an SDK is registered after objects of Macadam were
 * created; `startTelemetry()` of `@macadam/telemetry` does so.
 */
export function connectMetrics(): void {
  for (const metrics of registry) metrics.connect();
}

/**
 * The metrics of a package, read from the `stats()` of its objects when a collector asks. Observed objects are held weakly. Counters
 * keep what an object had counted at the last collection of its life.
 *
 * @example
 * ```ts
 * import { PackageMetrics } from '@macadam/core';
 * import { createNoopMeter, metrics } from '@opentelemetry/api';
 *
 * const counted = new PackageMetrics<{ hits: number }>({
 *   scope: '@macadam/example',
 *   provider: () => metrics.getMeterProvider(),
 *   noop: createNoopMeter(),
 *   nameAttribute: 'example.name',
 *   stats: [{ name: 'example.hits', kind: 'counter', unit: '{hit}', description: 'Hits', reads: 'hits' }],
 * });
 * counted.observe({ name: 'a', stats: () => ({ hits: 1 }) });
 * ```
 */
export class PackageMetrics<Stats = Readonly<Record<string, number>>> {
  /** The descriptions of the metrics, for the telemetry catalogue. */
  readonly descriptions: readonly MetricDescription[];
  readonly #options: PackageMetricsOptions<Stats>;
  readonly #owners = new Set<WeakRef<object>>();
  /** A WeakMap, since a reader usually refers to its owner: held strongly, it would keep the owner alive. */
  readonly #readers = new WeakMap<object, () => Iterable<Counting<Stats>>>();
  readonly #collected = new FinalizationRegistry<WeakRef<object>>((ref) => this.#forget(ref));
  readonly #retired: RetiredCounts<Stats>;
  readonly #names = new Set<string>();
  readonly #histograms = new Map<string, HistogramLike>();
  #provider: MeterProviderLike | undefined;

  constructor(options: PackageMetricsOptions<Stats>) {
    this.#options = options;
    const { stats = [], histograms = [], nameAttribute } = options;
    this.descriptions = [
      ...stats.map((metric) => describeStatsMetric(metric, nameAttribute)),
      ...histograms.map(({ boundaries: _, ...description }) => description),
    ];
    this.#retired = new RetiredCounts(stats, nameAttribute);
    registry.add(this);
  }

  /** Reads `counting` at each collection, until it is garbage-collected. */
  observe(counting: Counting<Stats>): void {
    this.observeAll(counting, () => [counting]);
  }

  /** Reads what `reader` returns at each collection, until `owner` is garbage-collected. */
  observeAll(owner: object, reader: () => Iterable<Counting<Stats>>): void {
    const ref = new WeakRef(owner);
    this.#owners.add(ref);
    this.#readers.set(owner, reader);
    this.#collected.register(owner, ref);
    this.connect();
  }

  /**
   * Returns the histogram of this name of the registered SDK; undefined without one. The SDK gets values in batches, the last ones when a
   * collector asks.
   */
  histogram(name: string): HistogramLike | undefined {
    this.connect();
    return this.#histograms.get(name);
  }

  /** Returns `name` as an attribute value, or `_other` after 1 000 other names. */
  boundedName(name: string): string {
    if (this.#names.has(name)) return name;
    if (this.#names.size >= MAX_NAMES) return '_other';
    this.#names.add(name);
    return name;
  }

  /** Creates the instruments of the registered provider, if that has changed. */
  connect(): void {
    const provider = this.#options.provider();
    if (provider === this.#provider) return;
    this.#provider = provider;
    const { scope, nameAttribute, stats = [], histograms = [] } = this.#options;
    const meter = provider.getMeter(scope);
    try {
      this.#flush();
    } catch {
      // An SDK that is no longer registered has failed. The new one must be connected all the same.
    }
    this.#histograms.clear();
    if (meter === this.#options.noop) return;
    for (const { name, unit, description, boundaries } of histograms) {
      const advice = { explicitBucketBoundaries: [...boundaries] };
      const histogram = meter.createHistogram(name, { unit, description, advice });
      // Without an observable metric, nothing tells when a collector asks.
      this.#histograms.set(name, stats.length === 0 ? histogram : new BatchedHistogram(histogram));
    }
    if (stats.length === 0) return;
    const observables = stats.map((metric) => {
      const { name, kind, unit, description } = metric;
      const make = kind === 'gauge' ? meter.createObservableGauge : meter.createObservableCounter;
      return [metric, make.call(meter, name, { unit, description }) as never] as const;
    });
    meter.addBatchObservableCallback(
      (result) => {
        const objects = this.#readStats();
        for (const [metric, observable] of observables) {
          const readings = readStatsMetric(metric, nameAttribute, objects, new Map(this.#retired.of(metric)));
          for (const { value, attributes } of readings.values()) result.observe(observable, value, attributes);
        }
        this.#flush();
      },
      observables.map(([, observable]) => observable),
    );
  }

  #flush(): void {
    for (const histogram of this.#histograms.values()) if (histogram instanceof BatchedHistogram) histogram.flush();
  }

  /** The statistics of all observed objects that are still alive. */
  #readStats(): NamedStats<Stats>[] {
    const all: NamedStats<Stats>[] = [];
    for (const ref of this.#owners) {
      const owner = ref.deref();
      if (owner === undefined) {
        this.#forget(ref);
        continue;
      }
      const objects = this.#readObjects(owner);
      this.#retired.update(ref, objects);
      for (const object of objects.values()) all.push(object);
    }
    return all;
  }

  /** The statistics of the objects of one owner, by kind and name, with a number if several have both. */
  #readObjects(owner: object): Map<string, NamedStats<Stats>> {
    const objects = new Map<string, NamedStats<Stats>>();
    const repeated = new Map<string, number>();
    for (const object of this.#readers.get(owner)?.() ?? []) {
      const label = `${object.kind} ${object.name}`;
      const number = objects.has(label) ? (repeated.get(label) ?? 1) + 1 : 1;
      if (number > 1) repeated.set(label, number);
      const id = number === 1 ? label : `${number} ${label}`;
      objects.set(id, { kind: object.kind, name: this.boundedName(object.name), stats: object.stats() });
    }
    return objects;
  }

  #forget(ref: WeakRef<object>): void {
    this.#owners.delete(ref);
    this.#retired.retire(ref);
  }
}
