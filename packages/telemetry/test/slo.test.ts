import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type BurnRateAlert, defineSlo, type SloOptions } from '../src/index.ts';

interface Rule {
  alert?: string;
  record?: string;
  expr: string;
  labels: Record<string, string>;
  annotations?: Record<string, string>;
}

const options: SloOptions = {
  name: 'orders-availability',
  objective: 0.999,
  sli: { availability: { where: { 'service.name': 'orders' } } },
  runbookUrl: 'https://runbooks.example.org/orders',
};
const slow: SloOptions = {
  ...options,
  name: 'orders-latency',
  objective: 0.99,
  sli: { latency: { thresholdMs: 250 } },
};
const rulesOf = (one: SloOptions): Rule[] =>
  (parse(defineSlo(one).toPrometheusRules()) as { groups: { rules: Rule[] }[] }).groups.flatMap(({ rules }) => rules);

describe('burn rates', () => {
  it.each([
    [30, [14.4, 6, 3, 1]],
    [90, [43.2, 18, 9, 3]],
    [28, [13.44, 5.6, 2.8]],
    [7, [3.36, 1.4]],
  ])('over %d days are %j, by the formula of the SRE Workbook', (windowDays, expected) => {
    const { alerts } = defineSlo({ ...options, windowDays });
    expect(alerts.map(({ burnRate }) => burnRate)).toEqual(expected);
    expect(alerts.every(({ longMinutes, shortMinutes }) => longMinutes / shortMinutes === 12)).toBe(true);
    expect(alerts[0]!.threshold).toBeCloseTo(expected[0]! * 0.001, 12);
  });

  it('leave out an alert that would fire within the budget', () => {
    const { alerts } = defineSlo({ ...options, windowDays: 14 });
    expect(alerts.map(({ burnRate }) => burnRate)).toEqual([6.72, 2.8, 1.4]);
  });

  it('leave out an alert that could never fire', () => {
    expect(defineSlo({ ...options, objective: 0.9 }).alerts.map(({ burnRate }) => burnRate)).toEqual([6, 3, 1]);
    expect(() => defineSlo({ ...options, objective: 0.0001, windowDays: 90 })).toThrow('at least one alert');
  });
});

/** Error ratio of each minute; whether an alert fires at the end of it. */
function firing(alert: BurnRateAlert, ratios: readonly number[]): boolean[] {
  const mean = (minutes: number, end: number): number => {
    const part = ratios.slice(Math.max(0, end - minutes), end);
    return part.reduce((sum, ratio) => sum + ratio, 0) / minutes;
  };
  return ratios.map(
    (_, i) => mean(alert.longMinutes, i + 1) > alert.threshold && mean(alert.shortMinutes, i + 1) > alert.threshold,
  );
}

describe('alerts in a simulated month', () => {
  const { alerts } = defineSlo(options);
  const calm = (minutes: number): number[] => Array<number>(minutes).fill(0);

  it.each(alerts.map((alert) => [alert.burnRate, alert] as const))(
    'fire at a burn rate of %d when their share of the budget is spent',
    (burnRate, alert) => {
      const burning = Array<number>(alert.longMinutes * 2).fill(burnRate * 0.001 * 1.001);
      const first = firing(alert, [...calm(alert.longMinutes), ...burning]).indexOf(true) - alert.longMinutes + 1;
      const spent = (first * burnRate) / (30 * 1_440);
      expect(spent).toBeGreaterThan(alert.budgetShare * 0.99);
      expect(spent).toBeLessThan(alert.budgetShare * 1.02);
      const slower = Array<number>(alert.longMinutes * 2).fill(burnRate * 0.001 * 0.999);
      expect(firing(alert, slower)).not.toContain(true);
    },
  );

  it('page within a minute of a total outage, and end within the short window', () => {
    const [page] = alerts;
    const states = firing(page!, [...calm(60), ...Array<number>(10).fill(1), ...calm(120)]);
    expect(states.indexOf(true)).toBe(60);
    expect(states.lastIndexOf(true)).toBeLessThanOrEqual(60 + 10 + 5);
  });

  it('do not page when the budget is spent exactly', () => {
    const exact = Array<number>(2_000).fill(0.001);
    for (const alert of alerts.filter(({ severity }) => severity === 'page'))
      expect(firing(alert, exact)).not.toContain(true);
  });
});

