import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { regressions, type Baseline } from './baseline.ts';
import { contenders } from './contenders.ts';

/** The folder of the report. */
export const folder: string = join(import.meta.dirname, '../../../../docs/simulation');

export function readCommitted(name: string): string | undefined {
  const path = join(folder, name);
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

export function committedBaseline(): Baseline {
  return JSON.parse(readCommitted('results.json') ?? '{}') as Baseline;
}

/** Writes the files, and removes those of scenarios that no longer exist. */
export function writeReport(files: ReadonlyMap<string, string>): void {
  mkdirSync(folder, { recursive: true });
  for (const name of committedNames()) if (!files.has(name)) rmSync(join(folder, name));
  for (const [name, text] of files) writeFileSync(join(folder, name), text);
}

export function committedNames(): string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

/** Returns our figures that are worse than the committed ones, by scenario and contender. */
export function regressionsOfOurs(before: Baseline, now: Baseline): string[] {
  const ours = contenders.filter((contender) => contender.ours);
  return Object.entries(before).flatMap(([scenario, contendersBefore]) =>
    ours.flatMap(({ id, label }) => {
      const was = contendersBefore[id];
      const is = now[scenario]?.[id];
      if (was === undefined) return [];
      if (is === undefined) return [`${scenario}, ${label}: not simulated`];
      return regressions(was, is).map((message) => `${scenario}, ${label}: ${message}`);
    }),
  );
}
