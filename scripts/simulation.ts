// `npm run simulation`: writes docs/simulation. The simulation is in packages/resilience/test/simulation.
import { join } from 'node:path';
import { program } from './programs.ts';
import { root } from './workspace.ts';

export async function simulation(args: readonly string[]): Promise<number> {
  const script = join(root, 'packages', 'resilience', 'test', 'simulation', 'write-report.ts');
  const { code } = await program(process.execPath, ['--conditions=@macadam/source', script, ...args]);
  return code ?? 1;
}
