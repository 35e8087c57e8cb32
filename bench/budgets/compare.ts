import { textTable } from '../src/table.ts';
import type { Counts } from './count.ts';

/** What a hot path may take, for each operation. */
export interface Budget {
  bytes: number;
  instructions: number;
}

/** What may be taken on one kind of machine, by the name of the path. */
export type Budgets = Readonly<Record<string, Budget>>;

/** Of every kind of machine on which budgets were recorded, side by side; see `kindOf`. */
export type Recorded = Readonly<Record<string, Budgets>>;

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
  const names = new Set([...Object.keys(budgets), ...kinds.flatMap((kind) => Object.keys(measured[kind] ?? {}))]);
  for (const name of names) {
    const row = [name];
    for (const kind of kinds) {
      const [now, budget] = [measured[kind]?.[name], budgets[name]?.[kind]];
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

/** Budgets of what was counted, for one kind of machine: those of the others stay, and what was not counted its old one. */
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
