// Checks the packages as a user gets them: packs, unpacks, imports, requires and type-checks them.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { temporaryFolder } from './children.mjs';
import { checkConsumer } from './consumer/consumer.ts';
import { check, CheckFailed, program } from './programs.ts';
import { countCheck, emptyTally, type Tally } from './tally.ts';
import { type Member, packagesInBuildOrder, readManifest } from './workspace.ts';

export interface Packed {
  member: Member;
  tarball: string;
  /** Where the tarball was unpacked: in the node_modules of a simulated user project. */
  folder: string;
}

const shippable = /^(dist\/.*\.(js|js\.map|d\.ts)|package\.json|README\.md|CHANGELOG\.md|LICENSE)$/;
const installScripts = ['preinstall', 'install', 'postinstall', 'prepare'];

export async function checkPacked(): Promise<Tally> {
  const tally = emptyTally();
  const base = temporaryFolder(mkdtempSync(join(tmpdir(), 'macadam-packed-')));
  const packages = packagesInBuildOrder().filter(({ manifest }) => manifest.private !== true);
  const packed: Packed[] = [];
  for (const member of packages) packed.push(await pack(member, base));
  const queue = [...packed];
  const worker = async (): Promise<void> => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
      const { member, tarball } = one;
      await countCheck(tally, `${member.manifest.name}: contents of the package`, () => checkContents(one));
      await countCheck(tally, `${member.manifest.name}: publint`, () => check('publint', ['run', tarball, '--strict']));
      await countCheck(tally, `${member.manifest.name}: are the types wrong`, () =>
        check('attw', [tarball, '--profile', 'esm-only', '--no-emoji', '--no-color']),
      );
    }
  };
  await Promise.all([worker(), worker()]);
  await checkConsumer(packed, base, tally);
  return tally;
}

async function pack(member: Member, base: string): Promise<Packed> {
  const tarballs = join(base, 'tarballs', member.short);
  const folder = join(base, 'node_modules', member.manifest.name);
  mkdirSync(tarballs, { recursive: true });
  mkdirSync(folder, { recursive: true });
  await check('pnpm', ['pack', '--pack-destination', tarballs], { cwd: member.folder });
  const tarball = join(tarballs, readdirSync(tarballs)[0] ?? '');
  await check('tar', ['-xzf', tarball, '-C', folder, '--strip-components=1']);
  return { member, tarball, folder };
}

async function checkContents({ tarball, folder }: Packed): Promise<void> {
  const manifest = readManifest(folder);
  const problems: string[] = [];
  for (const [name, range] of Object.entries({ ...manifest.dependencies, ...manifest.peerDependencies })) {
    if (/^(workspace|catalog|link|file):/.test(range)) problems.push(`depends on ${name} as "${range}"`);
  }
  if (JSON.stringify(manifest.exports).includes('@macadam/source')) problems.push('its exports name our sources');
  for (const script of installScripts) {
    if (manifest.scripts?.[script] !== undefined) problems.push(`has a script "${script}"`);
  }
  const { stdout } = await program('tar', ['-tzf', tarball], { output: 'capture' });
  const paths = stdout.split('\n').filter((path) => path !== '' && !path.endsWith('/'));
  const files = paths.map((path) => path.replace('package/', ''));
  const unexpectedFiles = files.filter((path) => !shippable.test(path));
  if (unexpectedFiles.length > 0) problems.push(`ships ${unexpectedFiles.join(', ')}`);
  for (const file of files.filter((path) => path.endsWith('.js'))) {
    // A single one makes V8 keep the whole source with two bytes per character, as long as the process runs.
    const [notLatin1] = /[^\0-\xff]/u.exec(readFileSync(join(folder, file), 'utf8')) ?? [];
    if (notLatin1 !== undefined) problems.push(`has "${notLatin1}", which is not Latin-1, in ${file}`);
  }
  if (problems.length > 0) throw new CheckFailed(`${manifest.name} ${problems.join('; ')}`);
}
