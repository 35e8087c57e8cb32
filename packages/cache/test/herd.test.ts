import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { servers } from '@macadam/test-support/redis-servers';

interface HerdResult {
  readonly values: string[];
  readonly loads: number;
}

describe('cacheable #1201: four processes with 250 concurrent reads each of one cold key', { timeout: 60_000 }, () => {
  const children: ChildProcess[] = [];
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  async function herd(url: string): Promise<HerdResult[]> {
    const prefix = `herd-${process.pid}`;
    const execArgv = ['--conditions=@macadam/source', '--unhandled-rejections=strict'];
    for (let i = 0; i < 4; i++) {
      children.push(fork(join(import.meta.dirname, 'race', 'herd-worker.ts'), [url, prefix], { execArgv }));
    }
    await Promise.all(children.map((child) => once(child, 'message')));
    const results = children.map((child) => once(child, 'message'));
    for (const child of children) child.send('go');
    return (await Promise.all(results)).map(([result]) => result as HerdResult);
  }

  for (const { name, url } of servers) {
    it.skipIf(url === undefined)(`load it once in total, on ${name}`, async () => {
      const results = await herd(url as string);
      expect(results.map(({ values }) => values)).toEqual([['value'], ['value'], ['value'], ['value']]);
      expect(results.map(({ loads }) => loads).sort()).toEqual([0, 0, 0, 1]);
    });
  }

  it('load it once per process without Redis', async () => {
    // Nothing listens on the discard port.
    const results = await herd('redis://127.0.0.1:9');
    expect(results.map(({ loads }) => loads)).toEqual([1, 1, 1, 1]);
  });
});
