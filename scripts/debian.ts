// Programs that npm does not have, out of Debian's packages.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run, temporaryFolder } from './children.mjs';
import { sourcesForRelease, type SourcesFile } from './debian-sources.ts';
import { onPath } from './toolchain.mjs';
import { filesBelow, root } from './workspace.ts';

export interface Unpacked {
  /** Where the package's files are, as if that were the root of the file system. */
  home: string;
  /** The environment in which its programs find their libraries. */
  env: Record<string, string | undefined>;
}

/** Which files of a package, and of which release of Debian. */
export interface PackageSelection {
  /** The one file to keep, of a package that needs no other. */
  only?: string;
  /** A newer release than this machine's, such as `trixie`: the package comes with all that it needs, down to the C library. */
  suite?: string;
}

/**
 * Downloads a package with what it needs and unpacks it into the folder of tools, once: nothing is installed, so it takes
 * no rights, starts no service and changes nothing on the machine.
 */
export async function debianPackage(name: string, wanted: PackageSelection = {}): Promise<Unpacked> {
  const home = join(root, '.tools', name);
  if (!existsSync(home)) {
    if (onPath('apt-get').length === 0 || onPath('dpkg').length === 0) throw new Error('there is no apt-get here');
    console.log(`Bringing Debian's ${name} ...`);
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

/** Another run may have brought it meanwhile. */
function moveUnlessExists(folder: string, home: string): void {
  try {
    renameSync(folder, home);
  } catch (error) {
    if (!existsSync(home)) throw error;
  }
}

/**
 * Settings with which apt sees another release, from where this machine gets its own, and nothing that is installed: what is there
 * would not be downloaded, and be too old.
 */
function aptSettingsForRelease(suite: string, staging: string): string[] {
  const [parts, none] = [join(staging, 'sources'), join(staging, 'none')];
  mkdirSync(parts);
  writeFileSync(none, '');
  const sources = releaseSources(suite);
  if (sources.length === 0) throw new Error('this machine does not say where its Debian packages come from');
  for (const [i, { form, text }] of sources.entries()) writeFileSync(join(parts, `${i}.${form}`), text);
  return [`Dir::Etc::SourceList=${none}`, `Dir::Etc::SourceParts=${parts}`, `Dir::State::Status=${none}`];
}

/** This machine's sources of its own release, for another one. */
function releaseSources(suite: string): SourcesFile[] {
  const own = /^VERSION_CODENAME=(\w+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? '';
  const folder = '/etc/apt/sources.list.d';
  const parts = existsSync(folder) ? readdirSync(folder).map((file) => join(folder, file)) : [];
  return ['/etc/apt/sources.list', ...parts]
    .filter((file) => existsSync(file))
    .flatMap((file) => sourcesForRelease(suite, own, file, readFileSync(file, 'utf8')));
}
