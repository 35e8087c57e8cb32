// Writes docs/cache-races.md anew: `npm run races`. The race stands beside the cache, the peers in it beside the benchmarks.
import { join } from 'node:path';
import { program } from './programs.ts';
import { withRedis } from './redis.ts';
import { withValkey } from './valkey.ts';
import { root } from './workspace.ts';

export async function races(args: readonly string[]): Promise<number> {
  const write = async (): Promise<number> => {
    const script = join(root, 'bench', 'race', 'write-report.ts');
    const { code } = await program(process.execPath, ['--conditions=@macadam/source', script, ...args]);
    return code ?? 1;
  };
  return await withRedis(() => withValkey(write));
}
