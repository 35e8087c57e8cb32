// Checks the structure of the workspace: imports between packages, one importing file per third-party dependency, no
// import cycles, file names and file lengths.
import { readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join } from 'node:path';
import { type Import, importsOf } from './imports.ts';
import { type Layer, layers } from './layers.ts';
import { filesBelow, type Member, membersOf } from './workspace.ts';

const scope = '@macadam/';
const maxLines = 250;
const emptyNames = /(^|\/)(utils?|helpers?|common|misc|manager)(\.|\/|$)/;
const builtins = new Set(builtinModules);
const forTests = new Set(['testkit', 'test-support']);

interface SourceFile {
  /** Path below `src`. */
  path: string;
  text: string;
  imports: Import[];
}

/** All violations below `root`, one line each. */
export function checkLayers(root: string): string[] {
  const packages = membersOf('packages', root);
  const subpaths = new Map(packages.map(({ manifest }) => [manifest.name, entryPointsOf(manifest.exports)]));
  return [
    ...packages.flatMap((member) => checkPackage(member, layers[member.short], subpaths)),
    ...membersOf('examples', root).flatMap((member) => checkExample(member, subpaths)),
    ...['packages', 'examples', 'bench', 'scripts', 'docs', 'site', 'test-support'].flatMap((folder) =>
      filesBelow(join(root, folder), (path) => emptyNames.test(path)).map(
        (path) => `${folder}/${path}: the name has no meaning; name it after its content`,
      ),
    ),
  ];
}

function checkPackage(member: Member, layer: Layer | undefined, subpaths: ReadonlyMap<string, Set<string>>): string[] {
  const where = `packages/${member.short}/src`;
  if (layer === undefined) return [`packages/${member.short}: not in the table of layers (scripts/layers.ts)`];
  const files = sourcesIn(join(member.folder, 'src'));
  const declared = new Set(Object.keys({ ...member.manifest.dependencies, ...member.manifest.peerDependencies }));
  const importers = new Map<string, Set<string>>();
  const problems: string[] = [];

  for (const { path, text, imports } of files) {
    const report = (line: number, message: string): unknown => problems.push(`${where}/${path}:${line} ${message}`);
    const lines = text.trimEnd().split('\n').length;
    if (lines > maxLines && !/^(\/\/|\s*\*|\/\*+) *Length: \S/m.test(text.slice(0, 2_000))) {
      report(lines, `is ${lines} lines long, ${maxLines} at most (or a line "Length: <reason>" in its header comment)`);
    }
    for (const { specifier, typeOnly, line } of imports) {
      if (specifier.startsWith('.')) {
        const target = join(dirname(path), specifier);
        if (target.startsWith('..')) report(line, `imports ${specifier}, outside its own src`);
        if (target === 'index.ts') report(line, 'imports its own index.ts; import the file that defines the name');
        if (!/\.(ts|json)$/.test(specifier)) report(line, `imports ${specifier} without its .ts extension`);
        continue;
      }
      if (isBuiltin(specifier)) {
        if (!specifier.startsWith('node:')) report(line, `imports ${specifier}; write node:${specifier}`);
        continue;
      }
      const name = packageOf(specifier);
      if (name === member.manifest.name) {
        report(line, `imports its own package; import the file that defines the name`);
      } else if (name.startsWith(scope)) {
        const short = name.slice(scope.length);
        const problem = workspaceProblem(short, typeOnly, layer) ?? entryProblem(specifier, name, subpaths);
        if (problem !== undefined) report(line, problem);
        else if (!declared.has(name) && !typeOnly)
          report(line, `imports ${name}, which its package.json does not name`);
      } else {
        if (!isAllowed(name, path, layer)) report(line, `may not import ${name}`);
        else if (!declared.has(name)) report(line, `imports ${name}, which its package.json does not name`);
        if (name === '@opentelemetry/api' && layer.otelAnywhere !== true && path !== 'instruments.ts') {
          report(line, 'only instruments.ts may import @opentelemetry/api');
        }
        importers.set(name, (importers.get(name) ?? new Set()).add(path));
      }
    }
  }
  for (const [name, paths] of importers) {
    if (paths.size > 1 && !(name === '@opentelemetry/api' && layer.otelAnywhere === true)) {
      problems.push(`${where}: ${name} is imported by ${paths.size} files (${[...paths].join(', ')}); one may`);
    }
  }
  return [...problems, ...cyclesIn(files).map((cycle) => `${where}: files import each other: ${cycle.join(' -> ')}`)];
}

