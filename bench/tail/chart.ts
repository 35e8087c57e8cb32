import type { TailResult } from './page.ts';

const WIDTH = 720;
const HEIGHT = 320;
const PLOT = { left: 56, right: 240, top: 36, bottom: 34 };
/** Labels of the logarithmic axis, in milliseconds. */
const TICKS_MS = [10, 30, 100, 300, 1_000];
/** Ours have warm colours; all are legible on light and dark backgrounds. */
const OURS = ['#d9822b', '#b8541a'];
const THEIRS = ['#5b8db8', '#7d8b99', '#6a9f6a', '#9a77b0'];

/** Draws the 99th percentile of the latency over the load: of successful calls, measured from when they were due. */
export function tailChart({ runs }: TailResult): string {
  const loads = [...new Set(runs.map(({ load }) => load))];
  const callers = [...new Set(runs.map(({ caller }) => caller))];
  const wide = WIDTH - PLOT.left - PLOT.right;
  const high = HEIGHT - PLOT.top - PLOT.bottom;
  const x = (load: number): number => PLOT.left + (wide * loads.indexOf(load)) / Math.max(1, loads.length - 1);
  const y = (ms: number): number => {
    const [least, most] = [Math.log10(TICKS_MS[0] as number), Math.log10(TICKS_MS.at(-1) as number)];
    const share = (Math.log10(Math.max(ms, 1)) - least) / (most - least);
    return PLOT.top + high * (1 - Math.min(1, Math.max(0, share)));
  };
  const axis = TICKS_MS.flatMap((ms) => [
    `<line x1="${PLOT.left}" x2="${WIDTH - PLOT.right}" y1="${y(ms).toFixed(1)}" y2="${y(ms).toFixed(1)}" stroke="#8a9ba8" stroke-opacity="0.3"/>`,
    `<text x="${PLOT.left - 8}" y="${(y(ms) + 4).toFixed(1)}" text-anchor="end">${ms} ms</text>`,
  ]);
  const below = loads.map(
    (load) =>
      `<text x="${x(load).toFixed(1)}" y="${HEIGHT - 12}" text-anchor="middle">${Math.round(load * 100)} %</text>`,
  );
  let [ours, theirs] = [0, 0];
  const lines = callers.flatMap((caller, i) => {
    const mine = caller.startsWith('macadam');
    const colour = mine ? OURS[ours++ % OURS.length] : THEIRS[theirs++ % THEIRS.length];
    const points = runs.filter((run) => run.caller === caller && run.answered > 0);
    const path = points.map(({ load, p99Ms }) => `${x(load).toFixed(1)},${y(p99Ms).toFixed(1)}`).join(' ');
    const labelY = PLOT.top + 12 + i * 20;
    return [
      `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      ...points.map(
        (run) => `<circle cx="${x(run.load).toFixed(1)}" cy="${y(run.p99Ms).toFixed(1)}" r="3.5" fill="${colour}"/>`,
      ),
      `<line x1="${WIDTH - PLOT.right + 16}" x2="${WIDTH - PLOT.right + 36}" y1="${labelY - 4}" y2="${labelY - 4}" stroke="${colour}" stroke-width="3"/>`,
      `<text x="${WIDTH - PLOT.right + 42}" y="${labelY}">${caller}</text>`,
    ];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="p99 by load" font-family="system-ui, sans-serif" font-size="12" fill="#7d8b99">`,
    '<text x="0" y="18" font-size="13" font-weight="600">p99 of successful calls, by load in % of capacity</text>',
    ...axis,
    ...below,
    ...lines,
    '</svg>',
    '',
  ].join('\n');
}
