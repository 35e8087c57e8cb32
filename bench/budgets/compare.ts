import { textTable } from '../src/table.ts';
import type { Counts } from './count.ts';

/** What a hot path may take, for each operation. */
export interface Budget {
  bytes: number;
  instructions: number;
}

export interface Budgets {
  node: string;
  /** Instructions differ from one kind of processor to the next, so they are only compared on the same. */
  arch: string;
  paths: Record<string, Budget>;
}

export type Measured = Partial<Record<keyof Budget, Counts>>;

/** A path may cost this much more than its budget: the counts repeat far better, and so much is worth a question. */
export const TOLERANCE = 0.05;
/** Differences this small are not worth one, whatever they are a share of. */
const SLACK: Budget = { bytes: 16, instructions: 100 };

export interface Verdict {
  lines: string[];
  /** Paths over budget, and paths without one. */
  failures: string[];
}

/** Holds what was counted against the budgets; what was not counted is not judged. */
export function compare(budgets: Budgets, measured: Measured): Verdict {
  const kinds = (['instructions', 'bytes'] as const).filter((kind) => measured[kind] !== undefined);
  const rows = [['path', ...kinds.flatMap((kind) => [kind, 'budget', 'change'])]];
  const failures: string[] = [];
  const names = new Set([...Object.keys(budgets.paths), ...kinds.flatMap((kind) => Object.keys(measured[kind] ?? {}))]);
  for (const name of names) {
    const row = [name];
    for (const kind of kinds) {
      const [now, budget] = [measured[kind]?.[name], budgets.paths[name]?.[kind]];
      row.push(text(now), text(budget), change(now, budget));
      if (now === undefined) failures.push(`"${name}" has a budget but is not counted any more`);
      else if (budget === undefined) failures.push(`"${name}" has no budget`);
      else if (now > budget * (1 + TOLERANCE) + SLACK[kind])
        failures.push(`"${name}" takes ${text(now)} ${kind} an operation; its budget is ${text(budget)}`);
    }
    rows.push(row);
  }
  return { lines: textTable(rows).split('\n'), failures };
}

/** The least of two counts: what comes once, such as the optimiser at work, is not what an operation takes. */
export function least(one: Measured, other: Measured): Measured {
  const both = (['bytes', 'instructions'] as const).flatMap((kind) => {
    const [a, b] = [one[kind], other[kind]];
    if (a === undefined || b === undefined) return [];
    return [
      [kind, Object.fromEntries(Object.entries(a).map(([name, count]) => [name, Math.min(count, b[name] ?? count)]))],
    ];
  });
  return Object.fromEntries(both) as Measured;
}

/** Budgets of what was counted; what was not keeps its old one. */
export function updated(before: Budgets | undefined, measured: Measured, machine: Omit<Budgets, 'paths'>): Budgets {
  const names = Object.keys(measured.bytes ?? {});
  const paths = names.map((name) => {
    const old = before?.paths[name];
    const instructions = measured.instructions?.[name] ?? old?.instructions ?? 0;
    return [name, { bytes: Math.round(measured.bytes?.[name] ?? 0), instructions: Math.round(instructions) }] as const;
  });
  return { ...machine, paths: Object.fromEntries(paths) };
}

function text(count: number | undefined): string {
  return count === undefined ? '-' : Math.round(count).toLocaleString('en');
}

function change(now: number | undefined, budget: number | undefined): string {
  if (now === undefined || budget === undefined || budget === 0) return '-';
  const percent = (now / budget - 1) * 100;
  return `${percent >= 0 ? '+' : ''}${percent.toFixed(1)} %`;
}
