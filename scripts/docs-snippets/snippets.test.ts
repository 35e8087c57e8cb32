// Each code block of the documentation is a program that must run to its end and type-check.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { programEnv } from '../programs.ts';
import { root } from '../workspace.ts';
import { folder, writeSnippets } from './pages.ts';

const guardMs = 30_000;
const compiled = join(root, 'node_modules', '.cache', 'docs-snippets');
const snippets = writeSnippets();

/** Stays in the process group of the test runner, and so ends with it. */
async function runProgram(command: string, args: readonly string[], env: NodeJS.ProcessEnv) {
  return await new Promise<{ code: unknown; output: string }>((resolve) => {
    const options = { cwd: folder, env, timeout: guardMs, killSignal: 'SIGKILL' as const };
    execFile(command, args, options, (error, stdout, stderr) => {
      const late = error?.killed === true ? `still running after ${guardMs} ms\n` : '';
      resolve({ code: error === null ? 0 : (error.code ?? 'killed'), output: late + stdout + stderr });
    });
  });
}

describe('code blocks of the documentation', () => {
  it.concurrent.each(snippets)('$page:$line runs', { timeout: guardMs + 5_000 }, async ({ page, file }) => {
    const args = ['--conditions=@macadam/source', '--disable-warning=ExperimentalWarning', join(folder, file)];
    const { NODE_OPTIONS: _, VITEST: __, NODE_ENV: ___, ...env } = process.env;
    // All of them load much the same sources: whoever is first leaves them without types to the others.
    const { code, output } = await runProgram(process.execPath, args, { ...env, NODE_COMPILE_CACHE: compiled });
    expect(code, output.replaceAll(join(folder, file), page)).toBe(0);
  });

  let compiler: Promise<string> | undefined;
  it.each(snippets)('$page:$line type-checks', async ({ page, file }) => {
    const args = ['-p', folder, '--noEmit', '--pretty', 'false'];
    const output = await (compiler ??= runProgram('tsc', args, programEnv()).then((result) => result.output));
    const about = output.split('\n').filter((line) => line.startsWith(`${file}(`));
    expect(about.map((line) => line.replace(file, page))).toEqual([]);
  });
});
