// Checks the budgets of the hot paths. Counting instructions needs Valgrind: from PATH, or downloaded from Debian.
import { join } from 'node:path';
import { debianPackage } from './debian.ts';
import { CheckFailed, programEnv, runAndShow } from './programs.ts';
import { onPath } from './toolchain.mjs';
import { root } from './workspace.ts';

/** Runs the budget checks on the built packages. */
export async function budgets(args: readonly string[] = []): Promise<void> {
  const { code } = await runAndShow('node', ['budgets/main.ts', ...args], {
    cwd: join(root, 'bench'),
    env: { ...programEnv(), ...(await valgrindSettings()) },
  });
  if (code !== 0) throw new CheckFailed('A hot path exceeds its budget.');
}

async function valgrindSettings(): Promise<Record<string, string | undefined>> {
  if (onPath('valgrind').length > 0) return {};
  try {
    const { home } = await debianPackage('valgrind');
    const programs = join(home, 'usr', 'bin');
    const libraries = join(home, 'usr', 'libexec', 'valgrind');
    return { VALGRIND: join(programs, 'valgrind'), VGDB: join(programs, 'vgdb'), VALGRIND_LIB: libraries };
  } catch (error) {
    console.log(`No Valgrind, so only allocated bytes are counted: ${error instanceof Error ? error.message : error}`);
    return {};
  }
}
