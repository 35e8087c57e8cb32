import { textTable } from '../src/table.ts';
import type { Counts } from './count.ts';

/** The budget of a hot path, per operation. */
export interface Budget {
  bytes: number;
  instructions: number;
}

/** The budgets of one kind of machine, by the name of the path. */
export type Budgets = Readonly<Record<string, Budget>>;

/** The budgets of every kind of machine on which they were recorded; see `kindOf`. */
export type Recorded = Readonly<Record<string, Budgets>>;

export type Measured = Partial<Record<keyof Budget, Counts>>;

/**
 * A path may exceed its budget by this share. Counts vary far less between runs; a larger difference needs an
 * explanation.
 */
export const TOLERANCE = 0.05;
/** Absolute differences up to this are ignored, whatever their share. */
const SLACK: Budget = { bytes: 16, instructions: 100 };

export interface Verdict {
  lines: string[];
  /** Paths over budget, and paths without a budget. */
  failures: string[];
}

/** Compares counts with the budgets. Paths that were not counted are ignored. */
export function compare(budgets: Budgets, measured: Measured): Verdict {
  const kinds = (['instructions', 'bytes'] as const).filter((kind) => measured[kind] !== undefined);
  const rows = [['path', ...kinds.flatMap((kind) => [kind, 'budget', 'change'])]];
  const failures: string[] = [];
  const names = new Set([...Object.keys(budgets), ...kinds.flatMap((kind) => Object.keys(measured[kind] ?? {}))]);
  for (const name of names) {
    const row = [name];
    for (const kind of kinds) {
      const [now, budget] = [measured[kind]?.[name], budgets[name]?.[kind]];
      row.push(text(now), text(budget), change(now, budget));
      if (now === undefined) failures.push(`"${name}" has a budget but was not counted`);
      else if (budget === undefined) failures.push(`"${name}" has no budget`);
      else if (now > budget * (1 + TOLERANCE) + SLACK[kind])
        failures.push(`"${name}" takes ${text(now)} ${kind} per operation; its budget is ${text(budget)}`);
    }
    rows.push(row);
  }
  return { lines: textTable(rows).split('\n'), failures };
}

/** The lower of two counts: work that happens once, such as optimization, is not part of an operation. */
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

/** Updates the budgets of one kind of machine. Other kinds, and paths that were not counted, keep their budgets. */
export function updated(before: Recorded, kind: string, measured: Measured): Recorded {
  const paths = Object.entries(measured.bytes ?? {}).map(([name, bytes]) => {
    const instructions = measured.instructions?.[name] ?? before[kind]?.[name]?.instructions ?? 0;
    return [name, { bytes: Math.round(bytes), instructions: Math.round(instructions) }] as const;
  });
  const kinds = { ...before, [kind]: Object.fromEntries(paths) };
  return Object.fromEntries(Object.entries(kinds).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function text(count: number | undefined): string {
  return count === undefined ? '-' : Math.round(count).toLocaleString('en');
}

function change(now: number | undefined, budget: number | undefined): string {
  if (now === undefined || budget === undefined || budget === 0) return '-';
  const percent = (now / budget - 1) * 100;
  return `${percent >= 0 ? '+' : ''}${percent.toFixed(1)} %`;
}
