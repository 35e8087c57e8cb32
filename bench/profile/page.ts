import { markdownTable } from '../src/table.ts';
import type { PathShares, Share } from './shares.ts';

export interface ProfileResult {
  readonly date: string;
  readonly node: string;
  readonly cpu: string;
  readonly seconds: number;
  readonly paths: readonly PathShares[];
}

/** The file of a path's flame graph. */
export function flameFile(name: string): string {
  return `profile-${name.toLowerCase().replaceAll(/[^a-z\d]+/g, '-')}.svg`;
}

/** The docs page. Written by the run, never by hand. */
export function profilePage({ node, cpu, date, seconds, paths }: ProfileResult): string {
  const sections = paths.flatMap(({ name, owners, functions }) => [
    ...['', `## ${name}`, '', `Whose code it is: ${owners.map(text).join(' · ')}.`, ''],
    markdownTable([['function', 'of the time'], ...functions.map((one) => [one.label, percent(one)])]),
    ...['', `[Flame graph](${flameFile(name)})`],
  ]);
  return `${[
    '# Profiles of the hot paths',
    '',
    '<!-- Written by `npm run bench`. Do not edit. -->',
    '',
    'Where the time of each hot path goes, by samples of the inspector: by whose code, and by function, without what it calls. The loop that repeats the path is left out. What each job costs beside the least that it could is on [another page](../performance.md).',
    '',
    `Node ${node.slice(1)}, ${cpu}, ${date}, ${seconds} s a path. \`npm run bench -- profile NAME\` draws them again.`,
    ...sections,
  ].join('\n')}\n`;
}

function text(one: Share): string {
  return `${one.label} ${percent(one)}`;
}

function percent({ share }: Share): string {
  return `${Math.round(share * 100)} %`;
}
