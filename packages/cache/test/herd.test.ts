import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { servers } from '@macadam/test-support/redis-servers';

interface Answer {
  readonly values: string[];
  readonly loads: number;
}

describe('cacheable #1201: four processes ask for one cold key, 250 times each at once', { timeout: 60_000 }, () => {
  const children: ChildProcess[] = [];
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  async function herd(url: string): Promise<Answer[]> {
    const prefix = `herd-${process.pid}`;
    const execArgv = ['--conditions=@macadam/source', '--unhandled-rejections=strict'];
    for (let i = 0; i < 4; i++) {
      children.push(fork(join(import.meta.dirname, 'race', 'herd-worker.ts'), [url, prefix], { execArgv }));
    }
    await Promise.all(children.map((child) => once(child, 'message')));
    const answers = children.map((child) => once(child, 'message'));
    for (const child of children) child.send('go');
    return (await Promise.all(answers)).map(([answer]) => answer as Answer);
  }

  for (const { name, url } of servers) {
    it.skipIf(url === undefined)(`is one load, on ${name}`, async () => {
      const answers = await herd(url as string);
      expect(answers.map(({ values }) => values)).toEqual([['value'], ['value'], ['value'], ['value']]);
      expect(answers.map(({ loads }) => loads).sort()).toEqual([0, 0, 0, 1]);
    });
  }

  it('without Redis, is one load in each', async () => {
    // Nothing listens on the port of discard.
    const answers = await herd('redis://127.0.0.1:9');
    expect(answers.map(({ loads }) => loads)).toEqual([1, 1, 1, 1]);
  });
});
