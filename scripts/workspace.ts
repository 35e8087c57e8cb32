// Describes the workspace: its members, and the build order of the packages.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The exports of a package.json: a path, or a path per condition. */
export type Exports = Record<string, string | Record<string, string>>;

export interface Manifest {
  name: string;
  version: string;
  private?: boolean;
  main?: string;
  scripts?: Record<string, string>;
  exports?: Exports;
  publishConfig?: { exports?: Exports };
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
}

export interface Member {
  /** Folder name, such as `http`. */
  short: string;
  /** Absolute path. */
  folder: string;
  manifest: Manifest;
}

export const root: string = join(import.meta.dirname, '..');

/** The members directly below a folder, sorted by name. */
export function membersOf(parent: string, from: string = root): Member[] {
  const base = join(from, parent);
  if (!existsSync(base)) return [];
  return readdirSync(base)
    .sort()
    .filter((short) => existsSync(join(base, short, 'package.json')))
    .map((short) => ({ short, folder: join(base, short), manifest: readManifest(join(base, short)) }));
}

export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}

/** The packages with an index.ts, dependencies first. Dev dependencies are ignored: they may form cycles. */
export function packagesInBuildOrder(): Member[] {
  const all = new Map(membersOf('packages').map((member) => [member.manifest.name, member]));
  const ordered = new Set<Member>();
  const visit = (member: Member, path: readonly string[]): void => {
    if (ordered.has(member)) return;
    if (path.includes(member.manifest.name)) {
      throw new Error(`packages depend on each other in a circle: ${[...path, member.manifest.name].join(' -> ')}`);
    }
    for (const name of builtDependencies(member)) {
      const dependency = all.get(name);
      if (dependency !== undefined) visit(dependency, [...path, member.manifest.name]);
    }
    ordered.add(member);
  };
  for (const member of all.values()) visit(member, []);
  return [...ordered].filter((member) => existsSync(join(member.folder, 'src', 'index.ts')));
}

/** The packages that must be built first: those that the declarations of the package may refer to. */
export function builtDependencies({ manifest }: Member): string[] {
  return Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
}

const generated = new Set(['node_modules', 'dist', '.snippets']);

/** Every file below a folder, as sorted relative paths, without installed and generated files. */
export function filesBelow(folder: string, keep: (path: string) => boolean = () => true): string[] {
  const walk = (path: string): string[] =>
    readdirSync(join(folder, path), { withFileTypes: true }).flatMap((entry) => {
      const below = path === '' ? entry.name : `${path}/${entry.name}`;
      if (entry.isDirectory()) return generated.has(entry.name) ? [] : walk(below);
      return entry.isFile() && keep(below) ? [below] : [];
    });
  return existsSync(folder) ? walk('').sort() : [];
}
