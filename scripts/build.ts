// Builds the packages that have changed: dependencies first, two at a time.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CheckFailed, program } from './programs.ts';
import { builtDependencies, filesBelow, type Member, packagesInBuildOrder, root } from './workspace.ts';

const maxConcurrent = 2;
const sharedInputs = ['tsup.shared.ts', 'tsconfig.base.json', 'pnpm-lock.yaml'];

/** Returns the names of the packages that were built. */
export async function build(): Promise<string[]> {
  const packages = packagesInBuildOrder();
  const states = new Map<string, string>();
  for (const member of packages) states.set(member.manifest.name, stateOf(member, states));

  const built: string[] = [];
  const pending = new Map<string, Promise<void>>();
  const slots = Array.from({ length: maxConcurrent }, () => Promise.resolve());
  const settled = packages.map((member) => {
    const before = builtDependencies(member).flatMap((name) => pending.get(name) ?? []);
    const work = Promise.all(before).then(async () => {
      const state = states.get(member.manifest.name) ?? '';
      const stamp = stampOf(member);
      if (existsSync(join(member.folder, 'dist')) && existsSync(stamp) && readFileSync(stamp, 'utf8') === state) return;
      const slot = slots.shift() ?? Promise.resolve();
      const result = slot.then(() => buildOne(member));
      slots.push(result.catch(() => {}));
      await result;
      mkdirSync(dirname(stamp), { recursive: true });
      writeFileSync(stamp, state);
      built.push(member.short);
    });
    pending.set(member.manifest.name, work);
    return work;
  });
  const failed = (await Promise.allSettled(settled)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return built;
}

async function buildOne(member: Member): Promise<void> {
  const { code, output } = await program('tsup', ['--silent'], { cwd: member.folder, output: 'capture' });
  if (code !== 0) throw new CheckFailed(`${member.short} does not build:\n${output.trim()}`);
}

/** Inside node_modules, so that it is deleted together with that folder. */
function stampOf(member: Member): string {
  return join(root, 'node_modules', '.cache', 'macadam-build', member.short);
}

/** A hash of everything that the build reads: sources, settings, and the hashes of its dependencies. */
function stateOf(member: Member, others: ReadonlyMap<string, string>): string {
  const hash = createHash('sha256');
  for (const file of sharedInputs) hash.update(readFileSync(join(root, file)));
  const inputs = filesBelow(
    member.folder,
    (path) =>
      /^(src\/.*\.ts|package\.json|tsconfig.*\.json|tsup\.config\.ts)$/.test(path) && !path.endsWith('.test.ts'),
  );
  for (const path of inputs) hash.update(`${path}\n`).update(readFileSync(join(member.folder, path)));
  for (const name of builtDependencies(member)) hash.update(others.get(name) ?? '');
  return hash.digest('hex');
}
