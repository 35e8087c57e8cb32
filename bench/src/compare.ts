import { isDistinct, ratioOf, type Ratio } from './ratio.ts';
import type { CaseResult, SuiteResult } from './result.ts';
import { cheapestOf, textTable } from './table.ts';

/**
 * Compares a run with the committed one. Absolute times of two runs are not comparable, so each contender is compared
 * by its cost relative to the same contender of its case: the cheapest one of the committed run. A change is reported
 * when the two intervals do not overlap.
 */
export function comparison(before: SuiteResult, now: Pick<SuiteResult, 'cases'>): string {
  const rows = [['case', 'contender', 'relative to', 'committed', 'now', 'change']];
  for (const one of now.cases) {
    const old = before.cases.find(({ name }) => name === one.name);
    if (old === undefined) continue;
    const { name: baseline } = cheapestOf(old);
    for (const { name } of one.contenders) {
      const [was, is] = [relative(old, name, baseline), relative(one, name, baseline)];
      if (name === baseline || was === undefined || is === undefined) continue;
      rows.push([one.name, name, baseline, text(was), text(is), change(was, is)]);
    }
  }
  return textTable(rows);
}

function relative({ contenders }: CaseResult, name: string, baseline: string): Ratio | undefined {
  const of = contenders.find((one) => one.name === name);
  const to = contenders.find((one) => one.name === baseline);
  return of === undefined || to === undefined ? undefined : ratioOf(of.rounds, to.rounds);
}

function text(ratio: Ratio): string {
  return isDistinct(ratio) ? `${ratio.value.toFixed(2)}x` : 'level';
}

function change(was: Ratio, is: Ratio): string {
  if (is.low <= was.high && is.high >= was.low) return 'not significant';
  return `${is.value >= was.value ? '+' : ''}${((is.value / was.value - 1) * 100).toFixed(0)} %`;
}
