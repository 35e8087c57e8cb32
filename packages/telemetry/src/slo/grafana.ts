import { createHash } from 'node:crypto';
import { roundForDisplay } from './burn-rates.ts';
import { BAD_RATE, BUDGET_LEFT, errorRatio, rangeOf, type SloModel, TOTAL_RATE } from './prometheus-rules.ts';

/** Grafana's limit for the identifier of a dashboard. */
const MAX_UID_LENGTH = 40;

/** Returns a dashboard for Grafana 10 and later, as an object to import or provision. */
export function grafanaDashboard(slo: SloModel): Record<string, unknown> {
  const labelSelector = `{slo=${JSON.stringify(slo.name)}}`;
  const long = slo.alerts.map(({ longMinutes }) => longMinutes);
  return {
    uid: uidOf(slo.name),
    title: `SLO ${slo.name}`,
    tags: ['slo', slo.service],
    schemaVersion: 39,
    refresh: '1m',
    time: { from: `now-${slo.windowDays}d`, to: 'now' },
    links: [{ title: 'Runbook', type: 'link', url: slo.runbookUrl, targetBlank: true }],
    templating: { list: [{ name: 'datasource', type: 'datasource', query: 'prometheus' }] },
    panels: [
      panel(1, 'stat', `Budget left of ${slo.windowDays} days`, { x: 0, y: 0, w: 6, h: 6 }, 'percentunit', [
        [`${BUDGET_LEFT}${labelSelector}`, 'left'],
      ]),
      panel(2, 'timeseries', 'Budget left', { x: 6, y: 0, w: 18, h: 6 }, 'percentunit', [
        [`${BUDGET_LEFT}${labelSelector}`, 'left'],
      ]),
      panel(
        3,
        'timeseries',
        'Burn rate (1 spends the budget exactly)',
        { x: 0, y: 6, w: 12, h: 8 },
        'none',
        long.map((minutes) => [
          `${errorRatio(minutes)}${labelSelector} / ${roundForDisplay(1 - slo.objective)}`,
          rangeOf(minutes),
        ]),
      ),
      panel(4, 'timeseries', 'Events a second', { x: 12, y: 6, w: 12, h: 8 }, 'reqps', [
        [`${TOTAL_RATE}${labelSelector}`, 'all'],
        [`${BAD_RATE}${labelSelector}`, 'bad'],
      ]),
    ],
  };
}

/** A long name ends in a hash, so that a dashboard does not replace that of another name with the same beginning. */
function uidOf(name: string): string {
  const uid = `slo-${name}`;
  if (uid.length <= MAX_UID_LENGTH) return uid;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8);
  return `${uid.slice(0, MAX_UID_LENGTH - 9)}-${hash}`;
}

function panel(
  id: number,
  type: 'stat' | 'timeseries',
  title: string,
  gridPos: Readonly<Record<'x' | 'y' | 'w' | 'h', number>>,
  unit: string,
  queries: readonly (readonly [string, string])[],
): Record<string, unknown> {
  const datasource = { type: 'prometheus', uid: '${datasource}' };
  return {
    id,
    type,
    title,
    gridPos,
    datasource,
    fieldConfig: { defaults: { unit }, overrides: [] },
    targets: queries.map(([expr, legendFormat], i) => ({
      refId: String.fromCharCode(65 + i),
      datasource,
      expr,
      legendFormat,
    })),
  };
}
