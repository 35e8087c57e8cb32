// Runs the development programs of the workspace (eslint, tsc, vitest ...) and reports how they ended.
import { delimiter, join } from 'node:path';
import { run, type RunOptions, type RunResult } from './children.mjs';
import { root } from './workspace.ts';

/** A check that found something wrong. Its message is for people and says everything; the stack says nothing. */
export class CheckFailed extends Error {
  override name = 'CheckFailed';
}

/** The environment with the workspace's own programs on PATH. */
export function programEnv(): Record<string, string | undefined> {
  return { ...process.env, PATH: [join(root, 'node_modules', '.bin'), process.env['PATH'] ?? ''].join(delimiter) };
}

/** Runs a program of the workspace from its root, unless told otherwise. */
export async function program(name: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return await run(name, args, { cwd: root, env: programEnv(), ...options });
}

/** Runs a program and shows all that it said when it has ended: in one piece, whatever runs beside it. */
export async function runAndShow(name: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const result = await program(name, args, { output: 'capture', ...options });
  console.log(result.output.trim());
  return result;
}

/** Runs a program quietly and shows what it said only if it failed. */
export async function check(name: string, args: readonly string[], options: RunOptions = {}): Promise<void> {
  const { code, output } = await program(name, args, { output: 'capture', ...options });
  if (code !== 0) throw new CheckFailed(output.trim() || `${name} ended with code ${code}`);
}
