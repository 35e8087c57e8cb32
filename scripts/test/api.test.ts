import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { apiOf } from '../api.ts';

let folder = '';
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function api(files: Record<string, string>, exports: Record<string, string> = { '.': './dist/index.d.ts' }): string {
  folder = mkdtempSync(join(tmpdir(), 'macadam-api-'));
  mkdirSync(join(folder, 'dist'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'dist', name), text);
  const conditions = Object.fromEntries(Object.entries(exports).map(([subpath, types]) => [subpath, { types }]));
  return apiOf({
    short: 'sample',
    folder,
    manifest: { name: '@macadam/sample', version: '0.0.0', exports: conditions },
  });
}

const index = `
import { C } from './chunk-x1.js';
/** Words that change often. */
declare function zebra(/* why */ options?: Options): Hidden;
interface Options {
    /** Unit: ms. */
    timeoutMs?: number;
}
interface Hidden { inner: Deeper }
interface Deeper { value: 1 }
interface Unused { x: 1 }
declare const apple: number;
export { type Options, zebra, apple, C as Cherry };
`;
const chunk = 'declare class C { close(): Promise<void> }\nexport { C };\n';

it('lists exported names without comments, and the types that they refer to', () => {
  const text = api({ 'index.d.ts': index, 'chunk-x1.d.ts': chunk });
  const order = ['class C {', 'interface Options {', 'const apple: number;', 'function zebra('].map((part) =>
    text.indexOf(part),
  );
  expect(order).toEqual([...order].sort((a, b) => a - b));
  expect(Math.min(...order)).toBeGreaterThan(0);
  expect(text).toContain('// as Cherry');
  expect(text.slice(text.indexOf('Not exported'))).toMatch(/interface Deeper[^]*interface Hidden/);
  expect(text).not.toMatch(/Words that change|Unit: ms|why|Unused|chunk-x1/);
});

it('does not change when only the name of a chunk does', () => {
  const first = api({ 'index.d.ts': index, 'chunk-x1.d.ts': chunk });
  rmSync(folder, { recursive: true });
  expect(api({ 'index.d.ts': index.replace('chunk-x1', 'chunk-y2'), 'chunk-y2.d.ts': chunk })).toBe(first);
});

it('has one section per entry point', () => {
  const text = api(
    { 'index.d.ts': 'export declare const a: 1;\n', 'node.d.ts': 'export declare const b: 2;\n' },
    { './node': './dist/node.d.ts', '.': './dist/index.d.ts' },
  );
  expect(text.match(/^## .*$/gm)).toEqual(['## @macadam/sample', '## @macadam/sample/node']);
});
