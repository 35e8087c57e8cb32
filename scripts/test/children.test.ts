import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { run } from '../children.mjs';

const members = [
  'middle',
  'titled',
  'server',
  'server-child',
  'server-escaped',
  'worker',
  'worker-child',
  'worker-escaped',
];
let outer: ChildProcess | undefined;
let pids: Record<string, number> = {};

afterEach(() => {
  for (const pid of [outer?.pid ?? 0, ...Object.values(pids)]) {
    if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  }
});

/** Three layers of processes, some of which are deaf to signals; resolves when all of them run. */
async function grow(): Promise<{
  ended: Promise<{ code: number | null; signal: string | null }>;
  output: () => string;
}> {
  pids = {};
  let output = '';
  const { VITEST: _, NODE_OPTIONS: __, npm_lifecycle_event: ___, ...env } = process.env;
  const child = spawn(process.execPath, [join(import.meta.dirname, 'tree', 'outer.mjs')], { env, detached: true });
  outer = child;
  const ended = new Promise<{ code: number | null; signal: string | null }>((done) => {
    child.once('exit', (code, signal) => done({ code, signal }));
  });
  await new Promise<void>((ready, reject) => {
    child.once('exit', () => reject(new Error(`ended before it was ready:\n${output}`)));
    const read = (chunk: Buffer): void => {
      output += chunk.toString();
      pids = Object.fromEntries([...output.matchAll(/^(\S+) (\d+)$/gm)].map(([, name, pid]) => [name, Number(pid)]));
      if (Object.keys(pids).length === members.length) ready();
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
  });
  return { ended, output: () => output };
}

function isAlive(pid: number): boolean {
  if (pid <= 0) return false;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !/^ [ZX]/.test(stat.slice(stat.lastIndexOf(')') + 1));
  } catch {
    return false;
  }
}

async function gone(): Promise<string[]> {
  const left = () => Object.entries(pids).filter(([, pid]) => isAlive(pid));
  await expect.poll(left, { timeout: 10_000, interval: 50 }).toEqual([]);
  return left().map(([name]) => name);
}

describe.runIf(process.platform === 'linux')('when a run is stopped', { timeout: 30_000 }, () => {
  it.each([
    { signal: 'SIGINT', code: 130 },
    { signal: 'SIGTERM', code: 143 },
    { signal: 'SIGHUP', code: 129 },
  ] as const)('$signal to the outermost process alone ends the whole tree with $code', async ({ signal, code }) => {
    const { ended, output } = await grow();
    outer?.kill(signal);
    expect(await ended).toEqual({ code, signal: null });
    expect(await gone()).toEqual([]);
    expect(
      output()
        .split('\n')
        .filter((line) => line !== '' && !/^\S+ \d+$/.test(line)),
    ).toEqual([]);
  });

  it('a Ctrl-C that reaches the group and the outermost process stops the run once', async () => {
    const { ended } = await grow();
    process.kill(-(outer?.pid ?? 0), 'SIGINT');
    outer?.kill('SIGINT');
    expect(await ended).toEqual({ code: 130, signal: null });
    expect(await gone()).toEqual([]);
  });

  it('a signal to the middle process stops the tree, and the outermost process reports it', async () => {
    const { ended } = await grow();
    process.kill(pids['middle'] ?? 0, 'SIGTERM');
    expect(await ended).toEqual({ code: 143, signal: null });
    expect(await gone()).toEqual([]);
  });

  it('a middle process that is killed with SIGKILL leaves no process behind', async () => {
    const { ended } = await grow();
    process.kill(pids['middle'] ?? 0, 'SIGKILL');
    expect(await ended).toEqual({ code: 137, signal: null });
    expect(await gone()).toEqual([]);
  });

  it('an outermost process that is killed with SIGKILL leaves no process behind', async () => {
    const { ended } = await grow();
    outer?.kill('SIGKILL');
    await ended;
    // Nobody is left to look for those that had left their group.
    const escaped = Object.entries(pids).filter(([name]) => name.endsWith('-escaped'));
    for (const [name] of escaped) delete pids[name];
    expect(await gone()).toEqual([]);
    for (const [, pid] of escaped) process.kill(pid, 'SIGKILL');
  });
});

describe('run', () => {
  it('reports the exit code and the output', async () => {
    const script = 'console.log("out"); console.error("err"); process.exit(3)';
    const { code, output, stdout } = await run(process.execPath, ['-e', script], { output: 'capture' });
    expect({ code, stdout, lines: output.split('\n').filter(Boolean).sort() }).toEqual({
      code: 3,
      stdout: 'out\n',
      lines: ['err', 'out'],
    });
  });

  it('kills a process that exceeds its time limit', async () => {
    const { code, output } = await run(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
      output: 'capture',
      timeoutMs: 200,
    });
    expect(code).toBe(137);
    expect(output).toContain('still running after 200 ms');
  });

  it('names a program that cannot be started', async () => {
    await expect(run('/nowhere/at-all', [])).rejects.toThrow('cannot start /nowhere/at-all');
  });

  it('kills processes that remain in the group', async () => {
    const script = `const { spawn } = require('node:child_process');
      const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
      console.log(child.pid); child.unref();`;
    const { stdout } = await run(process.execPath, ['-e', script], { output: 'capture' });
    const pid = Number(stdout.trim());
    expect(pid).toBeGreaterThan(0);
    await expect.poll(() => isAlive(pid)).toBe(false);
  });
});
