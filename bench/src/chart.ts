import type { CaseResult } from './result.ts';
import { duration, inOrder } from './table.ts';

const WIDTH = 720;
const ROW = 28;
const LABEL = 210;
const VALUE = 150;

const OURS = '#d9822b';
const THEIRS = '#8a9ba8';

/** Colours that read on light and dark. */
export function chartOf(result: CaseResult): string {
  return result.curve === true ? slopeChart(result) : barChart(result);
}

/** Bars of CPU time, the least first. */
function barChart(result: CaseResult): string {
  const sorted = inOrder(result);
  const most = Math.max(...sorted.map(({ cpuNs }) => cpuNs.median));
  const height = 40 + sorted.length * ROW;
  const bars = sorted.map(({ name: label, cpuNs }, i) => {
    const y = 34 + i * ROW;
    const width = Math.max(1, ((WIDTH - LABEL - VALUE) * cpuNs.median) / most);
    const fill = label.startsWith('macadam') ? OURS : THEIRS;
    return [
      `<text x="${LABEL - 8}" y="${y + 14}" text-anchor="end">${escape(label)}</text>`,
      `<rect x="${LABEL}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 8}" rx="2" fill="${fill}"/>`,
      `<text x="${(LABEL + width + 8).toFixed(1)}" y="${y + 14}">${escape(duration(cpuNs))}</text>`,
    ].join('\n');
  });
  return drawing(`${result.name}: CPU time an operation, less is better`, height, bars);
}

const PLOT = 180;

/** CPU time over sizes that grow, from zero: a level line costs the same at every size. */
function slopeChart(result: CaseResult): string {
  const { contenders } = result;
  const most = Math.max(...contenders.map(({ cpuNs }) => cpuNs.median));
  const step = (WIDTH - 160) / Math.max(1, contenders.length - 1);
  const points = contenders.map(({ name, cpuNs }, i) => ({
    ...{ name, cpuNs, x: 80 + i * step, y: 50 + PLOT * (1 - cpuNs.median / most) },
  }));
  const line = points.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');
  return drawing(`${result.name}: CPU time an operation`, PLOT + 84, [
    `<line x1="60" x2="${WIDTH - 60}" y1="${50 + PLOT}" y2="${50 + PLOT}" stroke="${THEIRS}"/>`,
    `<polyline points="${line}" fill="none" stroke="${OURS}" stroke-width="2"/>`,
    ...points.flatMap(({ name, cpuNs, x, y }) => [
      `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3.5" fill="${OURS}"/>`,
      `<text x="${x.toFixed(1)}" y="${(y - 10).toFixed(1)}" text-anchor="middle" font-size="11">${escape(duration(cpuNs))}</text>`,
      `<text x="${x.toFixed(1)}" y="${PLOT + 70}" text-anchor="middle">${escape(name)}</text>`,
    ]),
  ]);
}

function drawing(title: string, height: number, shapes: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escape(title)}" font-family="system-ui, sans-serif" font-size="13" fill="#7d8b99">`,
    `<text x="0" y="18" font-weight="600">${escape(title)}</text>`,
    ...shapes,
    '</svg>',
    '',
  ].join('\n');
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
