import {
  type Attributes,
  createNoopMeter,
  diag,
  type Histogram,
  type HrTime,
  type Meter,
  type MeterOptions,
  type MetricOptions,
  ValueType,
} from '@opentelemetry/api';
import {
  AggregationTemporality,
  type CollectionResult,
  DataPointType,
  type HistogramMetricData,
  MeterProvider,
  type MeterProviderOptions,
  type MetricProducer,
  type ScopeMetrics,
} from './metrics-sdk.ts';
import { hrTimeOf } from './hr-time.ts';
import type { Resource } from './resource.ts';
import { Series, SeriesSet } from './series.ts';

/** The buckets of a histogram without advice. Source: the specification of OpenTelemetry's metrics SDK. */
const DEFAULT_BOUNDARIES = [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000];

export interface HistogramSettings {
  readonly resource: Resource;
  /** Maximum number of series of one histogram. */
  readonly maxSeries: number;
  readonly temporality: AggregationTemporality;
  /** In milliseconds since the epoch. */
  readonly now: () => number;
}

type Scope = ScopeMetrics['scope'];

/**
 * Counts histograms with explicit buckets and passes them to the SDK's metric reader, which exports them with all other
 * metrics. The SDK spends most of the time of a recording on finding the series by its attributes; `SeriesSet` finds it faster.
 */
export class Histograms implements MetricProducer {
  readonly #settings: HistogramSettings;
  readonly #scopes = new Map<string, { readonly scope: Scope; readonly histograms: Map<string, CountedHistogram> }>();
  #collectedAt: HrTime | undefined = undefined;

  constructor(settings: HistogramSettings) {
    this.#settings = settings;
  }

  /** Returns the histogram with this name and unit. As in the SDK, all descriptions of it are one: the longest is exported. */
  histogram(scope: Scope, name: string, options: MetricOptions): Histogram {
    const id = JSON.stringify([scope.name, scope.version, scope.schemaUrl]);
    const { histograms } = this.#scopes.get(id) ?? { histograms: new Map<string, CountedHistogram>() };
    this.#scopes.set(id, { scope, histograms });
    const key = JSON.stringify([name, options.unit ?? '']);
    const histogram = histograms.get(key) ?? new CountedHistogram(name, options, this.#settings);
    histogram.describe(options.description ?? '');
    histograms.set(key, histogram);
    return histogram;
  }

  async collect(): Promise<CollectionResult> {
    const { resource, now } = this.#settings;
    const endTime = hrTimeOf(now());
    const scopeMetrics = Array.from(this.#scopes.values(), ({ scope, histograms }) => ({
      scope,
      metrics: Array.from(histograms.values(), (one) => one.collect(this.#collectedAt, endTime)).filter(
        ({ dataPoints }) => dataPoints.length > 0,
      ),
    }));
    this.#collectedAt = endTime;
    return {
      resourceMetrics: { resource, scopeMetrics: scopeMetrics.filter(({ metrics }) => metrics.length > 0) },
      errors: [],
    };
  }
}

class CountedHistogram implements Histogram {
  #descriptor: HistogramMetricData['descriptor'];
  readonly #boundaries: readonly number[];
  readonly #settings: HistogramSettings;
  #series: SeriesSet;

  constructor(name: string, { unit = '', advice }: MetricOptions, settings: HistogramSettings) {
    this.#descriptor = { name, description: '', unit, valueType: ValueType.DOUBLE };
    this.#boundaries = [...(advice?.explicitBucketBoundaries ?? DEFAULT_BOUNDARIES)];
    this.#settings = settings;
    this.#series = this.#emptySeries();
  }

  describe(description: string): void {
    if (description.length > this.#descriptor.description.length)
      this.#descriptor = { ...this.#descriptor, description };
  }

  record(value: number, attributes: Attributes = {}): void {
    if (typeof value === 'number' && value >= 0) this.#series.find(attributes).record(value);
    else diag.warn(`The histogram ${this.#descriptor.name} does not record ${value}: values are numbers from 0.`);
  }

  collect(collectedAt: HrTime | undefined, endTime: HrTime): HistogramMetricData {
    const { temporality } = this.#settings;
    const isDelta = temporality === AggregationTemporality.DELTA;
    const dataPoints = Array.from(this.#series, ({ attributes, startTime, value }) => {
      return { attributes, startTime: (isDelta ? collectedAt : undefined) ?? startTime, endTime, value };
    });
    if (isDelta) this.#series = this.#emptySeries();
    return {
      descriptor: this.#descriptor,
      aggregationTemporality: temporality,
      dataPointType: DataPointType.HISTOGRAM,
      dataPoints,
    };
  }

  #emptySeries(): SeriesSet {
    const { maxSeries, now } = this.#settings;
    return new SeriesSet(maxSeries, (attributes) => new Series(attributes, hrTimeOf(now()), this.#boundaries));
  }
}

/** The SDK's meter provider, except that {@link Histograms} counts the histograms with explicit buckets. */
export class CountingMeterProvider extends MeterProvider {
  readonly #histograms: Histograms;
  readonly #wrapped = new WeakSet<Meter>();

  constructor(options: MeterProviderOptions, histograms: Histograms) {
    super(options);
    this.#histograms = histograms;
  }

  override getMeter(name: string, version = '', options: MeterOptions = {}): Meter {
    const meter = super.getMeter(name, version, options);
    // After the shutdown the SDK returns the no-op meter, which is shared by the whole process.
    if (meter === createNoopMeter() || this.#wrapped.has(meter)) return meter;
    this.#wrapped.add(meter);
    // The SDK, too, replaces an invalid name by an empty one.
    this.#wrap(meter, { name: typeof name === 'string' ? name : '', version, ...options });
    return meter;
  }

  #wrap(meter: Meter, scope: Scope): void {
    const createHistogram = meter.createHistogram.bind(meter);
    meter.createHistogram = (name, options = {}) => {
      // The SDK validates the options and warns about conflicting instruments. Its own histogram stays empty, and is not exported.
      const histogram = createHistogram(name, options);
      const isCountedHere =
        options.valueType !== ValueType.INT && areValidBoundaries(options.advice?.explicitBucketBoundaries);
      return isCountedHere ? this.#histograms.histogram(scope, name, options) : histogram;
    };
  }
}

function areValidBoundaries(boundaries: unknown): boolean {
  if (boundaries === undefined) return true;
  return (
    Array.isArray(boundaries) &&
    boundaries.every((one, i) => Number.isFinite(one) && (i === 0 || boundaries[i - 1] < one))
  );
}
