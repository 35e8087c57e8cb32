import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { checkLayers } from '../check-layers.ts';

let folder = '';
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const manifest = (short: string, more: object = {}) =>
  JSON.stringify({
    name: `@macadam/${short}`,
    version: '0.0.0',
    exports: { '.': { default: './dist/index.js' } },
    ...more,
  });

/** A workspace with these files and the violations that it has. */
function violations(files: Record<string, string>): string[] {
  folder = mkdtempSync(join(tmpdir(), 'macadam-layers-'));
  const all = {
    'packages/core/package.json': manifest('core'),
    'packages/http/package.json': manifest('http', { dependencies: { '@macadam/core': '*', undici: '*' } }),
    'packages/testkit/package.json': manifest('testkit', { dependencies: { '@macadam/core': '*' } }),
    'packages/telemetry/package.json': manifest('telemetry', { peerDependencies: { '@opentelemetry/api': '*' } }),
    'packages/service/package.json': manifest('service', { dependencies: { '@macadam/core': '*' } }),
    'examples/places/package.json': JSON.stringify({ name: 'places', version: '0.0.0' }),
    ...files,
  };
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return checkLayers(folder);
}

const http = (text: string, path = 'client.ts') => violations({ [`packages/http/src/${path}`]: text });

describe('checkLayers', () => {
  it('allows what the table allows', () => {
    expect(
      http(
        `import type { Clock } from '@macadam/core';\nimport { Agent } from 'undici';\nimport { once } from 'node:events';`,
      ),
    ).toEqual([]);
  });

  it.each([
    ['a package above it', `import { createCache } from '@macadam/cache';`, 'may not import @macadam/cache'],
    ['testkit', `import { virtualClock } from '@macadam/testkit';`, 'testkit is for tests'],
    ['what tests share', `import { runScript } from '@macadam/test-support/processes';`, 'test-support is for tests'],
    [
      'a subpath that is not exported',
      `import { x } from '@macadam/core/clock';`,
      'which @macadam/core does not export',
    ],
    ['itself by name', `import { x } from '@macadam/http';`, 'imports its own package'],
    ['its own index', `import { x } from './index.ts';`, 'imports its own index.ts'],
    ['the folder of another package', `import { x } from '../../core/src/clock.ts';`, 'outside its own src'],
    ['a file without extension', `import { x } from './retry';`, 'without its .ts extension'],
    ['a dependency that is not in the table', `import axios from 'axios';`, 'may not import axios'],
    ['a built-in without its scheme', `import { once } from 'events';`, 'write node:events'],
    ['OpenTelemetry in any file', `import { trace } from '@opentelemetry/api';`, 'only instruments.ts'],
    [
      'through a dynamic import',
      `export const load = () => import('@macadam/cache');`,
      'may not import @macadam/cache',
    ],
    ['through a type import', `export type A = import('@macadam/cache').Cache;`, 'may not import @macadam/cache'],
    ['through a re-export', `export { x } from '@macadam/cache';`, 'may not import @macadam/cache'],
  ])('refuses %s', (_, text, message) => {
    const found = http(text);
    expect(found.filter((line) => line.startsWith('packages/http/src/client.ts:1 ')).join('\n')).toContain(message);
  });

  it('does not take a string or a comment for an import', () => {
    expect(http(`// import x from 'axios'\nexport const text = "import x from 'axios'";`)).toEqual([]);
  });

  it('refuses a dependency that package.json does not name', () => {
    const found = violations({ 'packages/service/src/a.ts': `import { createLogger } from '@macadam/telemetry';` });
    expect(found).toEqual([
      'packages/service/src/a.ts:1 imports @macadam/telemetry, which its package.json does not name',
    ]);
  });

  it('allows type imports where value imports are forbidden', () => {
    const type = violations({ 'packages/service/src/a.ts': `import type { HttpClient } from '@macadam/http';` });
    rmSync(folder, { recursive: true });
    const value = violations({ 'packages/service/src/a.ts': `import { createHttpClient } from '@macadam/http';` });
    expect(type).toEqual([]);
    expect(value).toEqual(['packages/service/src/a.ts:1 may import only types from @macadam/http']);
  });

  it('lets telemetry use OpenTelemetry anywhere, and its SDK only under node', () => {
    const sdk = `import { NodeSDK } from '@opentelemetry/sdk-node';`;
    const api = `import { trace } from '@opentelemetry/api';`;
    const manifestWithSdk = manifest('telemetry', {
      dependencies: { '@opentelemetry/sdk-node': '*' },
      peerDependencies: { '@opentelemetry/api': '*' },
    });
    expect(
      violations({
        'packages/telemetry/package.json': manifestWithSdk,
        'packages/telemetry/src/a.ts': api,
        'packages/telemetry/src/b.ts': api,
        'packages/telemetry/src/node/start.ts': sdk,
        'packages/telemetry/src/span.ts': sdk,
      }),
    ).toEqual([
      'packages/telemetry/src/span.ts:1 may not import @opentelemetry/sdk-node',
      'packages/telemetry/src: @opentelemetry/sdk-node is imported by 2 files (node/start.ts, span.ts); one may',
    ]);
  });

  it('refuses a second file that imports the same dependency', () => {
    const text = `import { Agent } from 'undici';`;
    expect(violations({ 'packages/http/src/a.ts': text, 'packages/http/src/b.ts': text })).toEqual([
      'packages/http/src: undici is imported by 2 files (a.ts, b.ts); one may',
    ]);
  });

  it('finds import cycles, except those of types only', () => {
    const a = `import { b } from './b.ts';\nexport const a = b;`;
    const value = violations({ 'packages/http/src/a.ts': a, 'packages/http/src/b.ts': `import { a } from './a.ts';` });
    rmSync(folder, { recursive: true });
    const type = violations({
      'packages/http/src/a.ts': a,
      'packages/http/src/b.ts': `import type { a } from './a.ts';`,
    });
    expect(value).toEqual(['packages/http/src: files import each other: a.ts -> b.ts -> a.ts']);
    expect(type).toEqual([]);
  });

  it('refuses file names without meaning', () => {
    const found = violations({ 'packages/http/src/utils.ts': '', 'packages/http/test/helpers/a.ts': '' });
    expect(found.map((line) => line.split(':')[0])).toEqual([
      'packages/http/src/utils.ts',
      'packages/http/test/helpers/a.ts',
    ]);
  });

  it('refuses a long file without a reason', () => {
    const lines = '\n'.repeat(250) + 'export const last = 1;\n';
    const long = http(lines);
    rmSync(folder, { recursive: true });
    expect(long[0]).toContain('is 251 lines long');
    expect(http(`// The table.\n// Length: one table.\n${lines}`)).toEqual([]);
  });

  it('refuses an example that reaches past the entry points', () => {
    const found = violations({
      'examples/places/src/main.ts': `import { x } from '@macadam/core/src/clock.ts';\nimport y from '../../../packages/core/src/index.ts';`,
    });
    expect(found).toHaveLength(2);
  });

  it('refuses a package without a row in the table of layers', () => {
    expect(violations({ 'packages/newcomer/package.json': manifest('newcomer') })[0]).toContain(
      'not in the table of layers',
    );
  });
});
