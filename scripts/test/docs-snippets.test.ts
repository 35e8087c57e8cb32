import { describe, expect, it } from 'vitest';
import { snippetsOf } from '../docs-snippets/extract.ts';

const page = (...lines: string[]) => snippetsOf('page.md', lines.join('\n'));

describe('snippetsOf', () => {
  it('keeps the line numbers of the page', () => {
    const [snippet] = page('# Title', '', '```ts', 'const a = 1;', '```');
    expect(snippet).toMatchObject({ page: 'page.md', line: 3 });
    expect(snippet?.code.split('\n')[3]).toBe('const a = 1;');
  });

  it('extracts only TypeScript blocks', () => {
    expect(page('```sh', 'npm test', '```', '```tsx', 'x', '```', '```json', '{}', '```')).toEqual([]);
  });

  it('ignores a fence inside a longer fence', () => {
    expect(page('````md', '```ts', 'const a = 1;', '```', '````')).toEqual([]);
  });

  it('makes a separate program of each block', () => {
    const codes = page('```ts', 'one', '```', '```ts', 'two', '```').map(({ code }) => code.trim());
    expect(codes).toEqual(['one\nexport {};', 'two\nexport {};']);
  });

  it('appends a block marked continue to the one before', () => {
    const snippets = page('```ts', 'one', '```', 'text', '```ts continue', 'two', '```');
    expect(snippets).toHaveLength(1);
    expect(snippets[0]?.code.split('\n').filter((line) => line !== '')).toEqual(['one', 'two', 'export {};']);
  });

  it('runs the hidden setup of a block first, and only of that block', () => {
    const codes = page('<!-- setup', 'before', '-->', '', '```ts', 'one', '```', '```ts', 'two', '```').map(
      ({ code }) => code,
    );
    expect(codes[0]).toMatch(/before\n+one/);
    expect(codes[1]).not.toContain('before');
  });

  it('ignores a setup that no block follows', () => {
    expect(page('<!-- setup', 'before', '-->', 'Text.', '```ts', 'one', '```')[0]?.code).not.toContain('before');
  });

  it('requires a reason for leaving a block out', () => {
    expect(page('```ts ignore=signatures only', 'one', '```')).toEqual([]);
    expect(() => page('```ts ignore=', 'one', '```')).toThrow('page.md:1 ignore= needs a reason');
  });

  it('refuses a continuation without a block before it', () => {
    expect(() => page('```ts continue', 'one', '```')).toThrow('page.md:1 continues nothing');
  });
});
