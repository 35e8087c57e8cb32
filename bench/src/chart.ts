import type { CaseResult } from './result.ts';
import { duration, sortedByCost } from './table.ts';

const WIDTH = 720;
const ROW = 28;
const VALUE = 150;
/** Approximate width of a character of the font, in pixels. */
const LETTER = 6.7;

/** Colours that are legible on light and dark backgrounds. */
const OURS = '#d9822b';
const THEIRS = '#8a9ba8';

export function chartOf(result: CaseResult): string {
  return result.curve === true ? slopeChart(result) : barChart(result);
}

/** Draws CPU time as bars, the shortest first. */
function barChart(result: CaseResult): string {
  const sorted = sortedByCost(result);
  const most = Math.max(...sorted.map(({ cpuNs }) => cpuNs.median));
  const height = 40 + sorted.length * ROW;
  const labelWidth = Math.round(Math.max(...sorted.map(({ name }) => name.length)) * LETTER) + 16;
  const bars = sorted.map(({ name: label, cpuNs }, i) => {
    const y = 34 + i * ROW;
    const width = Math.max(1, ((WIDTH - labelWidth - VALUE) * cpuNs.median) / most);
    const fill = label.startsWith('macadam') ? OURS : THEIRS;
    return [
      `<text x="${labelWidth - 8}" y="${y + 14}" text-anchor="end">${escape(label)}</text>`,
      `<rect x="${labelWidth}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 8}" rx="2" fill="${fill}"/>`,
      `<text x="${(labelWidth + width + 8).toFixed(1)}" y="${y + 14}">${escape(duration(cpuNs))}</text>`,
    ].join('\n');
  });
  return drawing(`${result.name}: CPU time per operation, lower is better`, height, bars);
}

const PLOT = 180;

/** Draws CPU time over size, which is on a logarithmic axis. A horizontal line means the same cost at every size. */
function slopeChart(result: CaseResult): string {
  const { contenders } = result;
  const most = Math.max(...contenders.map(({ cpuNs }) => cpuNs.median));
  const places = placesOf(contenders.map(({ name }) => sizeOf(name)));
  const points = contenders.map(({ name, cpuNs }, i) => ({
    ...{ name, cpuNs, x: 80 + (places[i] ?? 0) * (WIDTH - 160), y: 50 + PLOT * (1 - cpuNs.median / most) },
  }));
  const line = points.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');
  const slope = slopeOf(contenders.map(({ name, cpuNs }) => [sizeOf(name), cpuNs.median]));
  const title = `${result.name}: CPU time per operation${slope === undefined ? '' : `, ${slopeText(slope)}`}`;
  return drawing(title, PLOT + 84, [
    `<line x1="60" x2="${WIDTH - 60}" y1="${50 + PLOT}" y2="${50 + PLOT}" stroke="${THEIRS}"/>`,
    `<polyline points="${line}" fill="none" stroke="${OURS}" stroke-width="2"/>`,
    ...points.flatMap(({ name, cpuNs, x, y }) => [
      `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3.5" fill="${OURS}"/>`,
      `<text x="${x.toFixed(1)}" y="${(y - 10).toFixed(1)}" text-anchor="middle" font-size="11">${escape(duration(cpuNs))}</text>`,
      `<text x="${x.toFixed(1)}" y="${PLOT + 70}" text-anchor="middle">${escape(name)}</text>`,
    ]),
  ]);
}

/** Parses the size from the name of a contender of a curve: `10,000`. */
export function sizeOf(name: string): number {
  return Number(name.replaceAll(',', ''));
}

/** The position of each size on a logarithmic axis from 0 to 1. */
function placesOf(sizes: readonly number[]): number[] {
  const logs = sizes.map(Math.log10);
  const [first, last] = [Math.min(...logs), Math.max(...logs)];
  return logs.map((log) => (last > first ? (log - first) / (last - first) : 0));
}

/**
 * By how much the cost grows each time the size grows tenfold, as a ratio: the slope of the least-squares line through
 * the logarithms. Undefined for fewer than two sizes.
 */
export function slopeOf(points: readonly (readonly [size: number, cost: number])[]): number | undefined {
  const logs = points.map(([size, cost]) => [Math.log10(size), Math.log10(cost)] as const);
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(logs.map(([size]) => size)), mean(logs.map(([, cost]) => cost))];
  const across = logs.reduce((sum, [size]) => sum + (size - x) ** 2, 0);
  if (across === 0) return undefined;
  return 10 ** (logs.reduce((sum, [size, cost]) => sum + (size - x) * (cost - y), 0) / across) - 1;
}

export function slopeText(slope: number): string {
  return `${slope < 0 ? '−' : '+'}${Math.abs(slope * 100).toFixed(0)} % per tenfold increase`;
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
