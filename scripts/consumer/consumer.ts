// A user project, offline: imports, requires and type-checks the unpacked packages on every supported Node and
// TypeScript version.
import { copyFileSync, existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { check, CheckFailed, program } from '../programs.ts';
import { countCheck, type Tally } from '../tally.ts';
import { bringNode, floorNode } from '../toolchain.mjs';
import { root } from '../workspace.ts';
import type { Packed } from '../packed.ts';

const compilers = ['typescript-5.9', 'typescript', 'typescript-7'];

const compilerOptions = {
  module: 'nodenext',
  target: 'es2023',
  lib: ['es2023'],
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noEmit: true,
  skipLibCheck: true,
};

export async function checkConsumer(packed: readonly Packed[], base: string, tally: Tally): Promise<void> {
  for (const one of packed) linkDependencies(one);
  link(join(import.meta.dirname, 'node_modules', '@types', 'node'), join(base, 'node_modules', '@types', 'node'));
  const entries = packed.flatMap(({ member }) =>
    Object.entries(member.manifest.publishConfig?.exports ?? member.manifest.exports ?? {})
      .filter(([, target]) => typeof target === 'object')
      .map(([subpath]) => `${member.manifest.name}${subpath.slice(1)}`),
  );
  writeFileSync(join(base, 'package.json'), '{ "private": true, "type": "module" }\n');
  for (const file of ['probe.mjs', 'probe.cjs']) copyFileSync(join(import.meta.dirname, file), join(base, file));

  for (const node of await nodes(tally)) {
    await countCheck(tally, `import on ${node.label}`, () => probe(node.path, ['probe.mjs', ...entries], base));
    await countCheck(tally, `require on ${node.label}`, () => probe(node.path, ['probe.cjs', ...entries], base));
  }

  writeSources(base, entries);
  for (const compiler of compilers) {
    await countCheck(tally, `types under ${compiler}`, async () => {
      const tsc = join(import.meta.dirname, 'node_modules', compiler, 'bin', 'tsc');
      await check(process.execPath, [tsc, '-p', base], { cwd: base });
    });
  }
}

/** Loading a package must print nothing, not even a warning. */
async function probe(node: string, args: readonly string[], cwd: string): Promise<void> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const { code, output } = await program(node, args, { cwd, env, timeoutMs: 60_000, output: 'capture' });
  if (code !== 0 || output !== '') throw new CheckFailed(output.trim() || `ended with code ${code}`);
}

async function nodes(tally: Tally): Promise<{ label: string; path: string }[]> {
  const current = { label: `Node ${process.version.slice(1)}`, path: process.execPath };
  if (process.version === `v${floorNode}`) return [current];
  try {
    return [{ label: `Node ${floorNode}`, path: await bringNode(root, floorNode) }, current];
  } catch (error) {
    console.log(`skipped: import and require on Node ${floorNode} (${(error as Error).message.split('\n')[0]})`);
    tally.skipped += 2;
    return [current];
  }
}

/** Links the dependencies of the package from our own store, as a package manager would install them. */
function linkDependencies({ member, folder }: Packed): void {
  const { dependencies, peerDependencies } = member.manifest;
  for (const name of Object.keys({ ...dependencies, ...peerDependencies })) {
    if (name.startsWith('@macadam/')) continue;
    const source = join(member.folder, 'node_modules', name);
    if (existsSync(source)) link(source, join(folder, 'node_modules', name));
    else if (member.manifest.peerDependenciesMeta?.[name]?.optional !== true) {
      throw new CheckFailed(`${member.manifest.name} needs ${name}, which is not installed`);
    }
  }
}

function link(source: string, target: string): void {
  mkdirSync(dirname(target), { recursive: true });
  symlinkSync(realpathSync(source), target);
}

function writeSources(base: string, entries: readonly string[]): void {
  const used = `void [${entries.map((_, index) => `entry${index}`).join(', ')}];\n`;
  const esm = entries.map((entry, index) => `import * as entry${index} from '${entry}';\n`).join('');
  const cjs = entries.map((entry, index) => `import entry${index} = require('${entry}');\n`).join('');
  writeFileSync(join(base, 'imports.mts'), esm + used);
  writeFileSync(join(base, 'requires.cts'), cjs + used);
  const files = ['imports.mts', 'requires.cts'];
  if (entries.includes('@macadam/http')) {
    copyFileSync(join(import.meta.dirname, 'first-call.ts'), join(base, 'first-call.ts'));
    files.push('first-call.ts');
  }
  writeFileSync(join(base, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
}