/** Examples may import only what users can: published entry points. */
function checkExample(member: Member, subpaths: ReadonlyMap<string, Set<string>>): string[] {
  return filesBelow(member.folder, (path) => path.endsWith('.ts')).flatMap((path) => {
    const imports = importsOf(path, readFileSync(join(member.folder, path), 'utf8'));
    return imports.flatMap(({ specifier, line }) => {
      const at = `examples/${member.short}/${path}:${line}`;
      if (specifier.startsWith('.') && join(dirname(path), specifier).startsWith('..')) {
        return [`${at} imports ${specifier}, outside the example`];
      }
      const problem = specifier.startsWith(scope) ? entryProblem(specifier, packageOf(specifier), subpaths) : undefined;
      return problem === undefined ? [] : [`${at} ${problem}`];
    });
  });
}

function workspaceProblem(short: string, typeOnly: boolean, layer: Layer): string | undefined {
  if (layer.workspace.includes(short)) return undefined;
  if (layer.workspaceTypes?.includes(short) === true) {
    return typeOnly ? undefined : `may import only types from ${scope}${short}`;
  }
  return forTests.has(short) ? `${short} is for tests; src may not import it` : `may not import ${scope}${short}`;
}

function entryProblem(specifier: string, name: string, subpaths: ReadonlyMap<string, Set<string>>): string | undefined {
  const entries = subpaths.get(name);
  if (entries === undefined) return `imports ${name}, which is not a package of this workspace`;
  return entries.has(`.${specifier.slice(name.length)}`)
    ? undefined
    : `imports ${specifier}, which ${name} does not export`;
}

function isAllowed(name: string, path: string, layer: Layer): boolean {
  const inThisFile = Object.entries(layer.thirdPartyIn ?? {}).filter(([prefix]) => path.startsWith(prefix));
  const allowed = [...layer.thirdParty, ...inThisFile.flatMap(([, names]) => names)];
  return allowed.some((entry) => (entry.endsWith('/') ? name.startsWith(entry) : name === entry));
}

/** Cycles of value imports; a cycle of type imports does no harm. */
function cyclesIn(files: readonly SourceFile[]): string[][] {
  const edges = new Map(
    files.map(({ path, imports }) => [
      path,
      imports
        .filter((one) => !one.typeOnly && one.specifier.startsWith('.'))
        .map((one) => join(dirname(path), one.specifier)),
    ]),
  );
  const visited = new Set<string>();
  const cycles: string[][] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const seenAt = trail.indexOf(path);
    if (seenAt >= 0) cycles.push([...trail.slice(seenAt), path]);
    if (seenAt >= 0 || visited.has(path)) return;
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path]);
    visited.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  return cycles;
}

function sourcesIn(folder: string): SourceFile[] {
  return filesBelow(folder, (path) => path.endsWith('.ts') && !path.endsWith('.test.ts')).map((path) => {
    const text = readFileSync(join(folder, path), 'utf8');
    return { path, text, imports: importsOf(path, text) };
  });
}

function entryPointsOf(exports: Record<string, unknown> = {}): Set<string> {
  return new Set(Object.keys(exports));
}

function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

function isBuiltin(specifier: string): boolean {
  return specifier.startsWith('node:') || builtins.has(specifier) || builtins.has(specifier.split('/')[0] ?? '');
}
