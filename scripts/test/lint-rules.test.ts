import { ESLint } from 'eslint';
import { describe, expect, it } from 'vitest';
import { root } from '../workspace.ts';

/** The whole workspace as one program is for files as they are; the service takes a text in the place of one. */
const oneFile = { parserOptions: { project: false, projectService: true } };
const typed = ['packages/*/src/**/*.ts'];
const eslint = new ESLint({ cwd: root, overrideConfig: { files: typed, languageOptions: oneFile } });
const library = 'packages/resilience/src/index.ts';

/** The rules that a text breaks, standing at a path that exists (the type checker asks for that). */
async function rules(text: string, path = library): Promise<(string | null)[]> {
  const [result] = await eslint.lintText(text, { filePath: `${root}/${path}` });
  return (result?.messages ?? []).map(({ ruleId, message }) => ruleId ?? message);
}

describe('the rules for library code', () => {
  it.each([
    ['export const t = Date.now();', 'no-restricted-properties'],
    ['export const t = performance.now();', 'no-restricted-globals'],
    ['export const t = Math.random();', 'no-restricted-properties'],
    ['export const random = Math.random;', 'no-restricted-properties'],
    ['export const t = setTimeout(() => {}, 1);', 'no-restricted-globals'],
    ['export const t = setInterval(() => {}, 1);', 'no-restricted-globals'],
    ['export const t = setImmediate(() => {});', 'no-restricted-globals'],
    ['export const t = globalThis.setTimeout(() => {}, 1);', 'no-restricted-syntax'],
    ['export const t = new Date();', 'no-restricted-syntax'],
    ['export const t = process.hrtime();', 'no-restricted-syntax'],
    ['export const s = AbortSignal.timeout(1);', 'no-restricted-syntax'],
    [`import { setTimeout as wait } from 'node:timers/promises';\nexport { wait };`, 'no-restricted-imports'],
    [`import { performance as p } from 'node:perf_hooks';\nexport { p };`, 'no-restricted-imports'],
    [`import { x } from '@macadam/core/src/clock.ts';\nexport { x };`, 'no-restricted-imports'],
    [`export * from './policy.ts';`, 'no-restricted-syntax'],
    ['export const a = (x: any) => x;', '@typescript-eslint/no-explicit-any'],
    ['export const f = () => { Promise.resolve(); };', '@typescript-eslint/no-floating-promises'],
    ['export const f = () => [1].forEach(async () => {});', '@typescript-eslint/no-misused-promises'],
    ['console.log(1);', 'no-console'],
    [`throw new OptionsError('a', undefined, 'a text');`, 'no-restricted-syntax'],
    [`export const f = (a: unknown) => { throw new OptionsError('a', typeof a, 'a text'); };`, 'no-restricted-syntax'],
  ])('refuse %j', async (text, rule) => {
    expect(await rules(text)).toContain(rule);
  });

  it.each([
    ['export const day = (ms: number) => new Date(ms).toISOString();'],
    [`export * as policies from './policy.ts';`],
    ['export const f = (clock: { now(): number }) => clock.now();'],
    [`export const f = (a: unknown) => { throw new OptionsError('a', withheld(a), 'a text'); };`],
  ])('allow %j', async (text) => {
    expect(await rules(text)).toEqual([]);
  });
});

it('only the clock and the random source of core may read real time', async () => {
  const text = 'export const t = [Date.now(), Math.random(), setTimeout(() => {}, 1)];';
  expect(await rules(text, 'packages/core/src/clock.ts')).toEqual([]);
  expect(await rules(text, 'packages/core/src/errors.ts')).toHaveLength(3);
});