describe('the Prometheus rules', () => {
  it('record every window of the alerts, and link the runbook in every alert', () => {
    for (const one of [options, slow]) {
      const rules = rulesOf(one);
      const recorded = new Set(rules.map(({ record }) => record));
      const alerts = rules.filter(({ alert }) => alert !== undefined);
      expect(alerts).toHaveLength(4);
      for (const { expr, labels, annotations } of alerts) {
        const used = expr.match(/slo:[\w:]+/g) ?? [];
        expect(used).toHaveLength(2);
        for (const name of used) expect(recorded).toContain(name);
        expect(annotations!['runbook_url']).toBe(options.runbookUrl);
        expect(['page', 'ticket']).toContain(labels['severity']);
      }
    }
  });

  it('use the names that OpenTelemetry metrics and attributes have in Prometheus', () => {
    const bad = rulesOf(options).find(({ record }) => record === 'slo:bad:rate5m')!;
    expect(bad.expr).toContain(
      'http_server_request_duration_seconds_count{service_name="orders",http_response_status_code=~"5.."}[5m]',
    );
    expect(rulesOf(slow).find(({ record }) => record === 'slo:bad:rate5m')!.expr).toContain(
      '_bucket{le=~"0\\\\.25"}[5m]',
    );
  });

  const promtool = process.env['PROMTOOL'] ?? 'promtool';
  const missing = spawnSync(promtool, ['--version']).status !== 0;

  it.skipIf(missing)('are valid for promtool, and fire at their burn rate in its tests', () => {
    const folder = mkdtempSync(join(tmpdir(), 'macadam-slo-'));
    try {
      writeFileSync(join(folder, 'rules.yml'), defineSlo(options).toPrometheusRules());
      writeFileSync(join(folder, 'latency.yml'), defineSlo(slow).toPrometheusRules());
      const series = (status: string, values: string) => ({
        series: `http_server_request_duration_seconds_count{service_name="orders",http_response_status_code="${status}"}`,
        values,
      });
      // 6,000 requests a minute, of which `bad` fail from the start.
      const when = (name: string, bad: number | undefined, burnRate: number, minutes: number, fires: boolean) => ({
        name,
        interval: '1m',
        input_series: [
          series('200', `0+6000x${minutes}`),
          series('500', bad === undefined ? '_' : `0+${bad}x${minutes}`),
        ],
        promql_expr_test: [
          {
            expr: `count(ALERTS{alertname="OrdersAvailabilityBudgetBurn",burn_rate="${burnRate}"}) or vector(0)`,
            eval_time: `${minutes}m`,
            exp_samples: [{ labels: '{}', value: fires ? 1 : 0 }],
          },
        ],
      });
      // Only the alerts that page: for those over days, promtool takes a minute. They are simulated above.
      const pages = defineSlo(options).alerts.filter(({ severity }) => severity === 'page');
      const cases = pages.flatMap(({ burnRate, threshold, longMinutes }) => {
        const bad = 6_000 * threshold;
        const minutes = longMinutes + 10;
        return [
          when(`a tenth above ${burnRate}`, bad * 1.1, burnRate, minutes, true),
          when(`a tenth below ${burnRate}`, bad * 0.9, burnRate, minutes, false),
        ];
      });
      cases.push(when('no errors at all', undefined, 14.4, 90, false));
      writeFileSync(
        join(folder, 'test.yml'),
        JSON.stringify({ rule_files: ['rules.yml'], evaluation_interval: '1m', tests: cases }),
      );
      for (const args of [
        ['check', 'rules', 'rules.yml', 'latency.yml'],
        ['test', 'rules', 'test.yml'],
      ]) {
        const { status, stdout, stderr } = spawnSync(promtool, args, { cwd: folder, encoding: 'utf8' });
        expect(status, stdout + stderr).toBe(0);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('the same objective', () => {
  it('is written as an OpenSLO document', () => {
    expect(parse(defineSlo(options).toOpenSlo())).toMatchObject({
      apiVersion: 'openslo/v1',
      kind: 'SLO',
      metadata: { name: 'orders-availability' },
      spec: {
        service: 'orders',
        timeWindow: [{ duration: '30d', isRolling: true }],
        budgetingMethod: 'Occurrences',
        objectives: [{ target: 0.999 }],
        indicator: { spec: { ratioMetric: { counter: true } } },
      },
    });
  });

  it('is written as a Grafana dashboard, which reads the recorded metrics', () => {
    const dashboard = defineSlo(options).toGrafanaDashboard() as { panels: { targets: { expr: string }[] }[] };
    const recorded = new Set(rulesOf(options).map(({ record }) => record));
    for (const { targets } of dashboard.panels) {
      for (const { expr } of targets) expect(recorded).toContain(/^slo:[\w:]+/.exec(expr)![0]);
    }
    expect(JSON.parse(JSON.stringify(dashboard))).toEqual(dashboard);
  });

  it('has a dashboard of its own, also if its name is long', () => {
    const uidOf = (name: string): unknown => defineSlo({ ...options, name }).toGrafanaDashboard()['uid'];
    const uids = ['email-availability', 'email-latency', 'sms-latency'].map((end) =>
      uidOf(`customer-notification-delivery-${end}`),
    );
    expect(new Set(uids).size).toBe(3);
    for (const uid of uids) expect(uid).toMatch(/^slo-[\w-]{1,36}$/);
    expect(uidOf('orders')).toBe('slo-orders');
  });

  it('can use your own queries', () => {
    const sli = { ratio: { bad: 'sum(rate(jobs_failed[{{window}}]))', total: 'sum(rate(jobs[{{window}}]))' } };
    const rules = rulesOf({ ...options, name: 'jobs-done', sli });
    expect(rules.find(({ record }) => record === 'slo:error:ratio_rate1h')!.expr).toBe(
      '(sum(rate(jobs_failed[1h]))) / (sum(rate(jobs[1h])))',
    );
  });

  it('is described in words', () => {
    expect(defineSlo(options).describe()).toBe(
      '99.9 % of http.server.request.duration without http.response.status_code = 5.. over 30 days; ' +
        'alerts: page at 14.4 times over 1h, page at 6 times over 6h, ticket at 3 times over 1d, ticket at 1 times over 3d',
    );
  });
});

describe('defineSlo refuses the options', () => {
  it.each([
    [{ name: 'Orders' }, 'defineSlo.name'],
    [{ objective: 1 }, 'defineSlo.objective'],
    [{ objective: 99.9 }, 'defineSlo.objective'],
    [{ windowDays: 6 }, 'defineSlo.windowDays'],
    [{ runbookUrl: 'later' }, 'defineSlo.runbookUrl'],
    [{ sli: {} }, 'defineSlo.sli'],
    [{ sli: { latency: { thresholdMs: 300 } } }, 'defineSlo.sli.latency.thresholdMs'],
    [{ sli: { ratio: { bad: 'x', total: 'y' } } }, 'defineSlo.sli.ratio.bad'],
    [{ sli: { availability: { where: { 'a"} or vector(1) #': 'x' } } } }, 'defineSlo.sli.availability'],
    [{ sli: { availability: {}, latency: { thresholdMs: 250 } } }, 'defineSlo.sli'],
    [{ target: 0.9 }, 'defineSlo.target'],
  ])('%j', (wrong, path) => {
    expect(() => defineSlo({ ...options, ...wrong } as never)).toThrow(
      expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path }),
    );
  });
});
