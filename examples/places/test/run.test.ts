// The whole run, as somebody starts it, with every phase about a second long.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { phaseNames } from '../src/script.ts';
import { crowd } from '../src/traffic.ts';

const source = (file: string): string => fileURLToPath(new URL(`../src/${file}`, import.meta.url));
// As in tsconfig.json: matters only inside the repository of Macadam.
const node = ['--conditions=@macadam/source'];
const short = ['--scale', '0.15', '--patience', '1500'];

interface Started {
  child: ChildProcess;
  output: () => string;
  errors: () => string;
  /** Resolves once the output so far has this in it. */
  says(text: string): Promise<void>;
  /** Resolves when the run and everything it started are gone: they all hold its output open. */
  gone: Promise<{ code: number | null; signal: string | null }>;
}

let started: Started | undefined;

afterEach(async () => {
  started?.child.kill('SIGKILL');
  await started?.gone;
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
    says: (text) =>
      new Promise((resolve, reject) => {
        child.once('close', () => reject(new Error(`it ended without saying ${text}: ${errors}`)));
        const look = (): void => {
          if (!output.includes(text)) return;
          listeners.delete(look);
          resolve();
        };
        listeners.add(look);
        look();
      }),
    gone: once(child, 'close').then(
      ([code, signal]) => ({ code, signal }) as { code: number | null; signal: string | null },
    ),
  };
  return started;
}

describe('a run', () => {
  test('takes every variant through its phases and prints the comparison', { timeout: 120_000 }, async () => {
    const run = start(short);
    const { code } = await run.gone;
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
    for (const { who } of crowd) expect(output).toMatch(new RegExp(`^${who} \\(\\w+\\) +\\d+ +\\d`, 'm'));
    // With phases this short a promise may be missed by a single caller; the verdict has to say so.
    const lost = rows.some((row) => row.endsWith('LOSES')) || promises.some((line) => line.startsWith('  FAIL'));
    expect(code).toBe(lost ? 1 : 0);
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('ends on %s with its processes, in silence', async (signal, expected) => {
    const run = start(short);
    await run.says('calm: ');
    run.child.kill(signal);
    expect(await run.gone).toEqual({ code: expected, signal: null });
    expect(run.errors()).toBe('');
  });

  test('leaves no process behind even when it is killed', async () => {
    const run = start(short);
    await run.says('calm: ');
    run.child.kill('SIGKILL');
    expect(await run.gone).toEqual({ code: null, signal: 'SIGKILL' });
    expect(run.errors()).toBe('');
  });

  test('ends on SIGINT while its processes are still starting', async () => {
    const run = start(short);
    await once(run.child, 'spawn');
    run.child.kill('SIGINT');
    const { code, signal } = await run.gone;
    // Before its first line of code runs, the signal itself is the end; a shell reports 130 for both.
    expect(code ?? signal).toSatisfy((end) => end === 130 || end === 'SIGINT');
    expect(run.errors()).toBe('');
  });
});

test.each([
  ['main.ts', ['--scale', 'abc'], 'Option --scale is "abc"; it must be a number of at least 0.1 and at most 100.'],
  ['main.ts', ['--scale', '0'], 'Option --scale is 0; it must be a number of at least 0.1 and at most 100.'],
  ['main.ts', ['--rate', ''], 'Option --rate is ""; it must be a number above 0 and at most 10000.'],
  ['main.ts', ['--patience', '5s'], 'Option --patience is "5s"; it must be a number of at least 1'],
  ['gazetteer.ts', ['--weather', 'rain'], 'Option --weather is "rain"; it must be one of "healthy", "slow", "storm",'],
  ['places.ts', ['--port', 'http'], 'Option --port is "http"; it must be a number of at least 0 and at most 65535.'],
  ['places.ts', ['--lookup', 'got'], 'Option --lookup is "got"; it must be one of "macadam", "fetch".'],
])('%s %j says what is wrong with it, and ends', async (file, args, words) => {
  const run = start(args, file);
  expect((await run.gone).code).toBe(1);
  expect(run.errors()).toContain(words);
});
