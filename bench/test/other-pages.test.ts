import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { installSize } from '../footprint/install-size.ts';
import { footprintPage, type FootprintResult } from '../footprint/page.ts';
import { tailChart } from '../tail/chart.ts';
import { tailPage, type TailResult } from '../tail/page.ts';

const machine = { date: '2026-01-02', node: 'v24.0.0', cpu: 'A', quiet: true };

describe('the page of waits under pressure', () => {
  const run = (caller: string, load: number, p99Ms: number) => ({
    ...{ caller, load, perSecond: 1_000 * load, calls: 100, answered: 90, failures: { MAC_TIMEOUT: 10 } },
    ...{ p50Ms: 11, p90Ms: 12, p99Ms, p999Ms: 2 * p99Ms, cpuMsPerCall: 0.5 },
  });
  const runs = [0.5, 1.2].flatMap((load) => [run('macadam', load, 20), run('got', load, 400 * load)]);
  const result: TailResult = { ...machine, seconds: 8, capacity: 1_000, runs };

  test('has a table for each load, what was not answered beside the waits', () => {
    const text = tailPage(result);
    expect(text).toContain('## 120 % of capacity, 1200 requests a second');
    expect(text).toContain('| got | 90.0 % | 11.0 | 12.0 | 480 | 960 | 0.50 | 10 MAC_TIMEOUT |');
    expect(text).toContain('![p99 by load](tail.svg)');
  });

  test('has a chart with a line for each caller, a longer wait above a shorter one', () => {
    const chart = tailChart(result);
    const heights = (index: number): number[] =>
      [...(chart.match(/points="([^"]+)"/g)?.[index] ?? '').matchAll(/,([\d.]+)/g)].map(([, y]) => Number(y));
    expect(heights(0)).toHaveLength(2);
    expect(Math.min(...heights(0))).toBeGreaterThan(Math.max(...heights(1)));
  });
});

describe('the page of import time and install size', () => {
  test('has a table for each job', () => {
    const size = { version: '1.0.0', packages: 3, bytes: 123_456, installScripts: 0 };
    const one = { group: 'http', name: 'got', importCpuMs: { median: 40.25, spread: 0.1 }, ...size };
    const result: FootprintResult = { ...machine, rounds: 9, packages: [one] };
    expect(footprintPage(result)).toContain('| got 1.0.0 | 40.3 ms ± 10 % | 3 | 123 kB | 0 |');
  });
});

describe('what an install brings', () => {
  const folders: string[] = [];
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
  });

  function workspace(packages: Readonly<Record<string, object>>): string {
    const root = mkdtempSync(join(tmpdir(), 'macadam-size-'));
    folders.push(root);
    for (const [name, manifest] of Object.entries(packages)) {
      mkdirSync(join(root, 'node_modules', name), { recursive: true });
      const text = JSON.stringify({ name, version: '1.0.0', ...manifest });
      writeFileSync(join(root, 'node_modules', name, 'package.json'), text);
    }
    return root;
  }

  test('is the package with all it depends on, each once, peers included unless they are optional', () => {
    const root = workspace({
      a: {
        dependencies: { b: '1', c: '1' },
        peerDependencies: { p: '1', q: '1' },
        peerDependenciesMeta: { q: { optional: true } },
      },
      b: { dependencies: { c: '1' }, optionalDependencies: { gone: '1' } },
      ...{ c: { scripts: { postinstall: 'true' } }, p: {}, q: {} },
    });
    expect(installSize('a', root)).toMatchObject({ version: '1.0.0', packages: 4, installScripts: 1 });
  });

  test('cannot be told of what is not there', () => {
    expect(() => installSize('a', workspace({ a: { dependencies: { b: '1' } } }))).toThrow('b is not installed');
  });
});
