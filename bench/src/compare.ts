import type { SuiteResult } from './result.ts';
import { textTable } from './table.ts';

/**
 * A run beside the committed one. Absolute times of two runs mean nothing, so each contender is compared by its cost
 * relative to the least of its case in the same run.
 */
export function comparison(before: SuiteResult, now: SuiteResult): string {
  const rows = [['case', 'contender', 'committed', 'now', 'change']];
  for (const one of now.cases) {
    const old = before.cases.find(({ name }) => name === one.name);
    if (old === undefined) continue;
    const [oldCosts, costs] = [relativeCosts(old), relativeCosts(one)];
    for (const [name, cost] of costs) {
      const oldCost = oldCosts.get(name);
      if (oldCost === undefined) continue;
      const change = `${cost >= oldCost ? '+' : ''}${((cost / oldCost - 1) * 100).toFixed(0)} %`;
      rows.push([one.name, name, `${oldCost.toFixed(2)}x`, `${cost.toFixed(2)}x`, change]);
    }
  }
  return textTable(rows);
}

function relativeCosts({ contenders }: SuiteResult['cases'][number]): Map<string, number> {
  const least = Math.min(...contenders.map(({ cpuNs }) => cpuNs.median));
  return new Map(contenders.map(({ name, cpuNs }) => [name, cpuNs.median / least]));
}
