// Generates the telemetry catalogue: every metric, span, log line and field that the packages emit, as a page and as
// JSON. `npm run catalogue` writes both from the instruments.ts of the packages; `--check` fails when they differ. Both
// fail when a name was removed that no changeset mentions, because dashboards and alerts break on names.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'prettier';
import {
  type Catalogue,
  catalogueOf,
  mentionsPackage,
  type Described,
  unannounced,
  undescribed,
  unknownNames,
} from './catalogue/names.ts';
import { pageOf } from './catalogue/page.ts';
import { run } from './children.mjs';
import { CheckFailed, program } from './programs.ts';
import { filesBelow, membersOf, root } from './workspace.ts';

const jsonPath = 'docs/telemetry-catalogue.json';
const pagePath = 'docs/telemetry-catalogue.md';

/** `catalogue` writes the page and the JSON; `catalogue --check` fails when they are outdated. */
export async function catalogue(args: readonly string[]): Promise<void> {
  const described = await describedByPackages();
  const older = [...olderCatalogues(), ...(await committedCatalogues())];
  const made = catalogueOf(described, older);
  const problems = [
    ...undescribed(described),
    ...unknownNames(made, literalsInSources()),
    ...unannounced(made.gone, announcements),
  ];
  if (problems.length > 0) throw new CheckFailed(problems.join('\n'));
  const json = await format(JSON.stringify(made), { parser: 'json', printWidth: 120 });
  const page = await format(pageOf(made), { parser: 'markdown', printWidth: 120 });
  const stale = [
    [jsonPath, json],
    [pagePath, page],
  ].filter(([path = '', text]) => !existsSync(join(root, path)) || readFileSync(join(root, path), 'utf8') !== text);
  if (stale.length === 0) return;
  const names = stale.map(([path]) => path).join(', ');
  if (args.includes('--check')) {
    throw new CheckFailed(
      `The telemetry changed: run \`npm run catalogue\`, read the difference and commit it (${names}).`,
    );
  }
  for (const [path = '', text = ''] of stale) writeFileSync(join(root, path), text);
  console.log(`wrote ${names}`);
}

async function describedByPackages(): Promise<Described[]> {
  const script = join(import.meta.dirname, 'catalogue', 'entries.ts');
  const flags = ['--conditions=@macadam/source', '--disable-warning=ExperimentalWarning'];
  const { code, output } = await program(process.execPath, [...flags, script], { output: 'capture' });
  if (code !== 0) throw new CheckFailed(output.trim());
  return JSON.parse(output) as Described[];
}

function literalsInSources(): { path: string; name: string }[] {
  return membersOf('packages').flatMap(({ short, folder }) =>
    filesBelow(join(folder, 'src'), (path) => path.endsWith('.ts') && !path.endsWith('.test.ts')).flatMap((path) =>
      Array.from(
        readFileSync(join(folder, 'src', path), 'utf8').matchAll(/(?<!Symbol\.for\()'(macadam\.[a-z0-9_.]*[a-z0-9])'/g),
        (found) => ({
          path: `packages/${short}/src/${path}`,
          name: found[1] ?? '',
        }),
      ),
    ),
  );
}

/** The changesets that mention the package, and its changelog. */
function announcements(owner: string): string {
  const folder = join(root, '.changeset');
  const changesets = readdirSync(folder)
    .filter((file) => file.endsWith('.md'))
    .map((file) => readFileSync(join(folder, file), 'utf8'));
  return [...changesets.filter((text) => mentionsPackage(text, owner)), changelogOf(owner)].join('\n');
}

function changelogOf(owner: string): string {
  const member = membersOf('packages').find(({ manifest }) => manifest.name === owner);
  const path = member && join(member.folder, 'CHANGELOG.md');
  return path !== undefined && existsSync(path) ? readFileSync(path, 'utf8') : '';
}

function olderCatalogues(): Catalogue[] {
  const path = join(root, jsonPath);
  return existsSync(path) ? [JSON.parse(readFileSync(path, 'utf8')) as Catalogue] : [];
}

/**
 * The committed catalogues: of HEAD, and of the commit where this branch started, or of the previous commit on the main
 * branch. So a name cannot be removed from the JSON by hand either. Without git, or in a shallow clone, only the file
 * counts.
 */
async function committedCatalogues(): Promise<Catalogue[]> {
  const git = async (...args: string[]): Promise<string | undefined> => {
    const { code, output } = await run('git', args, { cwd: root, output: 'capture' }).catch(() => ({
      code: 1,
      output: '',
    }));
    return code === 0 ? output.trim() : undefined;
  };
  const head = await git('rev-parse', 'HEAD');
  if (head === undefined) return [];
  const target = process.env['GITHUB_BASE_REF'] ?? 'main';
  const branchPoint =
    (await git('merge-base', 'HEAD', `origin/${target}`)) ?? (await git('merge-base', 'HEAD', target));
  const base = branchPoint === undefined || branchPoint === head ? `${head}^1` : branchPoint;
  const texts = [await git('show', `${head}:${jsonPath}`), await git('show', `${base}:${jsonPath}`)];
  return texts.filter((text) => text !== undefined).map((text) => JSON.parse(text) as Catalogue);
}
