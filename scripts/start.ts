// The tasks that run a program of the workspace: `npm start` and `npm run bench`.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { budgets } from './budgets.ts';
import { build } from './build.ts';
import { CheckFailed, program } from './programs.ts';
import { withRedis } from './redis.ts';
import { readManifest, root } from './workspace.ts';

/** Builds what changed and runs the example `places`, which is the project's main job. */
export async function start(args: readonly string[]): Promise<number> {
  return await runStartScript(join(root, 'examples', 'places'), args);
}

/** Builds what changed and runs the benchmarks, with a Redis for those that need one. */
export async function bench(args: readonly string[]): Promise<number> {
  const [what, ...rest] = args;
  if (what === 'budgets') {
    await build();
    await budgets(rest);
    return 0;
  }
  return await withRedis(() => runStartScript(join(root, 'bench'), args));
}

async function runStartScript(folder: string, args: readonly string[]): Promise<number> {
  if (!existsSync(join(folder, 'package.json'))) throw new CheckFailed(`There is nothing to run in ${folder}.`);
  await build();
  const [command, ...first] = (readManifest(folder).scripts?.['start'] ?? 'node src/main.ts').split(/\s+/);
  const { code } = await program(command ?? 'node', [...first, ...args], { cwd: folder });
  return code;
}
