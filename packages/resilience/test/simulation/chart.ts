import type { SimulationResult } from '@macadam/testkit';
import type { ScenarioOutcome } from './run-scenarios.ts';

const WIDTH = 760;
const LABEL = 130;
const RIGHT = 12;
const TOP = 24;
const BAND = 34;
const GAP = 8;
const AXIS = 22;

/** Colours for light and dark pages; the media query in an image follows the colour scheme of the reader. */
const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #444 }
  .tick { font-size: 11px; fill: #777 }
  .band { fill: #8881 }
  .fault { fill: #e5484d; opacity: .16 }
  .theirs { fill: #8a93a6 }
  .ours { fill: #2f8f5b }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd }
    .tick { fill: #999 }
    .band { fill: #fff1 }
    .theirs { fill: #7d879b }
    .ours { fill: #46b37b }
  }`;

/** Draws one band per contender. Its fill is the share of successful requests in each second. */
export function successChart({ scenario, results }: ScenarioOutcome, fault: FaultSpan | undefined): string {
  const { durationMs } = scenario.simulation;
  const height = TOP + results.length * (BAND + GAP) + AXIS;
  const x = (ms: number): string => round(LABEL + (ms / durationMs) * (WIDTH - LABEL - RIGHT));
  const bands = results.map(({ contender, result }, i) => {
    const top = TOP + i * (BAND + GAP);
    const name = contender.ours ? 'ours' : 'theirs';
    return [
      `<text x="${LABEL - 10}" y="${top + BAND / 2 + 4}" text-anchor="end">${contender.label}</text>`,
      `<rect class="band" x="${x(0)}" y="${top}" width="${round(WIDTH - LABEL - RIGHT)}" height="${BAND}"/>`,
      `<path class="${name}" d="${area(result, x, top + BAND)}"/>`,
    ].join('\n');
  });
  const bottom = height - AXIS;
  const span = fault && { from: x(fault.fromMs), width: Number(x(fault.toMs)) - Number(x(fault.fromMs)) };
  const shade =
    span &&
    `<rect class="fault" x="${span.from}" y="${TOP - 6}" width="${round(span.width)}" height="${bottom - TOP + 2}"/>`;
  const ticks = Array.from({ length: Math.floor(durationMs / 10_000) + 1 }, (_, i) => i * 10_000).map(
    (ms) => `<text class="tick" x="${x(ms)}" y="${height - 6}" text-anchor="middle">${ms / 1_000} s</text>`,
  );
  const title = `${scenario.title}: share of successful requests per second of time`;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${title}">`,
    `<style>${STYLE}\n</style>`,
    `<text class="tick" x="${LABEL}" y="13">${title}</text>`,
    ...bands,
    ...(shade === undefined ? [] : [shade]),
    ...ticks,
    '</svg>',
  ].join('\n')}\n`;
}

/** The time span of the fault, which is shaded. */
export interface FaultSpan {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Draws a step per second; consecutive seconds with the same value are one step. */
function area({ windows }: SimulationResult, x: (ms: number) => string, base: number): string {
  const parts = [`M${x(0)} ${base}`];
  let level = '';
  for (const { fromMs, successRatio } of windows) {
    const y = round(base - successRatio * BAND);
    if (y !== level) parts.push(`H${x(fromMs)}V${y}`);
    level = y;
  }
  return `${parts.join('')}H${x(windows.length * 1_000)}V${base}Z`;
}

function round(value: number): string {
  return String(Number(value.toFixed(1)));
}
