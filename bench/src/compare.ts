import { isDistinct, ratioOf, type Ratio } from './ratio.ts';
import type { CaseResult, SuiteResult } from './result.ts';
import { leastOf, textTable } from './table.ts';

/**
 * Compares a run with the committed one. Absolute times of two runs are not comparable, so each contender is compared
 * by its cost relative to the same contender of its case: the cheapest one of the committed run. A change is reported
 * when the two intervals do not overlap.
 */
export function comparison(before: SuiteResult, now: Pick<SuiteResult, 'cases'>): string {
  const rows = [['case', 'contender', 'beside', 'committed', 'now', 'change']];
  for (const one of now.cases) {
    const old = before.cases.find(({ name }) => name === one.name);
    if (old === undefined) continue;
    const { name: beside } = leastOf(old);
    for (const { name } of one.contenders) {
      const [was, is] = [relative(old, name, beside), relative(one, name, beside)];
      if (name === beside || was === undefined || is === undefined) continue;
      rows.push([one.name, name, beside, text(was), text(is), change(was, is)]);
    }
  }
  return textTable(rows);
}

function relative({ contenders }: CaseResult, name: string, beside: string): Ratio | undefined {
  const of = contenders.find((one) => one.name === name);
  const to = contenders.find((one) => one.name === beside);
  return of === undefined || to === undefined ? undefined : ratioOf(of.rounds, to.rounds);
}

function text(ratio: Ratio): string {
  return isDistinct(ratio) ? `${ratio.value.toFixed(2)}x` : 'level';
}

function change(was: Ratio, is: Ratio): string {
  if (is.low <= was.high && is.high >= was.low) return 'none to be told';
  return `${is.value >= was.value ? '+' : ''}${((is.value / was.value - 1) * 100).toFixed(0)} %`;
}
