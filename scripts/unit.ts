// Runs vitest with the arguments given: `npm run unit -- --project http -t retry`.
import { program } from './programs.ts';
import { withRedis } from './redis.ts';
import { withValkey } from './valkey.ts';

export async function unit(args: readonly string[]): Promise<number> {
  const vitest = async (): Promise<number> => (await program('vitest', ['run', ...args])).code;
  return await withRedis(() => withValkey(vitest));
}
