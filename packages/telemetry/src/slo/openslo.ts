import type { SloModel } from './prometheus-rules.ts';
import { toYaml } from './yaml.ts';

/** Returns an SLO document of OpenSLO v1, https://openslo.com. */
export function openSlo(slo: SloModel): string {
  const { queries } = slo;
  const source = (query: string) => ({ metricSource: { type: 'Prometheus', spec: { query } } });
  const hasCounters = queries.badCounter !== undefined && queries.totalCounter !== undefined;
  return toYaml({
    apiVersion: 'openslo/v1',
    kind: 'SLO',
    metadata: { name: slo.name, annotations: { runbook: slo.runbookUrl } },
    spec: {
      description: slo.description,
      service: slo.service,
      indicator: {
        metadata: { name: `${slo.name}-sli` },
        spec: {
          ratioMetric: {
            counter: hasCounters,
            bad: source(queries.badCounter ?? queries.badRate('5m')),
            total: source(queries.totalCounter ?? queries.totalRate('5m')),
          },
        },
      },
      timeWindow: [{ duration: `${slo.windowDays}d`, isRolling: true }],
      budgetingMethod: 'Occurrences',
      objectives: [{ displayName: slo.name, target: slo.objective }],
    },
  });
}
