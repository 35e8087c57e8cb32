// Downloads programs that npm does not have from Debian packages.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run, temporaryFolder } from './children.mjs';
import { sourcesForRelease, type SourcesFile } from './debian-sources.ts';
import { onPath } from './toolchain.mjs';
import { filesBelow, root } from './workspace.ts';

export interface Unpacked {
  /** The folder with the files of the package, laid out like the root of the file system. */
  home: string;
  /** The environment in which its programs find their libraries. */
  env: Record<string, string | undefined>;
}

/** Which files of a package to keep, and from which Debian release. */
export interface PackageSelection {
  /** The only file to keep, for a package that needs no other package. */
  only?: string;
  /**
   * A newer release than that of this machine, such as `trixie`. The package then comes with all its dependencies,
   * including the C library.
   */
  suite?: string;
}

/**
 * Downloads a package with its dependencies and unpacks it into `.tools`, once. Nothing is installed: that needs no
 * privileges, starts no service, and does not change the machine.
 */
export async function debianPackage(name: string, wanted: PackageSelection = {}): Promise<Unpacked> {
  const home = join(root, '.tools', name);
  if (!existsSync(home)) {
    if (onPath('apt-get').length === 0 || onPath('dpkg').length === 0)
      throw new Error('apt-get or dpkg is not available');
    console.log(`Downloading Debian's ${name} ...`);
    await unpack(name, home, wanted);
  }
  const libraries = new Set(
    filesBelow(home, (path) => /\.so(\.|$)/.test(path)).map((path) => join(home, dirname(path))),
  );
  return { home, env: { ...process.env, LD_LIBRARY_PATH: [...libraries].join(':') } };
}

async function unpack(name: string, home: string, { only, suite }: PackageSelection): Promise<void> {
  const staging = temporaryFolder(`${home}.${process.pid}`);
  const [lists, cache, files] = ['lists', 'cache', 'files'].map((part) => join(staging, part)) as [
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
    ...(suite === undefined ? [] : aptSettingsForRelease(suite, staging)),
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
  if (only === undefined) return moveUnlessExists(files, home);
  const kept = join(staging, 'kept');
  mkdirSync(join(kept, dirname(only)), { recursive: true });
  renameSync(join(files, only), join(kept, only));
  moveUnlessExists(kept, home);
}

/** Another run may have created it in the meantime. */
function moveUnlessExists(folder: string, home: string): void {
  try {
    renameSync(folder, home);
  } catch (error) {
    if (!existsSync(home)) throw error;
  }
}

/**
 * Settings with which apt uses another release from the same mirror, and regards nothing as installed: installed
 * packages would not be downloaded, and are too old.
 */
function aptSettingsForRelease(suite: string, staging: string): string[] {
  const [parts, none] = [join(staging, 'sources'), join(staging, 'none')];
  mkdirSync(parts);
  writeFileSync(none, '');
  const sources = releaseSources(suite);
  if (sources.length === 0) throw new Error('no package sources of this Debian release are configured');
  for (const [i, { form, text }] of sources.entries()) writeFileSync(join(parts, `${i}.${form}`), text);
  return [`Dir::Etc::SourceList=${none}`, `Dir::Etc::SourceParts=${parts}`, `Dir::State::Status=${none}`];
}

/** The package sources of this machine, converted to another release. */
function releaseSources(suite: string): SourcesFile[] {
  const own = /^VERSION_CODENAME=(\w+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? '';
  const folder = '/etc/apt/sources.list.d';
  const parts = existsSync(folder) ? readdirSync(folder).map((file) => join(folder, file)) : [];
  return ['/etc/apt/sources.list', ...parts]
    .filter((file) => existsSync(file))
    .flatMap((file) => sourcesForRelease(suite, own, file, readFileSync(file, 'utf8')));
}
