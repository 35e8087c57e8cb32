import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, closeSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const script = join(import.meta.dirname, 'children', 'log-then.ts');
const folder = mkdtempSync(join(tmpdir(), 'macadam-telemetry-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const nodeArgs = ['--conditions=@macadam/source', '--disable-warning=ExperimentalWarning'];

/** Through a shell, whose pipe is a FIFO as in production; the pipes of `spawn` are sockets. */
function shell(command: string, args: readonly string[], file = script): ChildProcess {
  const { NODE_OPTIONS: _, ...env } = process.env;
  return spawn('/bin/sh', ['-c', command, 'sh', process.execPath, ...nodeArgs, file, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function start(args: readonly string[], stdout: 'pipe' | number = 'pipe'): ChildProcess {
  const { NODE_OPTIONS: _, ...env } = process.env;
  return spawn(process.execPath, [...nodeArgs, script, ...args], { env, stdio: ['ignore', stdout, 'pipe'] });
}

async function text(stream: NodeJS.ReadableStream | null): Promise<string> {
  let all = '';
  if (stream !== null) for await (const chunk of stream) all += String(chunk);
  return all;
}

const parse = (all: string): { i?: number; msg: string }[] =>
  all
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { i?: number; msg: string });

const numbers = (all: string): unknown[] => parse(all).flatMap(({ i }) => (i === undefined ? [] : [i]));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Makes room for a line now and then, much more slowly than lines are logged. */
const readerOf = (slowReads: number, bytes: number): string =>
  `{ n=0; while [ $n -lt ${slowReads} ]; do dd bs=${bytes} count=1 2>/dev/null; n=$((n+1)); done; cat; }`;
const slowReader = readerOf(40, 6_000);
/** Slow for less long: on a busy machine, forty processes alone take longer than the second at exit. */
const readerThatRecovers = readerOf(6, 24_000);

describe('T1: the last line is never lost', () => {
  it.each(['exit', 'throw', 'reject', 'abort', 'kill', 'natural', 'T2: inExit'])('to a pipe, on %s', async (name) => {
    const how = name.replace('T2: ', '');
    const child = start([how, '500']);
    const [all] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    expect(numbers(all)).toEqual(upTo(500));
    if (['throw', 'reject', 'inExit'].includes(how)) expect(parse(all).at(-1)).toMatchObject({ msg: 'last' });
  });

  it.each(['exit', 'throw', 'kill'])('to a file by path, on %s', async (how) => {
    const path = join(folder, `${how}.log`);
    const child = start([how, '500', path]);
    await Promise.all([text(child.stderr), once(child, 'close')]);
    expect(numbers(readFileSync(path, 'utf8'))).toEqual(upTo(500));
  });

  it('to the standard output redirected to a file', async () => {
    const path = join(folder, 'stdout.log');
    const file = openSync(path, 'w');
    const child = start(['exit', '500'], file);
    closeSync(file);
    await Promise.all([text(child.stderr), once(child, 'close')]);
    expect(numbers(readFileSync(path, 'utf8'))).toEqual(upTo(500));
  });

  // The reader sleeps while much more than the 64 KiB capacity of a pipe is written, then reads everything.
  it.each(['exit', 'throw', 'natural', 'inExit'])('to a slow reader of a pipe, on %s', async (how) => {
    const child = shell('"$@" 2>&2 | { sleep 0.3; cat; }', [how, '2000']);
    const [all] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    expect(numbers(all)).toEqual(upTo(2_000));
    if (how === 'throw' || how === 'inExit') expect(parse(all).at(-1)).toMatchObject({ msg: 'last' });
  });

  it.each([
    ['after the one of the logger', 400, 'manyInExit'],
    ['after the one of the logger, if Node does not say that the process is exiting', 400, 'manyInUnknownExit'],
    ['with nothing waiting before', 10, 'manyInExit'],
  ])('to a slow reader, when an exit handler logs many lines, %s', async (_name, count, how) => {
    const child = shell(`"$@" | ${readerThatRecovers}`, [how, String(count)]);
    const [all] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    expect(numbers(all)).toEqual(upTo(count + 500));
  });

  it.each([
    ['without a handler of the application', 'sigterm'],
    ['with a handler of the application', 'handled'],
    ['with a handler of the application that is called once', 'handledOnce'],
  ])('to a reader that goes on after the signal, on SIGTERM %s', async (_name, how) => {
    const signalled = join(folder, `${how}.signalled`);
    const reader = `{ while [ ! -e ${signalled} ]; do sleep 0.02; done; cat; }`;
    const command = `exec 3>&1; ( "$@" & echo "pid $!" >&2; wait $!; echo "status $?" >&2 ) | ${reader}`;
    const sub = shell(command, [how, '2000']);
    let pid = 0;
    let notes = '';
    sub.stderr!.on('data', (chunk: Buffer) => {
      notes += String(chunk);
      pid = Number(/pid (\d+)/.exec(notes)?.[1] ?? 0);
      if (pid > 0 && notes.includes('ready')) {
        notes = '';
        process.kill(pid, 'SIGTERM');
        writeFileSync(signalled, '');
        pid = 0;
      }
    });
    const [all] = await Promise.all([text(sub.stdout), once(sub, 'close')]);
    expect(numbers(all)).toEqual(upTo(2_000));
    // 143: the process was ended by the signal, as it would be without a logger.
    expect(notes).toContain(how === 'sigterm' ? 'status 143' : 'status 0');
    if (how !== 'sigterm') expect(parse(all).at(-1)).toMatchObject({ msg: 'stopping' });
  });

  it('and a SIGTERM that arrives while the backlog is written still ends the process', async () => {
    const command = '{ "$@"; echo "status $?" >&2; } | { sleep 0.3; cat; }';
    const sub = shell(command, ['signalWhileDraining', '2000']);
    const [all, notes] = await Promise.all([text(sub.stdout), text(sub.stderr), once(sub, 'close')]);
    expect(numbers(all)).toEqual(upTo(2_000));
    expect(notes).toContain('status 143');
  });
});

it('never mixes lines of two loggers that share a pipe with a slow reader', async () => {
  const child = shell(`"$@" | ${slowReader}`, [], join(import.meta.dirname, 'children', 'two-loggers.ts'));
  const [all] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  const lines = parse(all) as unknown as { name: string; i: number }[];
  for (const name of ['a', 'b'])
    expect(lines.filter((line) => line.name === name).map(({ i }) => i)).toEqual(upTo(300));
});

it.skipIf(!existsSync('/dev/full'))(
  'warns about a full disk, and about the number of lines lost at the end',
  async () => {
    const child = start(['stats', '3', '/dev/full']);
    const [notes] = await Promise.all([text(child.stderr), once(child, 'close')]);
    expect(notes.match(/cannot be written to \(ENOSPC\)/g)).toHaveLength(1);
    expect(notes).toContain('did not take the last 3 lines');
  },
);

/** Returns the first JSON object on standard error, and then kills the whole pipeline, including a reader that never reads. */
async function statsOf(
  command: string,
  args: readonly string[],
  file = script,
): Promise<{ stats: Record<string, number>; notes: string }> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = spawn('/bin/sh', ['-c', command, 'sh', process.execPath, ...nodeArgs, file, ...args], {
    env,
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let notes = '';
  for await (const chunk of child.stderr!) {
    notes += String(chunk);
    if (/\{.*\}/.test(notes)) break;
  }
  process.kill(-child.pid!, 'SIGKILL');
  return { stats: JSON.parse(/\{.*\}/.exec(notes)![0]) as Record<string, number>, notes };
}

describe('a reader that stops reading', () => {
  it('T3: flush settles within its time limit, and the process continues', async () => {
    const { stats } = await statsOf('"$@" | sleep 60', ['flush', '5000']);
    expect(stats['backlogBytes']).toBeGreaterThan(500_000);
  });

  it('does not block the process, also if the pipe is given as a path', async () => {
    const { stats } = await statsOf('"$@" | { sleep 1; cat >/dev/null; }', ['longestCall', '0', '/dev/stdout']);
    expect(stats['backlogBytes']).toBeGreaterThan(100_000);
  });

  it('costs a second at exit, not one for each logger', async () => {
    // The pauses are counted instead of the time.
    const { stats } = await statsOf('"$@" | sleep 60', [], join(import.meta.dirname, 'children', 'blocked-loggers.ts'));
    expect(stats).toEqual({ blocked: 5, pausedMs: 1_000 });
  });

  it('costs no more than that second when a logger recovers meanwhile and is blocked again', async () => {
    const { stats } = await statsOf('"$@"', [], join(import.meta.dirname, 'children', 'exit-tasks.ts'));
    expect(stats).toEqual({ pausedMs: 1_000 });
  });

  it('counts the lines that are logged in an exit handler and lost', async () => {
    const { stats, notes } = await statsOf('"$@" | sleep 60', ['statsInExit', '1000']);
    expect(stats['backlogBytes']).toBe(0);
    expect(stats['dropped']).toBeGreaterThan(500);
    expect(notes.match(/did not take the last \d+ lines/g)).toHaveLength(1);
  });

  it('T4: limits memory, drops the oldest lines first, and warns once', async () => {
    const { stats, notes } = await statsOf('"$@" | sleep 60', ['stats', '100000']);
    expect(stats['backlogBytes']).toBeLessThanOrEqual(8_388_608);
    expect(stats['dropped']).toBeGreaterThan(50_000);
    expect(stats['rssMb']).toBeLessThan(250);
    expect(notes.match(/the oldest lines are dropped/g)).toHaveLength(1);
  });

  it('T5: survives EPIPE, and counts the lost lines', async () => {
    const child = shell('{ sleep 0.2; "$@"; echo "status $?" >&2; } | true', ['stats', '1000']);
    const notes = await text(child.stderr);
    expect(notes).toContain('status 0');
    expect(JSON.parse(/\{.*\}/.exec(notes)![0])).toMatchObject({ dropped: 1_000, backlogBytes: 0 });
    expect(notes.match(/is closed/g)).toHaveLength(1);
  });
});
