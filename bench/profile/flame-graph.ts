/** A node of a CPU profile, as the inspector returns it. */
export interface ProfileNode {
  id: number;
  callFrame: { functionName: string; url: string; lineNumber: number };
  children?: number[] | undefined;
}

export interface CpuProfile {
  nodes: readonly ProfileNode[];
  samples?: readonly number[] | undefined;
  timeDeltas?: readonly number[] | undefined;
}

interface Frame {
  label: string;
  /** Time in the frame and its callees, in microseconds. */
  total: number;
  children: Map<string, Frame>;
}

const WIDTH = 1_200;
const ROW = 18;
/** Frames narrower than this many pixels are left out. */
const MIN_WIDTH = 0.6;
const MAX_DEPTH = 60;

/** Draws a profile as a flame graph: width is time, callers are below callees, and equal stacks are merged. */
export function flameGraph(profile: CpuProfile, title: string): string {
  const root = framesOf(profile);
  const shapes: string[] = [];
  let deepest = 0;
  const draw = (frame: Frame, x: number, width: number, depth: number): void => {
    if (width < MIN_WIDTH || depth > MAX_DEPTH) return;
    deepest = Math.max(deepest, depth);
    const share = ((100 * frame.total) / root.total).toFixed(1);
    const text = frame.label.slice(0, Math.floor(width / 6.5));
    shapes.push(
      `<g transform="translate(${x.toFixed(1)} ${depth})"><title>${escape(frame.label)} ${share} %</title>` +
        `<rect width="${width.toFixed(1)}" height="${ROW - 1}" rx="1" fill="${colour(frame.label)}"/>` +
        (text.length > 2 ? `<text x="3" y="13">${escape(text)}</text>` : '') +
        '</g>',
    );
    let at = x;
    for (const child of [...frame.children.values()].sort((a, b) => b.total - a.total)) {
      const wide = (child.total / frame.total) * width;
      draw(child, at, wide, depth + 1);
      at += wide;
    }
  };
  draw(root, 0, WIDTH, 0);
  const height = 30 + (deepest + 1) * ROW;
  const placed = shapes.map((shape) =>
    shape.replace(/translate\(([\d.]+) (\d+)\)/, (_, x: string, depth: string) => {
      return `translate(${x} ${height - (Number(depth) + 1) * ROW})`;
    }),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="monospace" font-size="11" fill="#222">`,
    `<text x="4" y="16" font-size="13" fill="#7d8b99">${escape(title)}</text>`,
    ...placed,
    '</svg>',
    '',
  ].join('\n');
}

function framesOf({ nodes, samples = [], timeDeltas = [] }: CpuProfile): Frame {
  const self = new Map<number, number>();
  for (const [i, id] of samples.entries()) self.set(id, (self.get(id) ?? 0) + (timeDeltas[i] ?? 0));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const merge = (ids: readonly number[], label: string): Frame => {
    const frame: Frame = { label, total: ids.reduce((sum, id) => sum + (self.get(id) ?? 0), 0), children: new Map() };
    const below = new Map<string, number[]>();
    for (const id of ids) {
      for (const child of byId.get(id)?.children ?? []) {
        const name = labelOf(byId.get(child) as ProfileNode);
        below.set(name, [...(below.get(name) ?? []), child]);
      }
    }
    for (const [name, children] of below) {
      const child = merge(children, name);
      frame.total += child.total;
      if (child.total > 0) frame.children.set(name, child);
    }
    return frame;
  };
  const root = nodes[0];
  return merge(root === undefined ? [] : [root.id], 'all');
}

function labelOf({ callFrame: { functionName, url, lineNumber } }: ProfileNode): string {
  const file = url.split('/').slice(-3).join('/');
  return `${functionName || '(anonymous)'}${file === '' ? '' : ` ${file}:${lineNumber + 1}`}`;
}

/** Our code stands out, garbage collection has a warning colour, and all other frames have similar warm colours. */
function colour(label: string): string {
  if (label.startsWith('(garbage')) return '#c0504d';
  return label.includes('/dist/') || label.includes('/src/') ? '#e8a33d' : '#d8cfc0';
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
