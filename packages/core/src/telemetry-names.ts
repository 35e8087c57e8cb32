/**
 * What a package says of the telemetry it emits: data, from which the catalogue of the documentation is made.
 *
 * Every `instruments.ts` exports one `TELEMETRY` of type {@link TelemetryDescription}.
 */

/** What an attribute may hold. */
export type AttributeType = 'string' | 'int' | 'double' | 'boolean';

/** An attribute of a span, a metric or a log line. */
export interface AttributeDescription {
  readonly type: AttributeType;
  readonly description: string;
}

/**
 * Why an attribute of a metric cannot make series without end: the values there are, or what bounds them, in words.
 * A metric has no attribute without it.
 */
export type AttributeBound = readonly string[] | string;

/** A metric. */
export interface MetricDescription {
  readonly name: string;
  readonly kind: 'counter' | 'upDownCounter' | 'gauge' | 'histogram';
  /** In UCUM, as OpenTelemetry has it: `s`, `By`, `{call}`. */
  readonly unit: string;
  readonly description: string;
  /** By name. */
  readonly attributes: Readonly<Record<string, AttributeBound>>;
}

/** A span. */
export interface SpanDescription {
  /** What varies stands in braces: `{method} {template}`. */
  readonly name: string;
  readonly kind: 'INTERNAL' | 'CLIENT' | 'SERVER' | 'PRODUCER' | 'CONSUMER';
  readonly description: string;
  readonly attributes: readonly string[];
}

/** A log line that the package writes by itself. */
export interface LogEventDescription {
  /** The value of its `event`, or its message when that is fixed. */
  readonly name: string;
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';
  readonly description: string;
  readonly attributes: readonly string[];
}

/** All telemetry of a package. */
export interface TelemetryDescription {
  /** The name of its meter and tracer: the name of the package. */
  readonly scope: string;
  readonly metrics?: readonly MetricDescription[];
  readonly spans?: readonly SpanDescription[];
  readonly events?: readonly LogEventDescription[];
  /** Fields it adds to the canonical line by `currentWork().annotate()`. */
  readonly annotations?: readonly string[];
  /** Every attribute and annotation named above. */
  readonly attributes: Readonly<Record<string, AttributeDescription>>;
}
