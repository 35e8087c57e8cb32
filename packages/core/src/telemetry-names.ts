/**
 * The telemetry of a package described as data, from which the catalogue of the documentation is generated.
 *
 * Every `instruments.ts` exports one `TELEMETRY` of type {@link TelemetryDescription}.
 */

/** The type of an attribute. */
export type AttributeType = 'string' | 'int' | 'double' | 'boolean';

/** Describes an attribute of a span, a metric or a log line. */
export interface AttributeDescription {
  /** The type of its values. */
  readonly type: AttributeType;
  /** What it means. */
  readonly description: string;
}

/**
 * What bounds the number of values of an attribute of a metric: the list of values, or an explanation. A metric has no attribute
 * without a bound.
 */
export type AttributeBound = readonly string[] | string;

/** Describes a metric. */
export interface MetricDescription {
  /** The name of the metric. */
  readonly name: string;
  /** The kind of the metric. */
  readonly kind: 'counter' | 'upDownCounter' | 'gauge' | 'histogram';
  /** The unit in UCUM, as in OpenTelemetry: `s`, `By`, `{call}`. */
  readonly unit: string;
  /** What it measures. */
  readonly description: string;
  /** Its attributes by name, with their bounds. */
  readonly attributes: Readonly<Record<string, AttributeBound>>;
}

/** Describes a span. */
export interface SpanDescription {
  /** The name of the span, with variable parts in braces: `{method} {template}`. */
  readonly name: string;
  /** The kind of the span. */
  readonly kind: 'INTERNAL' | 'CLIENT' | 'SERVER' | 'PRODUCER' | 'CONSUMER';
  /** What it covers. */
  readonly description: string;
  /** The names of its attributes. */
  readonly attributes: readonly string[];
}

/** Describes a log line that a package writes. */
export interface LogEventDescription {
  /** The value of its `event`, or its message if that is fixed. */
  readonly name: string;
  /** The level of the line. */
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';
  /** When it is written. */
  readonly description: string;
  /** The names of its attributes. */
  readonly attributes: readonly string[];
}

/** Describes all telemetry of a package. */
export interface TelemetryDescription {
  /** The name of its meter and tracer: that of the package. */
  readonly scope: string;
  /** Its metrics. Default: none. */
  readonly metrics?: readonly MetricDescription[];
  /** Its spans. Default: none. */
  readonly spans?: readonly SpanDescription[];
  /** The log lines it writes. Default: none. */
  readonly events?: readonly LogEventDescription[];
  /** The fields it adds to the canonical log line through `currentWork().annotate()`. Default: none. */
  readonly annotations?: readonly string[];
  /** All attributes and annotations named above. */
  readonly attributes: Readonly<Record<string, AttributeDescription>>;
}
