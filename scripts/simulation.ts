// Writes docs/simulation anew: `npm run simulation`. What it runs stands beside the policies it is about.
import { join } from 'node:path';
import { program } from './programs.ts';
import { root } from './workspace.ts';

export async function simulation(args: readonly string[]): Promise<number> {
  const script = join(root, 'packages', 'resilience', 'test', 'simulation', 'write-report.ts');
  const { code } = await program(process.execPath, ['--conditions=@macadam/source', script, ...args]);
  return code ?? 1;
}
