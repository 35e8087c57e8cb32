import type { CaseResult } from './result.ts';
import { duration } from './table.ts';

const WIDTH = 720;
const ROW = 28;
const LABEL = 210;
const VALUE = 150;

/** Bars of CPU time, the least first; colours that read on light and dark. */
export function chartOf({ name, contenders }: CaseResult): string {
  const sorted = [...contenders].sort((a, b) => a.cpuNs.median - b.cpuNs.median);
  const most = Math.max(...sorted.map(({ cpuNs }) => cpuNs.median));
  const height = 40 + sorted.length * ROW;
  const bars = sorted.map(({ name: label, cpuNs }, i) => {
    const y = 34 + i * ROW;
    const width = Math.max(1, ((WIDTH - LABEL - VALUE) * cpuNs.median) / most);
    const fill = label.startsWith('macadam') ? '#d9822b' : '#8a9ba8';
    return [
      `<text x="${LABEL - 8}" y="${y + 14}" text-anchor="end">${escape(label)}</text>`,
      `<rect x="${LABEL}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 8}" rx="2" fill="${fill}"/>`,
      `<text x="${(LABEL + width + 8).toFixed(1)}" y="${y + 14}">${escape(duration(cpuNs))}</text>`,
    ].join('\n');
  });
  const title = `${name}: CPU time an operation, less is better`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escape(title)}" font-family="system-ui, sans-serif" font-size="13" fill="#7d8b99">`,
    `<text x="0" y="18" font-weight="600">${escape(title)}</text>`,
    ...bars,
    '</svg>',
    '',
  ].join('\n');
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
