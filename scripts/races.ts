// `npm run races`: writes docs/cache-races.md. The race is in packages/cache/test/race, the other caches in bench/race.
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
