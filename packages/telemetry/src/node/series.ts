import type { Attributes, AttributeValue, HrTime } from '@opentelemetry/api';
import type { HistogramValue } from './metrics-sdk.ts';

/** What an SDK counts together once there are too many series. Source: the specification of OpenTelemetry's metrics SDK. */
const OVERFLOW: Attributes = { 'otel.metric.overflow': true };

/** The distribution of the values that were recorded with the same attributes. */
export class Series {
  readonly attributes: Attributes;
  readonly startTime: HrTime;
  readonly #boundaries: readonly number[];
  readonly #counts: number[];
  #count = 0;
  #sum = 0;
  #min = Infinity;
  #max = -Infinity;

  constructor(attributes: Attributes, startTime: HrTime, boundaries: readonly number[]) {
    this.attributes = attributes;
    this.startTime = startTime;
    this.#boundaries = boundaries;
    this.#counts = Array.from({ length: boundaries.length + 1 }, () => 0);
  }

  record(value: number): void {
    this.#count++;
    this.#sum += value;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
    const counts = this.#counts;
    const bucket = this.#bucketOf(value);
    counts[bucket] = (counts[bucket] as number) + 1;
  }

  /** A copy: recording goes on while it is being sent. */
  get value(): HistogramValue {
    return {
      min: this.#min,
      max: this.#max,
      sum: this.#sum,
      count: this.#count,
      buckets: { boundaries: [...this.#boundaries], counts: [...this.#counts] },
    };
  }

  /** A bucket holds its upper end. */
  #bucketOf(value: number): number {
    const boundaries = this.#boundaries;
    let low = 0;
    let high = boundaries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (value <= (boundaries[middle] as number)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** What is known after some attributes, in the order in which they were given. */
class Step {
  series: Series | undefined = undefined;
  /** The attribute that came next when this was made, which is the one that nearly always does. */
  readonly #name: string | undefined;
  readonly #byValue = new Map<AttributeValue | undefined, Step>();
  #others: Map<string, Step> | undefined = undefined;

  constructor(name: string | undefined) {
    this.#name = name;
  }

  next(name: string, value: AttributeValue | undefined): Step | undefined {
    return name === this.#name ? this.#byValue.get(value) : this.#others?.get(name)?.next(name, value);
  }

  extend(name: string, value: AttributeValue | undefined, following: string | undefined): Step {
    if (name !== this.#name) {
      this.#others ??= new Map();
      const other = this.#others.get(name) ?? new Step(name);
      this.#others.set(name, other);
      return other.extend(name, value, following);
    }
    const step = this.#byValue.get(value) ?? new Step(following);
    this.#byValue.set(value, step);
    return step;
  }
}

/**
 * The series of one histogram. One that was met before is found by going from attribute to attribute, without putting them
 * in order and into a text first, which is most of what recording costs in the SDK.
 */
export class SeriesSet {
  readonly #maxSeries: number;
  readonly #create: (attributes: Attributes) => Series;
  readonly #byText = new Map<string, Series>();
  #first: Step | undefined = undefined;
  #steps = 0;
  #overflow: Series | undefined = undefined;

  /** @param maxSeries - all in all, the one for what is too much included */
  constructor(maxSeries: number, create: (attributes: Attributes) => Series) {
    this.#maxSeries = maxSeries;
    this.#create = create;
  }

  *[Symbol.iterator](): Iterator<Series> {
    yield* this.#byText.values();
    if (this.#overflow !== undefined) yield this.#overflow;
  }

  of(attributes: Attributes): Series {
    const names = Object.keys(attributes);
    let step = this.#first;
    for (let i = 0; i < names.length && step !== undefined; i++) {
      const name = names[i] as string;
      step = step.next(name, attributes[name]);
    }
    return step?.series ?? this.#unmet(names, attributes);
  }

  /** Attributes that were given in this order for the first time, or are too many, or of a kind that can change. */
  #unmet(names: readonly string[], attributes: Attributes): Series {
    const text = textOf(names, attributes);
    let series = this.#byText.get(text);
    if (series === undefined) {
      if (this.#byText.size >= this.#maxSeries - 1) return (this.#overflow ??= this.#create(OVERFLOW));
      series = this.#create(copyOf(attributes));
      this.#byText.set(text, series);
    }
    // A series is given in one order, or few.
    if (this.#steps < 2 * this.#maxSeries && names.every((name) => isFixed(attributes[name]))) {
      this.#steps++;
      this.#learn(names, attributes).series = series;
    }
    return series;
  }

  #learn(names: readonly string[], attributes: Attributes): Step {
    let step = (this.#first ??= new Step(names[0]));
    names.forEach((name, i) => (step = step.extend(name, attributes[name], names[i + 1])));
    return step;
  }
}

/** The same for the same attributes in any order. */
function textOf(names: readonly string[], attributes: Attributes): string {
  return JSON.stringify([...names].sort().map((name) => [name, attributes[name]]));
}

function isFixed(value: AttributeValue | undefined): boolean {
  return typeof value !== 'object';
}

/** The caller may change his own while this is kept. */
function copyOf(attributes: Attributes): Attributes {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [name, Array.isArray(value) ? [...value] : value] as const),
  );
}
