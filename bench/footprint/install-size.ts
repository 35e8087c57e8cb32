import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

interface Manifest {
  name: string;
  version: string;
  files?: string[];
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
  scripts?: Record<string, string>;
}

export interface InstallSize {
  version: string;
  /** The package and all its dependencies. */
  packages: number;
  bytes: number;
  /** Packages among them with an install script. */
  installScripts: number;
}

const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall'];

/**
 * What `npm install name` writes to disk: the package and all its dependencies, each once. Found in the node_modules of
 * `from`.
 */
export function installSize(name: string, from: string): InstallSize {
  const seen = new Map<string, Manifest>();
  const visit = (dependency: string, folder: string, optional: boolean): void => {
    const home = locate(dependency, folder);
    // Optional dependencies that are missing are for other platforms; npm does not install them either.
    if (home === undefined && optional) return;
    if (home === undefined) throw new Error(`${dependency} is not installed below ${folder}`);
    if (seen.has(home)) return;
    const manifest = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as Manifest;
    seen.set(home, manifest);
    for (const one of Object.keys(manifest.dependencies ?? {})) visit(one, home, false);
    for (const one of Object.keys(manifest.optionalDependencies ?? {})) visit(one, home, true);
    // npm installs peer dependencies unless they are optional.
    for (const one of Object.keys(manifest.peerDependencies ?? {}))
      if (manifest.peerDependenciesMeta?.[one]?.optional !== true) visit(one, home, false);
  };
  visit(name, from, false);
  const homes = [...seen];
  return {
    version: homes[0]?.[1].version ?? '',
    packages: homes.length,
    bytes: homes.reduce((sum, [home, manifest]) => sum + publishedBytes(home, manifest), 0),
    installScripts: homes.filter(([, { scripts = {} }]) => INSTALL_SCRIPTS.some((one) => one in scripts)).length,
  };
}

function locate(name: string, from: string): string | undefined {
  for (let folder = realpathSync(from); ; folder = join(folder, '..')) {
    const home = join(folder, 'node_modules', name);
    if (existsSync(join(home, 'package.json'))) return realpathSync(home);
    if (folder === join(folder, '..')) return undefined;
  }
}

/** A workspace package also contains sources and tests, which are not published because `files` does not list them. */
function publishedBytes(home: string, { files }: Manifest): number {
  const fromWorkspace = !home.includes('node_modules');
  if (!fromWorkspace || files === undefined) return bytesBelow(home);
  return ['package.json', ...files].map((file) => bytesBelow(join(home, file))).reduce((sum, bytes) => sum + bytes, 0);
}

function bytesBelow(path: string): number {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined || stat.isSymbolicLink()) return 0;
  if (!stat.isDirectory()) return stat.size;
  return readdirSync(path)
    .filter((name) => name !== 'node_modules')
    .reduce((sum, name) => sum + bytesBelow(join(path, name)), 0);
}
