import { assertInteger, assertKnownOptions, assertNumber, assertObject, assertText, OptionsError } from '@macadam/core';
import { type BurnRateAlert, burnRateAlerts } from './burn-rates.ts';
import { grafanaDashboard } from './grafana.ts';
import { openSlo } from './openslo.ts';
import { prometheusRules, rangeOf, type SloModel } from './prometheus-rules.ts';
import { type Sli, sliQueries } from './sli.ts';

/** Options of `defineSlo`. */
export interface SloOptions {
  /** Lower case letters, digits and dashes, such as `orders-availability`. The label `slo` of every rule. */
  name: string;
  /** Name of the service. Default: the name up to its last dash. */
  service?: string;
  /** Description for people, in the OpenSLO document. Default: made from the objective. */
  description?: string;
  /** Ratio of good events, above 0 and below 1, such as 0.999. */
  objective: number;
  /** Window of the objective, in whole days, 7 to 90. Default: 30. */
  windowDays?: number;
  /** What is measured. */
  sli: Sli;
  /** URL of the page that says what to do; every alert links to it. */
  runbookUrl: string;
  /**
   * Minimum number of bad events in the long window of an alert, so that one lost request at night wakes nobody. 0
   * turns it off. Default: 5.
   */
  minBadEvents?: number;
}

/** A service level objective. Created by `defineSlo`. */
export interface Slo {
  /** The name from the options. */
  readonly name: string;
  /** Ratio of good events, from the options. */
  readonly objective: number;
  /** The window of the objective, in days. */
  readonly windowDays: number;
  /** The burn-rate alerts, as data. */
  readonly alerts: readonly BurnRateAlert[];
  /** Returns a rule file for Prometheus, as YAML. */
  toPrometheusRules(): string;
  /** Returns an OpenSLO v1 document, as YAML. */
  toOpenSlo(): string;
  /** Returns a Grafana dashboard, to be passed to `JSON.stringify`. */
  toGrafanaDashboard(): Record<string, unknown>;
  /** Returns the objective and its alerts in words. */
  describe(): string;
}

const OPTION_NAMES: readonly (keyof SloOptions)[] = [
  ...(['name', 'service', 'description', 'objective', 'windowDays', 'sli', 'runbookUrl', 'minBadEvents'] as const),
];
const DEFAULT_WINDOW_DAYS = 30;
const DEFAULT_MIN_BAD_EVENTS = 5;

/**
 * Defines a service level objective once, and derives from it the Prometheus recording rules, the multi-window
 * multi-burn-rate alerts of Google's SRE Workbook (chapter 5), the OpenSLO document and a Grafana dashboard.
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
      const each = alerts.map(
        (alert) => `${alert.severity} at ${alert.burnRate} times over ${rangeOf(alert.longMinutes)}`,
      );
      return `${model.description} over ${windowDays} days; alerts: ${each.join(', ')}`;
    },
  };
}
