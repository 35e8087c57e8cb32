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
 *
 * @param only - the one file to keep, of a package that needs no other
 */
export async function debianPackage(name: string, only?: string): Promise<Unpacked> {
  const home = join(root, '.tools', name);
  if (!existsSync(home)) {
    if (onPath('apt-get').length === 0 || onPath('dpkg').length === 0) throw new Error('there is no apt-get here');
    console.log(`Bringing Debian's ${name} ...`);
    await unpack(name, home, only);
  }
  const libraries = new Set(filesBelow(home, (path) => path.includes('.so.')).map((path) => join(home, dirname(path))));
  return { home, env: { ...process.env, LD_LIBRARY_PATH: [...libraries].join(':') } };
}

async function unpack(name: string, home: string, only: string | undefined): Promise<void> {
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
  const download = only === undefined ? ['install', '--download-only', '--no-install-recommends'] : ['download'];
  const archivesIn = join(cache, 'archives');
  for (const step of [['update'], [...download, name]]) {
    const { code, output } = await run('apt-get', [...apt, ...step], { cwd: archivesIn, output: 'capture' });
    if (code !== 0) throw new Error(output.trim().split('\n').at(-1) ?? 'apt-get failed');
  }
  const archives = readdirSync(archivesIn).filter((file) => file.endsWith('.deb'));
  for (const archive of archives) {
    const { code, output } = await run('dpkg', ['-x', join(archivesIn, archive), files], { output: 'capture' });
    if (code !== 0) throw new Error(output.trim());
  }
  if (only === undefined) {
    renameSync(files, home);
    return;
  }
  const kept = join(aside, 'kept');
  mkdirSync(join(kept, dirname(only)), { recursive: true });
  renameSync(join(files, only), join(kept, only));
  renameSync(kept, home);
}
