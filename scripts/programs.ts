// Runs the development programs of the workspace (eslint, tsc, vitest ...) and reports how they ended.
import { delimiter, join } from 'node:path';
import { run, type RunOptions, type RunResult } from './children.mjs';
import { root } from './workspace.ts';

/** Thrown by a check that found a problem. The message is complete; the stack is of no use. */
export class CheckFailed extends Error {
  override name = 'CheckFailed';
}

/** The environment with the programs of the workspace on PATH. */
export function programEnv(): Record<string, string | undefined> {
  return { ...process.env, PATH: [join(root, 'node_modules', '.bin'), process.env['PATH'] ?? ''].join(delimiter) };
}

/** Runs a program of the workspace, from its root by default. */
export async function program(name: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return await run(name, args, { cwd: root, env: programEnv(), ...options });
}

/** Runs a program and prints its whole output when it has ended: in one piece, whatever else is running. */
export async function runAndShow(name: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const result = await program(name, args, { output: 'capture', ...options });
  console.log(result.output.trim());
  return result;
}

/** Runs a program, and throws its output if it fails. */
export async function check(name: string, args: readonly string[], options: RunOptions = {}): Promise<void> {
  const { code, output } = await program(name, args, { output: 'capture', ...options });
  if (code !== 0) throw new CheckFailed(output.trim() || `${name} ended with code ${code}`);
}
