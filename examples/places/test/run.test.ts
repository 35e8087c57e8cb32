// The whole run, started as a user starts it, with phases of about a second.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { phaseNames } from '../src/scenario.ts';
import { crowd } from '../src/traffic.ts';

const source = (file: string): string => fileURLToPath(new URL(`../src/${file}`, import.meta.url));
// As in tsconfig.json. Has an effect only inside the repository of Macadam.
const node = ['--conditions=@macadam/source'];
const short = ['--scale', '0.15', '--patience', '1500'];

interface Started {
  child: ChildProcess;
  output: () => string;
  errors: () => string;
  /** Resolves when the output contains `text`. */
  prints(text: string): Promise<void>;
  /** Resolves when the run and all processes that it started have exited: they all hold its output open. */
  exited: Promise<{ code: number | null; signal: string | null }>;
}

let started: Started | undefined;

afterEach(async () => {
  started?.child.kill('SIGKILL');
  await started?.exited;
});

function start(args: readonly string[], file = 'main.ts'): Started {
  const child = spawn(process.execPath, [...node, source(file), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [output, errors] = ['', ''];
  const listeners = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    for (const listener of listeners) listener();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  started = {
    child,
    output: () => output,
    errors: () => errors,
    prints: (text) =>
      new Promise((resolve, reject) => {
        child.once('close', () => reject(new Error(`it ended without printing ${text}: ${errors}`)));
        const check = (): void => {
          if (!output.includes(text)) return;
          listeners.delete(check);
          resolve();
        };
        listeners.add(check);
        check();
      }),
    exited: once(child, 'close').then(
      ([code, signal]) => ({ code, signal }) as { code: number | null; signal: string | null },
    ),
  };
  return started;
}

describe('a run', () => {
  test('runs every variant through its phases and prints the comparison', { timeout: 120_000 }, async () => {
    const run = start(short);
    const { code } = await run.exited;
    const output = run.output();
    expect(run.errors()).toBe('');
    for (const variant of ['plain fetch', 'Macadam']) {
      const phases = output.split('\n').filter((line) => line.startsWith(variant) && line.includes(' calls done'));
      expect(phases.map((line) => / s {2}(\w+):/.exec(line)?.[1])).toEqual([...phaseNames]);
    }
    const rows = output.split('\n').filter((line) => / (wins|ties|LOSES)$/.test(line));
    expect(rows).toHaveLength(11);
    const promises = output.split('\n').filter((line) => /^ {2}(pass|FAIL) {2}/.test(line));
    expect(promises).toHaveLength(12);
    for (const phase of phaseNames)
      expect(output).toMatch(new RegExp(`^ {2}${phase} +\\d+ callers, \\d+ attempts`, 'm'));
    expect(output).toContain('GeoNames');
    expect(output).toMatch(/^success in the outage +\d/m);
    for (const { name } of crowd) expect(output).toMatch(new RegExp(`^${name} \\(\\w+\\) +\\d+ +\\d`, 'm'));
    // With phases this short, a single caller can break a promise. The exit code must match the report.
    const lost = rows.some((row) => row.endsWith('LOSES')) || promises.some((line) => line.startsWith('  FAIL'));
    expect(code).toBe(lost ? 1 : 0);
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('exits on %s with its processes, without error output', async (signal, expected) => {
    const run = start(short);
    await run.prints('calm: ');
    run.child.kill(signal);
    expect(await run.exited).toEqual({ code: expected, signal: null });
    expect(run.errors()).toBe('');
  });

  test('leaves no process behind when it is killed', async () => {
    const run = start(short);
    await run.prints('calm: ');
    run.child.kill('SIGKILL');
    expect(await run.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(run.errors()).toBe('');
  });

  test('exits on SIGINT while its processes are starting', async () => {
    const run = start(short);
    await once(run.child, 'spawn');
    run.child.kill('SIGINT');
    const { code, signal } = await run.exited;
    // Before the first line of code runs, the signal ends the process. A shell reports 130 for both.
    expect(code ?? signal).toSatisfy((end) => end === 130 || end === 'SIGINT');
    expect(run.errors()).toBe('');
  });
});

test.each([
  ['main.ts', ['--scale', 'abc'], 'Option --scale is "abc"; it must be a number of at least 0.1 and at most 100.'],
  ['main.ts', ['--scale', '0'], 'Option --scale is 0; it must be a number of at least 0.1 and at most 100.'],
  ['main.ts', ['--rate', ''], 'Option --rate is ""; it must be a number above 0 and at most 10000.'],
  ['main.ts', ['--patience', '5s'], 'Option --patience is "5s"; it must be a number of at least 1'],
  [
    'gazetteer.ts',
    ['--condition', 'rain'],
    'Option --condition is "rain"; it must be one of "healthy", "slow", "storm",',
  ],
  ['places.ts', ['--port', 'http'], 'Option --port is "http"; it must be a number of at least 0 and at most 65535.'],
  ['places.ts', ['--lookup', 'got'], 'Option --lookup is "got"; it must be one of "macadam", "fetch".'],
])('%s %j prints what is wrong and exits', async (file, args, message) => {
  const run = start(args, file);
  expect((await run.exited).code).toBe(1);
  expect(run.errors()).toContain(message);
});
