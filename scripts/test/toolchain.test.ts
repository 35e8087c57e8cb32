import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { isNewEnough, onPath } from '../toolchain.mjs';

describe('isNewEnough', () => {
  it.each([
    ['v18.20.0', false],
    ['v20.20.2', false],
    ['v22.18.9', false],
    ['v22.19.0', true],
    ['v22.23.3', true],
    ['v23.11.0', false],
    ['v24.10.0', false],
    ['v24.11.0', true],
    ['v25.9.0', false],
    ['v26.0.0', true],
  ])('%s: %s', (version, expected) => {
    expect(isNewEnough(version)).toBe(expected);
  });
});

describe('onPath', () => {
  const before = process.env['PATH'];
  let folder = '';
  afterEach(() => {
    process.env['PATH'] = before;
    rmSync(folder, { recursive: true, force: true });
  });

  it('finds executables in the order of PATH, even in a folder with a space in its name', () => {
    folder = mkdtempSync(join(tmpdir(), 'macadam path-'));
    const paths = ['first', 'second', 'third'].map((name) => join(folder, name));
    paths.forEach((path, index) => {
      mkdirSync(path);
      writeFileSync(join(path, 'tool'), '#!/bin/sh\n');
      chmodSync(join(path, 'tool'), index === 1 ? 0o644 : 0o755);
    });
    process.env['PATH'] = ['', ...paths, '/nowhere'].join(':');
    // Root may write any file, but even root runs only what somebody may run.
    expect(onPath('tool')).toEqual([join(paths[0] ?? '', 'tool'), join(paths[2] ?? '', 'tool')]);
  });
});
