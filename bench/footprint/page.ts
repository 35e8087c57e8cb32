import type { Figure } from '../src/measurement.ts';
import { markdownTable } from '../src/table.ts';
import type { InstallSize } from './install-size.ts';

export interface Footprint extends InstallSize {
  group: string;
  name: string;
  importCpuMs: Figure;
}

export interface FootprintResult {
  date: string;
  node: string;
  cpu: string;
  /** Whether the machine was quiet when the run began. */
  quiet: boolean;
  rounds: number;
  packages: readonly Footprint[];
}

export function footprintRows({ packages }: FootprintResult, group: string): string[][] {
  const rows = packages
    .filter((one) => one.group === group)
    .map(({ name, version, importCpuMs: { median, spread }, packages: count, bytes, installScripts }) => [
      `${name} ${version}`,
      `${median.toFixed(1)} ms ± ${(spread * 100).toFixed(0)} %`,
      String(count),
      `${Math.round(bytes / 1_000).toLocaleString('en')} kB`,
      String(installScripts),
    ]);
  return [['package', 'CPU to import', 'packages', 'on disk', 'install scripts'], ...rows];
}

/** The docs page. Written by the run, never by hand. */
export function footprintPage(result: FootprintResult): string {
  const groups = [...new Set(result.packages.map(({ group }) => group))];
  const head = [
    '# Benchmark: import time and install size',
    '',
    '<!-- Written by `npm run bench`. Do not edit. -->',
    '',
    'CPU time of a process that loads the package and nothing else, and what `npm install` of it puts on a disk: the package with all it depends on, each once. Ours are measured as they are published.',
    '',
    `Node ${result.node.slice(1)}, ${result.cpu}, ${result.date}${result.quiet ? '' : ', on a machine that was busy with other things'}; medians of ${result.rounds} fresh processes in turn, ± is half of the distance between the quartiles.`,
  ];
  const tables = groups.flatMap((group) => ['', `## ${group}`, '', markdownTable(footprintRows(result, group))]);
  return `${[...head, ...tables].join('\n')}\n`;
}
