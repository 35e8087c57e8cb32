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
import type { Resource } from './resource.ts';
import { Series, SeriesSet } from './series.ts';

/** Of a histogram that says nothing of its buckets. Source: the specification of OpenTelemetry's metrics SDK. */
const DEFAULT_BOUNDARIES = [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000];

/** How histograms are counted. */
export interface HistogramSettings {
  readonly resource: Resource;
  /** Most series of one histogram. */
  readonly maxSeries: number;
  readonly temporality: AggregationTemporality;
  /** In milliseconds since the epoch. */
  readonly now: () => number;
}

type Scope = ScopeMetrics['scope'];

/**
 * Histograms with explicit buckets, counted here and handed to the SDK's reader, which sends them with everything else. What
 * they are and how they are sent is the SDK's to say; it takes most of its time to find out where a value belongs.
 */
export class Histograms implements MetricProducer {
  readonly #settings: HistogramSettings;
  readonly #scopes = new Map<string, { readonly scope: Scope; readonly histograms: Map<string, CountedHistogram> }>();
  #collectedAt: HrTime | undefined = undefined;

  constructor(settings: HistogramSettings) {
    this.#settings = settings;
  }

  /** The one of this name and unit: a second of the same counts with the first, and the longer description is sent, as in the SDK. */
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
    const endTime = hrTime(now());
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
    this.#series = this.#none();
  }

  describe(description: string): void {
    if (description.length > this.#descriptor.description.length)
      this.#descriptor = { ...this.#descriptor, description };
  }

  record(value: number, attributes: Attributes = {}): void {
    if (typeof value === 'number' && value >= 0) this.#series.of(attributes).record(value);
    else diag.warn(`The histogram ${this.#descriptor.name} takes numbers from 0, not ${value}`);
  }

  collect(collectedAt: HrTime | undefined, endTime: HrTime): HistogramMetricData {
    const { temporality } = this.#settings;
    const isDelta = temporality === AggregationTemporality.DELTA;
    const dataPoints = Array.from(this.#series, ({ attributes, startTime, value }) => {
      return { attributes, startTime: (isDelta ? collectedAt : undefined) ?? startTime, endTime, value };
    });
    if (isDelta) this.#series = this.#none();
    return {
      descriptor: this.#descriptor,
      aggregationTemporality: temporality,
      dataPointType: DataPointType.HISTOGRAM,
      dataPoints,
    };
  }

  #none(): SeriesSet {
    const { maxSeries, now } = this.#settings;
    return new SeriesSet(maxSeries, (attributes) => new Series(attributes, hrTime(now()), this.#boundaries));
  }
}

/** The SDK's provider of meters, except that {@link Histograms} count what they can. */
export class CountingMeterProvider extends MeterProvider {
  readonly #histograms: Histograms;
  readonly #known = new WeakSet<Meter>();

  constructor(options: MeterProviderOptions, histograms: Histograms) {
    super(options);
    this.#histograms = histograms;
  }

  override getMeter(name: string, version = '', options: MeterOptions = {}): Meter {
    const meter = super.getMeter(name, version, options);
    // After the shutdown there is only the one that does nothing, which everybody shares.
    if (meter === createNoopMeter() || this.#known.has(meter)) return meter;
    this.#known.add(meter);
    // What is no name is an empty one to the SDK, too.
    this.#countHistograms(meter, { name: typeof name === 'string' ? name : '', version, ...options });
    return meter;
  }

  #countHistograms(meter: Meter, scope: Scope): void {
    const createHistogram = meter.createHistogram.bind(meter);
    meter.createHistogram = (name, options = {}) => {
      // It says what is wrong with the name, or with another one of the same name. While it is empty it is not sent.
      const histogram = createHistogram(name, options);
      const isUsual = options.valueType !== ValueType.INT && areBoundaries(options.advice?.explicitBucketBoundaries);
      return isUsual ? this.#histograms.histogram(scope, name, options) : histogram;
    };
  }
}

function areBoundaries(boundaries: unknown): boolean {
  if (boundaries === undefined) return true;
  return (
    Array.isArray(boundaries) &&
    boundaries.every((one, i) => Number.isFinite(one) && (i === 0 || boundaries[i - 1] < one))
  );
}

function hrTime(epochMs: number): HrTime {
  const seconds = Math.floor(epochMs / 1_000);
  return [seconds, Math.round((epochMs - seconds * 1_000) * 1_000_000)];
}
