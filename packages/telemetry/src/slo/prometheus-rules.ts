import type { BurnRateAlert } from './burn-rates.ts';
import type { SliQueries } from './sli.ts';
import { toYaml } from './yaml.ts';

/** The data from which the rules and the dashboard are generated. */
export interface SloModel {
  readonly name: string;
  readonly service: string;
  readonly description: string;
  readonly objective: number;
  readonly windowDays: number;
  readonly runbookUrl: string;
  readonly minBadEvents: number;
  readonly queries: SliQueries;
  readonly alerts: readonly BurnRateAlert[];
}

/** The prefix of the recorded ratio of bad events; the window follows. */
const ERROR_RATIO = 'slo:error:ratio_rate';
/** Bad and all events per second over five minutes. The budget is a sum of these, which is cheaper than a rate over weeks. */
export const BAD_RATE = 'slo:bad:rate5m';
export const TOTAL_RATE = 'slo:total:rate5m';
export const BUDGET_LEFT = 'slo:budget_left:ratio';
const OBJECTIVE = 'slo:objective:ratio';

/** Returns a duration of Prometheus in its largest whole unit: `5m`, `1h`, `3d`. */
export function rangeOf(minutes: number): string {
  if (minutes % 1_440 === 0) return `${minutes / 1_440}d`;
  return minutes % 60 === 0 ? `${minutes / 60}h` : `${minutes}m`;
}

/** Returns the name of the metric with the error ratio over a window. */
export function errorRatio(minutes: number): string {
  return `${ERROR_RATIO}${rangeOf(minutes)}`;
}

/** Returns a rule file for Prometheus: a recording rule for each window, and the alerts on them. */
export function prometheusRules(slo: SloModel): string {
  const labels = { slo: slo.name, service: slo.service };
  const labelSelector = `{slo=${JSON.stringify(slo.name)}}`;
  const minutes = [...new Set(slo.alerts.flatMap((alert) => [alert.shortMinutes, alert.longMinutes]))];
  const windows = [...minutes].sort((a, b) => a - b);
  const period = `${slo.windowDays}d`;
  const recordings = [
    { record: OBJECTIVE, expr: `vector(${slo.objective})`, labels },
    { record: BAD_RATE, expr: slo.queries.badRate('5m'), labels },
    { record: TOTAL_RATE, expr: slo.queries.totalRate('5m'), labels },
    ...windows.map((window) => ({
      record: errorRatio(window),
      expr: `${slo.queries.badRate(rangeOf(window))} / ${slo.queries.totalRate(rangeOf(window))}`,
      labels,
    })),
    {
      record: BUDGET_LEFT,
      expr:
        `1 - (sum_over_time(${BAD_RATE}${labelSelector}[${period}]) / sum_over_time(${TOTAL_RATE}${labelSelector}[${period}]))` +
        ` / (1 - ${slo.objective})`,
      labels,
    },
  ];
  const alerts = slo.alerts.map((alert) => ({
    alert: `${pascal(slo.name)}BudgetBurn`,
    expr: alertExpression(slo, alert, labelSelector),
    labels: { ...labels, severity: alert.severity, burn_rate: String(alert.burnRate) },
    annotations: {
      summary: `${slo.name} burns its error budget ${alert.burnRate} times too fast`,
      description:
        `More than ${percent(alert.threshold)} of events were bad over ${rangeOf(alert.longMinutes)} and over ` +
        `${rangeOf(alert.shortMinutes)}; ${percent(alert.budgetShare)} of the budget of ${slo.windowDays} days goes in ` +
        `${rangeOf(alert.longMinutes)} at this rate.`,
      runbook_url: slo.runbookUrl,
    },
  }));
  return toYaml({
    groups: [
      { name: `slo-${slo.name}-recordings`, interval: '30s', rules: recordings },
      { name: `slo-${slo.name}-alerts`, interval: '30s', rules: alerts },
    ],
  });
}

/** The condition of an alert: the ratio is above the threshold in both windows, and there were at least `minBadEvents`. */
function alertExpression(slo: SloModel, alert: BurnRateAlert, labelSelector: string): string {
  const above = (minutes: number): string => `${errorRatio(minutes)}${labelSelector} > ${alert.threshold}`;
  const conditions = [above(alert.longMinutes), above(alert.shortMinutes)];
  if (slo.minBadEvents > 0) {
    const seconds = alert.longMinutes * 60;
    const range = rangeOf(alert.longMinutes);
    // The recorded series has the labels `slo` and `service`, which this query has not; `on()` lets `and` match them.
    const events = `${slo.queries.badRate(range)} * ${seconds} >= ${slo.minBadEvents}`;
    conditions.push(`on() (${events})`);
  }
  return conditions.join(' and ');
}

function pascal(name: string): string {
  return name.replaceAll(/(?:^|[^a-z0-9]+)([a-z0-9])/gi, (_match, letter: string) => letter.toUpperCase());
}

function percent(ratio: number): string {
  return `${Number((ratio * 100).toPrecision(6))} %`;
}
