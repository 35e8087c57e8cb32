// Runs vitest with the arguments given: `npm run unit -- --project http -t retry`.
import { program } from './programs.ts';
import { withRedis } from './redis.ts';

export async function unit(args: readonly string[]): Promise<number> {
  return await withRedis(async () => {
    const { code } = await program('vitest', ['run', ...args]);
    return code;
  });
}
