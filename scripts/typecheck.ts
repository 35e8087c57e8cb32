// `npm run typecheck`: type-checks every folder with a tsconfig.json: scripts, packages, examples, bench, site,
// test-support.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { check } from './programs.ts';
import { membersOf, root } from './workspace.ts';

export async function typecheck(): Promise<void> {
  const members = [...membersOf('packages'), ...membersOf('examples')].map((member) => member.folder);
  const folders = [root, ...members, ...['bench', 'site', 'test-support'].map((name) => join(root, name))];
  const configs = folders.map((folder) => join(folder, 'tsconfig.json')).filter((path) => existsSync(path));
  const script = join(import.meta.dirname, 'check-types.ts');
  // In another process: type-checking blocks the event loop, and other steps run at the same time.
  await check(process.execPath, ['--disable-warning=ExperimentalWarning', script, ...configs]);
}
