// Installs the workspace with a frozen lock file, if something that the installation depends on has changed.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './children.mjs';

const groups = ['packages', 'examples'];
const singles = ['.', 'bench', 'docs', 'scripts/consumer', 'site', 'test-support'];

/**
 * @param {string} root
 * @param {string} pnpm
 * @param {Record<string, string | undefined>} env
 */
export async function installWorkspace(root, pnpm, env) {
  // Inside node_modules, so that it is deleted together with that folder.
  const stamp = join(root, 'node_modules', '.macadam-installed');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === stateOf(root)) return;
  console.log('Installing dependencies ...');
  const { code, output } = await run(pnpm, ['install', '--frozen-lockfile', '--reporter=append-only'], {
    cwd: root,
    env: { ...env, CI: 'true' },
    output: 'capture',
  });
  if (code !== 0) throw new Error(`pnpm install failed:\n${output.trim()}`);
  writeFileSync(stamp, stateOf(root));
}

/** @param {string} root */
function stateOf(root) {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`);
  const members = groups
    .filter((group) => existsSync(join(root, group)))
    .flatMap((group) => readdirSync(join(root, group)).map((name) => join(group, name)))
    .sort();
  const manifests = [...singles, ...members].map((folder) => join(folder, 'package.json'));
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', ...manifests]) {
    if (!existsSync(join(root, file))) continue;
    hash.update(`${file}\n`).update(readFileSync(join(root, file)));
    // A workspace member without node_modules (a new folder, or one that was deleted) needs an installation too.
    if (file.endsWith('package.json')) hash.update(String(existsSync(join(root, file, '..', 'node_modules'))));
  }
  return hash.digest('hex');
}
