import type { Attributes, AttributeValue, HrTime } from '@opentelemetry/api';
import type { HistogramValue } from './metrics-sdk.ts';

/** The attributes of the series for all values beyond the limit of series. Source: the specification of OpenTelemetry's metrics SDK. */
const OVERFLOW: Attributes = { 'otel.metric.overflow': true };

/** The distribution of the values recorded with the same attributes. */
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

  /** A copy, because recording continues while it is exported. */
  get value(): HistogramValue {
    return {
      min: this.#min,
      max: this.#max,
      sum: this.#sum,
      count: this.#count,
      buckets: { boundaries: [...this.#boundaries], counts: [...this.#counts] },
    };
  }

  /** A boundary belongs to the bucket below it. */
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

/** A node of a tree of attributes in the order in which they were given: each level is one attribute, a path is a series. */
class AttributeNode {
  series: Series | undefined = undefined;
  /** The next attribute when this node was created. Callers nearly always give the same attributes in the same order. */
  readonly #name: string | undefined;
  readonly #byValue = new Map<AttributeValue | undefined, AttributeNode>();
  /** Nodes for the case that another attribute comes next. */
  #byOtherName: Map<string, AttributeNode> | undefined = undefined;

  constructor(name: string | undefined) {
    this.#name = name;
  }

  next(name: string, value: AttributeValue | undefined): AttributeNode | undefined {
    return name === this.#name ? this.#byValue.get(value) : this.#byOtherName?.get(name)?.next(name, value);
  }

  extend(name: string, value: AttributeValue | undefined, following: string | undefined): AttributeNode {
    if (name !== this.#name) {
      this.#byOtherName ??= new Map();
      const other = this.#byOtherName.get(name) ?? new AttributeNode(name);
      this.#byOtherName.set(name, other);
      return other.extend(name, value, following);
    }
    const node = this.#byValue.get(value) ?? new AttributeNode(following);
    this.#byValue.set(value, node);
    return node;
  }
}

/**
 * The series of one histogram, found by their attributes. A known series is found by walking the tree of attributes, without
 * sorting and serializing them, which is most of the cost of a recording in the SDK.
 */
export class SeriesSet {
  readonly #maxSeries: number;
  readonly #create: (attributes: Attributes) => Series;
  readonly #byKey = new Map<string, Series>();
  #root: AttributeNode | undefined = undefined;
  #paths = 0;
  #overflow: Series | undefined = undefined;

  /** @param maxSeries - including the one for all values beyond the limit */
  constructor(maxSeries: number, create: (attributes: Attributes) => Series) {
    this.#maxSeries = maxSeries;
    this.#create = create;
  }

  *[Symbol.iterator](): Iterator<Series> {
    yield* this.#byKey.values();
    if (this.#overflow !== undefined) yield this.#overflow;
  }

  find(attributes: Attributes): Series {
    const names = Object.keys(attributes);
    let node = this.#root;
    for (let i = 0; i < names.length && node !== undefined; i++) {
      const name = names[i] as string;
      node = node.next(name, attributes[name]);
    }
    return node?.series ?? this.#findByKey(names, attributes);
  }

  /** For attributes in an order not seen before, with values that can change, or beyond the limit. Creates a missing series. */
  #findByKey(names: readonly string[], attributes: Attributes): Series {
    const key = keyOf(names, attributes);
    let series = this.#byKey.get(key);
    if (series === undefined) {
      if (this.#byKey.size >= this.#maxSeries - 1) return (this.#overflow ??= this.#create(OVERFLOW));
      series = this.#create(copyOf(attributes));
      this.#byKey.set(key, series);
    }
    // Callers use few orders per series. The limit bounds the memory if one does not.
    if (this.#paths < 2 * this.#maxSeries && names.every((name) => isImmutable(attributes[name]))) {
      this.#paths++;
      this.#addPath(names, attributes).series = series;
    }
    return series;
  }

  #addPath(names: readonly string[], attributes: Attributes): AttributeNode {
    let node = (this.#root ??= new AttributeNode(names[0]));
    names.forEach((name, i) => (node = node.extend(name, attributes[name], names[i + 1])));
    return node;
  }
}

/** The same text for the same attributes in any order. */
function keyOf(names: readonly string[], attributes: Attributes): string {
  return JSON.stringify([...names].sort().map((name) => [name, attributes[name]]));
}

function isImmutable(value: AttributeValue | undefined): boolean {
  return typeof value !== 'object';
}

/** A series outlives the call: the caller can change its own object and its lists. */
function copyOf(attributes: Attributes): Attributes {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [name, Array.isArray(value) ? [...value] : value] as const),
  );
}
