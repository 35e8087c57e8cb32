import { describe, expect, test } from 'vitest';
import { flameGraph, type CpuProfile } from '../profile/flame-graph.ts';
import { flameFile, profilePage } from '../profile/page.ts';
import { sharesOf } from '../profile/shares.ts';

/** Each function is sampled for so many microseconds. */
function profileOf(functions: readonly (readonly [name: string, url: string, us: number])[]): CpuProfile {
  const nodes = functions.map(([functionName, url], i) => ({
    ...{ id: i + 2, callFrame: { functionName, url, lineNumber: 0 } },
  }));
  const root = { id: 1, callFrame: { functionName: '(root)', url: '', lineNumber: -1 } };
  return {
    nodes: [{ ...root, children: nodes.map(({ id }) => id) }, ...nodes],
    samples: nodes.map(({ id }) => id),
    timeDeltas: functions.map(([, , us]) => us),
  };
}

const profile = profileOf([
  ['operateFor', 'file:///w/bench/profile/main.ts', 500],
  ['post', 'node:inspector', 300],
  ['start', 'file:///w/packages/resilience/dist/index.js', 50],
  ['', 'file:///w/packages/resilience/dist/index.js', 20],
  ['parse', 'file:///w/node_modules/.pnpm/undici@8.0.0/node_modules/undici/lib/x.js', 10],
  ['(garbage collector)', '', 10],
  ['(program)', '', 5],
  ['now', 'node:internal/perf_hooks', 5],
]);

describe('the time of a path', () => {
  test('is given by package, without the measuring code', () => {
    expect(sharesOf('path', profile).owners).toEqual([
      { label: '@macadam/resilience', share: 0.7 },
      { label: 'undici', share: 0.1 },
      { label: 'garbage collection', share: 0.1 },
      { label: 'the runtime', share: 0.05 },
      { label: 'Node', share: 0.05 },
    ]);
  });

  test('is given by function, without those of the runtime itself', () => {
    expect(sharesOf('path', profile).functions.map(({ label }) => label)).toEqual([
      ...['start, @macadam/resilience', '(anonymous), @macadam/resilience', 'parse, undici', 'now, Node'],
    ]);
  });

  test('is on a page with each flame graph', () => {
    const run = { date: '2026-01-02', node: 'v24.0.0', cpu: 'A', seconds: 3 };
    const text = profilePage({ ...run, paths: [sharesOf('cache: peek, hit', profile)] });
    expect(text).toContain('| start, @macadam/resilience | 50 % |');
    expect(text).toContain('[Flame graph](profile-cache-peek-hit.svg)');
  });
});

test('a frame of a flame graph is as wide as its time', () => {
  const graph = flameGraph(
    profileOf([
      ['half', '/x/y/a.js', 10],
      ['<other>', '/x/y/a.js', 10],
    ]),
    'path',
  );
  expect(graph).toContain('<title>half x/y/a.js:1 50.0 %</title>');
  expect(graph).toContain('&lt;other>');
  expect(graph.match(/width="600.0"/g)).toHaveLength(2);
});

test('the file name of a flame graph is safe in paths and links', () => {
  expect(flameFile('http: get of small JSON, no socket')).toBe('profile-http-get-of-small-json-no-socket.svg');
});
