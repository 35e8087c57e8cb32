// What every hot path takes, counted against its budget. Instructions need Valgrind: on PATH, else Debian's, unpacked.
import { join } from 'node:path';
import { debianPackage } from './debian.ts';
import { CheckFailed, programEnv, runAndShow } from './programs.ts';
import { onPath } from './toolchain.mjs';
import { root } from './workspace.ts';

/** Counts what the packages' builds take. */
export async function budgets(args: readonly string[] = []): Promise<void> {
  const { code } = await runAndShow('node', ['budgets/main.ts', ...args], {
    cwd: join(root, 'bench'),
    env: { ...programEnv(), ...(await valgrindSettings()) },
  });
  if (code !== 0) throw new CheckFailed('A hot path takes more than it may.');
}

async function valgrindSettings(): Promise<Record<string, string | undefined>> {
  if (onPath('valgrind').length > 0) return {};
  try {
    const { home } = await debianPackage('valgrind');
    const programs = join(home, 'usr', 'bin');
    const libraries = join(home, 'usr', 'libexec', 'valgrind');
    return { VALGRIND: join(programs, 'valgrind'), VGDB: join(programs, 'vgdb'), VALGRIND_LIB: libraries };
  } catch (error) {
    console.log(`No Valgrind, so only bytes are counted: ${error instanceof Error ? error.message : error}`);
    return {};
  }
}
