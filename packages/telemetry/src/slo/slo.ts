import { assertInteger, assertKnownOptions, assertNumber, assertObject, assertText, OptionsError } from '@macadam/core';
import { type BurnRateAlert, burnRateAlerts } from './burn-rates.ts';
import { grafanaDashboard } from './grafana.ts';
import { openSlo } from './openslo.ts';
import { prometheusRules, rangeOf, type SloModel } from './prometheus-rules.ts';
import { type Sli, sliQueries } from './sli.ts';

export interface SloOptions {
  /** Lower case, digits and dashes, such as `orders-availability`: the label `slo` of every rule. */
  name: string;
  /** Default: the name up to its last dash. */
  service?: string;
  /** What it is about, for people: in the OpenSLO document. Default: none. */
  description?: string;
  /** The share of good events, above 0 and below 1, such as 0.999. */
  objective: number;
  /** Whole days over which the objective holds, 7 to 90. Default: 30. */
  windowDays?: number;
  /** What is measured. */
  sli: Sli;
  /** The page that says what to do; every alert links it. */
  runbookUrl: string;
  /** An alert needs this many bad events in its long window, so that one lost request at night wakes nobody. Default: 5; 0 turns it off. */
  minBadEvents?: number;
}

/** A service level objective, and what to deploy for it. */
export interface Slo {
  readonly name: string;
  readonly objective: number;
  readonly windowDays: number;
  /** The burn-rate alerts, as data. */
  readonly alerts: readonly BurnRateAlert[];
  /** A rule file for Prometheus, YAML. */
  toPrometheusRules(): string;
  /** An OpenSLO v1 document, YAML. */
  toOpenSlo(): string;
  /** A Grafana dashboard; `JSON.stringify` it. */
  toGrafanaDashboard(): Record<string, unknown>;
  describe(): string;
}

const OPTION_NAMES: readonly (keyof SloOptions)[] = [
  ...(['name', 'service', 'description', 'objective', 'windowDays', 'sli', 'runbookUrl', 'minBadEvents'] as const),
];
const DEFAULT_WINDOW_DAYS = 30;
const DEFAULT_MIN_BAD_EVENTS = 5;

/**
 * Defines a service level objective once, and derives from it the recording rules, the multi-window multi-burn-rate
 * alerts of Google's SRE Workbook (chapter 5), the OpenSLO document and a dashboard.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option, among others an objective at which no alert could fire
 * and a latency limit that is no boundary of the histogram.
 * @example
 * ```ts
 * import { defineSlo } from '@macadam/telemetry';
 *
 * const slo = defineSlo({
 *   name: 'orders-availability',
 *   objective: 0.999,
 *   sli: { availability: { where: { 'service.name': 'orders' } } },
 *   runbookUrl: 'https://runbooks.example.org/orders',
 * });
 * if (!slo.toPrometheusRules().includes('OrdersAvailabilityBudgetBurn')) throw new Error('no alert');
 * ```
 */
export function defineSlo(options: SloOptions): Slo {
  assertObject('defineSlo', options);
  assertKnownOptions('defineSlo', options, OPTION_NAMES);
  const { name, objective, windowDays = DEFAULT_WINDOW_DAYS, runbookUrl } = options;
  if (typeof name !== 'string' || !/^[a-z][a-z0-9-]{0,61}[a-z0-9]$/.test(name)) {
    throw new OptionsError(
      'defineSlo.name',
      name,
      'lower case letters, digits and dashes, such as "orders-availability"',
    );
  }
  assertNumber('defineSlo.objective', objective, { above: 0, max: 0.999_999 });
  assertInteger('defineSlo.windowDays', windowDays, { min: 7, max: 90 });
  const minBadEvents = options.minBadEvents ?? DEFAULT_MIN_BAD_EVENTS;
  assertInteger('defineSlo.minBadEvents', minBadEvents, { min: 0 });
  for (const key of ['service', 'description'] as const) {
    if (options[key] !== undefined) assertText(`defineSlo.${key}`, options[key]);
  }
  if (typeof runbookUrl !== 'string' || !URL.canParse(runbookUrl)) {
    throw new OptionsError('defineSlo.runbookUrl', runbookUrl, 'the URL of the page that says what to do');
  }
  const alerts = burnRateAlerts(objective, windowDays);
  if (alerts.length === 0) {
    throw new OptionsError('defineSlo.objective', objective, 'high enough for at least one alert to be able to fire');
  }
  const queries = sliQueries('defineSlo.sli', options.sli);
  const model: SloModel = {
    name,
    service: options.service ?? name.replace(/-[^-]*$/, ''),
    description: options.description ?? `${objective * 100} % of ${queries.description}`,
    objective,
    windowDays,
    runbookUrl,
    minBadEvents,
    queries,
    alerts,
  };
  return {
    name,
    objective,
    windowDays,
    alerts,
    toPrometheusRules: () => prometheusRules(model),
    toOpenSlo: () => openSlo(model),
    toGrafanaDashboard: () => grafanaDashboard(model),
    describe: () => {
      const each = alerts.map((one) => `${one.severity} at ${one.burnRate} times over ${rangeOf(one.longMinutes)}`);
      return `${model.description} over ${windowDays} days; alerts: ${each.join(', ')}`;
    },
  };
}
