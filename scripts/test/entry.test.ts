import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { readManifest, root } from '../workspace.ts';

const run = promisify(execFile);
const runner = join(root, 'scripts', 'run-task.ts');

describe('the commands of the workspace', () => {
  const scripts = Object.entries(readManifest(root).scripts ?? {});

  it.each(scripts)(
    'npm run %s starts bootstrap.mjs with exec, so that no shell remains in between',
    (name, command) => {
      expect(command).toBe(`exec node scripts/bootstrap.mjs ${name}`);
    },
  );

  it('each have a task', async () => {
    const failure = await run(process.execPath, [runner, 'no-such-task']).then(
      () => undefined,
      (error: { code: number; stderr: string }) => error,
    );
    expect(failure?.code).toBe(1);
    const known = /There are: (.*)\.$/m.exec(failure?.stderr ?? '')?.[1]?.split(', ') ?? [];
    expect(scripts.map(([name]) => name).filter((name) => !known.includes(name))).toEqual([]);
    expect(failure?.stderr).not.toMatch(/^\s+at /m);
  });

  it('are the commands that CI runs', () => {
    const path = join(root, '.ci', 'run');
    expect(readFileSync(path, 'utf8').trim().split('\n').at(-1)).toBe('exec npm test');
    expect(statSync(path).mode & 0o111).toBe(0o111);
  });
});
