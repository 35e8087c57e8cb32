import { assertKnownOptions, assertNumber, assertObject, assertText, OptionsError } from '@macadam/core';

/** Ratio of requests that are not errors, from a duration histogram such as `http.server.request.duration`. */
export interface AvailabilitySli {
  /** Name of an OpenTelemetry histogram in seconds. Default: `http.server.request.duration`. */
  metric?: string;
  /** Attributes of the requests that count, by exact value. Default: all requests count. */
  where?: Readonly<Record<string, string>>;
  /** Attributes of bad requests, as regular expressions. Default: `{ 'http.response.status_code': '5..' }`. */
  bad?: Readonly<Record<string, string>>;
}

/** Ratio of requests that are faster than a threshold. */
export interface LatencySli {
  /** Name of an OpenTelemetry histogram in seconds. Default: `http.server.request.duration`. */
  metric?: string;
  /** Attributes of the requests that count, by exact value. Default: all requests count. */
  where?: Readonly<Record<string, string>>;
  /**
   * The threshold, in milliseconds. Must be one of the boundaries of the histogram, since values between them are not
   * known.
   */
  thresholdMs: number;
  /** Boundaries of the histogram, in seconds. Default: those of the HTTP conventions, 0.005 to 10. */
  boundaries?: readonly number[];
}

/** Two PromQL expressions of your own, with `{{window}}` for the range. */
export interface RatioSli {
  /** Rate of bad events. */
  bad: string;
  /** Rate of all events. */
  total: string;
}

/** What is measured: exactly one of these. */
export interface Sli {
  /** Requests that are not errors. */
  availability?: AvailabilitySli;
  /** Requests that are fast enough. */
  latency?: LatencySli;
  /** Events counted by PromQL of your own. */
  ratio?: RatioSli;
}

/** The PromQL expressions of an indicator. */
export interface SliQueries {
  /** Bad events per second over a range such as `5m`. */
  badRate(window: string): string;
  /** All events per second over a range. */
  totalRate(window: string): string;
  /** Cumulative counts of bad and of all events; undefined if the indicator consists of rates. */
  badCounter: string | undefined;
  totalCounter: string | undefined;
  /** The indicator in words. */
  description: string;
}

const HTTP_DURATION = 'http.server.request.duration';
/** The bucket boundaries that OpenTelemetry's semantic conventions advise for HTTP durations, in seconds. */
const HTTP_BOUNDARIES = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** Validates an indicator and returns its queries. */
export function sliQueries(path: string, sli: Sli): SliQueries {
  assertObject(path, sli);
  assertKnownOptions(path, sli, ['availability', 'latency', 'ratio']);
  const { availability, latency, ratio } = sli;
  if ([availability, latency, ratio].filter((one) => one !== undefined).length !== 1) {
    throw new OptionsError(path, sli, 'exactly one of availability, latency and ratio');
  }
  if (availability !== undefined) return availabilityQueries(`${path}.availability`, availability);
  if (latency !== undefined) return latencyQueries(`${path}.latency`, latency);
  return ratioQueries(`${path}.ratio`, ratio!);
}

function availabilityQueries(path: string, sli: AvailabilitySli): SliQueries {
  assertObject(path, sli);
  assertKnownOptions(path, sli, ['metric', 'where', 'bad']);
  const { metric = HTTP_DURATION, where = {}, bad = { 'http.response.status_code': '5..' } } = sli;
  const count = `${prometheusName(`${path}.metric`, metric)}_count`;
  const totalCount = count + selector(path, where);
  const badCount = count + selector(path, where, bad);
  return {
    // Before the first error there is no series of errors. Without `or`, the ratio would be missing and not 0.
    badRate: (window) => `(sum(rate(${badCount}[${window}])) or 0 * sum(rate(${totalCount}[${window}])))`,
    totalRate: (window) => `sum(rate(${totalCount}[${window}]))`,
    badCounter: `sum(${badCount})`,
    totalCounter: `sum(${totalCount})`,
    description: `${metric} without ${Object.entries(bad)
      .map((pair) => pair.join(' = '))
      .join(', ')}`,
  };
}

function latencyQueries(path: string, sli: LatencySli): SliQueries {
  assertObject(path, sli);
  assertKnownOptions(path, sli, ['metric', 'where', 'thresholdMs', 'boundaries']);
  const { metric = HTTP_DURATION, where = {}, thresholdMs, boundaries = HTTP_BOUNDARIES } = sli;
  assertNumber(`${path}.thresholdMs`, thresholdMs, { above: 0 });
  const threshold = thresholdMs / 1_000;
  if (!boundaries.includes(threshold)) {
    const allowed = boundaries.map((boundary) => boundary * 1_000).join(', ');
    throw new OptionsError(`${path}.thresholdMs`, thresholdMs, `a boundary of the histogram: ${allowed}`);
  }
  const name = prometheusName(`${path}.metric`, metric);
  // Prometheus writes a boundary that is a whole number as `1` or, from version 3 on, as `1.0`.
  const le = Number.isInteger(threshold) ? `${threshold}(\\\\.0)?` : String(threshold).replace('.', '\\\\.');
  const totalCount = `${name}_count${selector(path, where)}`;
  const fastCount = `${name}_bucket${selector(path, where, { le })}`;
  return {
    badRate: (window) => `(sum(rate(${totalCount}[${window}])) - sum(rate(${fastCount}[${window}])))`,
    totalRate: (window) => `sum(rate(${totalCount}[${window}]))`,
    badCounter: `(sum(${totalCount}) - sum(${fastCount}))`,
    totalCounter: `sum(${totalCount})`,
    description: `${metric} within ${thresholdMs} ms`,
  };
}

function ratioQueries(path: string, sli: RatioSli): SliQueries {
  assertObject(path, sli);
  assertKnownOptions(path, sli, ['bad', 'total']);
  for (const name of ['bad', 'total'] as const) {
    assertText(`${path}.${name}`, sli[name]);
    if (!sli[name].includes('{{window}}')) {
      throw new OptionsError(`${path}.${name}`, sli[name], 'a PromQL rate with {{window}} as its range');
    }
  }
  return {
    badRate: (window) => `(${sli.bad.replaceAll('{{window}}', window)})`,
    totalRate: (window) => `(${sli.total.replaceAll('{{window}}', window)})`,
    badCounter: undefined,
    totalCounter: undefined,
    description: 'a ratio of two queries',
  };
}

/** Returns the name in Prometheus of an OpenTelemetry histogram in seconds. */
function prometheusName(path: string, metric: unknown): string {
  assertText(path, metric);
  if (!/^[a-z][\w.]*$/i.test(metric)) throw new OptionsError(path, metric, 'the name of a metric');
  return `${metric.replaceAll('.', '_')}_seconds`;
}

function selector(path: string, exact: object, patterns: object = {}): string {
  const labels = [
    ...Object.entries(exact).map(([name, value]) => [name, '=', quoted(value)]),
    // Only quotes are escaped in a pattern: its author has doubled the backslashes, as PromQL requires.
    ...Object.entries(patterns).map(([name, value]) => [name, '=~', `"${String(value).replaceAll('"', '\\"')}"`]),
  ].map(([name = '', operator, value]) => {
    if (!/^[a-z_][\w.]*$/i.test(name)) throw new OptionsError(path, name, 'the name of an attribute');
    return `${name.replaceAll('.', '_')}${operator}${value}`;
  });
  return labels.length === 0 ? '' : `{${labels.join(',')}}`;
}

function quoted(value: unknown): string {
  return JSON.stringify(String(value));
}
