// Programs that npm does not have, out of Debian's packages.
import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run, temporaryFolder } from './children.mjs';
import { onPath } from './toolchain.mjs';
import { filesBelow, root } from './workspace.ts';

export interface Unpacked {
  /** Where the package's files are, as if that were the root of the file system. */
  home: string;
  /** The environment in which its programs find their libraries. */
  env: Record<string, string | undefined>;
}

/**
 * Downloads a package with what it needs and unpacks it into the folder of tools, once: nothing is installed, so it takes
 * no rights, starts no service and changes nothing on the machine.
 */
export async function debianPackage(name: string): Promise<Unpacked> {
  const home = join(root, '.tools', name);
  if (!existsSync(home)) {
    if (onPath('apt-get').length === 0 || onPath('dpkg').length === 0) throw new Error('there is no apt-get here');
    console.log(`Bringing Debian's ${name} ...`);
    await unpack(name, home);
  }
  const libraries = new Set(filesBelow(home, (path) => path.includes('.so.')).map((path) => join(home, dirname(path))));
  return { home, env: { ...process.env, LD_LIBRARY_PATH: [...libraries].join(':') } };
}

async function unpack(name: string, home: string): Promise<void> {
  const aside = temporaryFolder(`${home}.${process.pid}`);
  const [lists, cache, files] = ['lists', 'cache', 'files'].map((part) => join(aside, part)) as [
    string,
    string,
    string,
  ];
  for (const folder of [join(lists, 'partial'), join(cache, 'archives', 'partial'), files]) {
    mkdirSync(folder, { recursive: true });
  }
  const settings = [
    `Dir::State::lists=${lists}`,
    `Dir::Cache=${cache}`,
    'Debug::NoLocking=1',
    'APT::Sandbox::User=root',
  ];
  const apt = ['-qq', '-y', ...settings.flatMap((setting) => ['-o', setting])];
  const steps = [['update'], ['install', '--download-only', '--no-install-recommends', name]];
  for (const step of steps) {
    const { code, output } = await run('apt-get', [...apt, ...step], { output: 'capture' });
    if (code !== 0) throw new Error(output.trim().split('\n').at(-1) ?? 'apt-get failed');
  }
  const archives = readdirSync(join(cache, 'archives')).filter((file) => file.endsWith('.deb'));
  for (const archive of archives) {
    const { code, output } = await run('dpkg', ['-x', join(cache, 'archives', archive), files], { output: 'capture' });
    if (code !== 0) throw new Error(output.trim());
  }
  renameSync(files, home);
}
