// Type-checks everything that has a tsconfig.json: the root's own scripts, packages, examples, bench, site, test-support. Two at a time.
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { check, CheckFailed } from './programs.ts';
import { membersOf, root } from './workspace.ts';

export async function typecheck(): Promise<void> {
  const folders = [...membersOf('packages'), ...membersOf('examples')].map((member) => member.folder);
  const queue = [root, ...folders, ...['bench', 'site', 'test-support'].map((name) => join(root, name))].filter(
    (folder) => existsSync(join(folder, 'tsconfig.json')),
  );
  const problems: string[] = [];
  const worker = async (): Promise<void> => {
    for (let folder = queue.shift(); folder !== undefined; folder = queue.shift()) {
      const name = relative(root, folder).replaceAll('/', '-') || 'root';
      const info = join(root, 'node_modules', '.cache', 'tsc', `${name}.tsbuildinfo`);
      await check('tsc', ['-p', folder, '--noEmit', '--incremental', '--tsBuildInfoFile', info]).catch((error: Error) =>
        problems.push(error.message),
      );
    }
  };
  await Promise.all([worker(), worker()]);
  if (problems.length > 0) throw new CheckFailed(problems.join('\n'));
}
