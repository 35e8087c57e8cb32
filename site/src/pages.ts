// Which Markdown files are pages of the site, where they stand in its navigation, and at which address.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { filesBelow, type Member, membersOf, root } from '../../scripts/workspace.ts';

export interface Page {
  kind: 'page';
  /** Path of the Markdown file from the root of the repository. */
  source: string;
  /** Path of the page from the root of the site. */
  url: string;
  /** What the navigation calls it. */
  title: string;
  pages: readonly Entry[];
}

/** A title of the navigation that is no page itself. */
export interface Section {
  kind: 'section';
  title: string;
  pages: readonly Entry[];
}

/** The reference of one entry point of a package, which TypeDoc makes. */
export interface Reference {
  kind: 'reference';
  /** As it is imported, such as `@macadam/telemetry/node`. */
  module: string;
  title: string;
}

export type Entry = Page | Section | Reference;

/** The README, which the home page is made of. It is no part of the navigation, whose head leads to it. */
export const home: Page = page('README.md', 'Macadam');

/** By reader: who calls a service for the first time, who builds a platform of it, who is on call, who wants proof, who changes it. */
export function navigation(): Entry[] {
  return [
    page('examples/places/README.md', 'A bad day, side by side'),
    section('Packages', packages().map(packageSection)),
    section('On call', [
      page('docs/errors.md', 'Errors, and what to do'),
      page('docs/telemetry-catalogue.md', 'Metrics, spans and log lines'),
    ]),
    section('Evidence', [
      page('docs/performance.md', 'Where the time goes'),
      page('docs/benchmarks/README.md', 'Benchmarks', below('docs/benchmarks', /^(?!README)/, 'Benchmark: ')),
      page('docs/simulation/report.md', 'Simulated outages'),
      page('docs/cache-races.md', 'Races of the cache'),
      page('docs/mutation.md', 'Mutation testing'),
    ]),
    section('Project', [
      page('ARCHITECTURE.md', 'Architecture'),
      page('docs/decisions/README.md', 'Decisions', below('docs/decisions', /^\d/)),
      page('CONTRIBUTING.md', 'Contributing'),
      page('bench/README.md', 'Taking the benchmarks'),
      page('SECURITY.md', 'Security'),
    ]),
  ];
}

/** The pages among the entries, at any depth. */
export function pagesIn(entries: readonly Entry[]): Page[] {
  return entries.flatMap((entry) => {
    if (entry.kind === 'reference') return [];
    return entry.kind === 'page' ? [entry, ...pagesIn(entry.pages)] : pagesIn(entry.pages);
  });
}

/** All pages, the home page first. */
export function allPages(): Page[] {
  return [home, ...pagesIn(navigation())];
}

/** The packages, in the order in which the README names them. */
export function packages(): Member[] {
  const readme = read('README.md');
  return membersOf('packages').sort((a, b) => readme.indexOf(a.manifest.name) - readme.indexOf(b.manifest.name));
}

/** What can be imported of a package, with the source it comes from. */
export function modulesOf({ manifest, folder }: Member): { module: string; file: string }[] {
  return Object.entries(manifest.exports ?? {}).flatMap(([subpath, target]) => {
    const source = typeof target === 'object' ? target['@macadam/source'] : undefined;
    return source === undefined ? [] : [{ module: manifest.name + subpath.slice(1), file: join(folder, source) }];
  });
}

/** Address of the reference of an entry point: `@macadam/telemetry/node` stands at `api/telemetry/node/index.html`. */
export function referenceUrl(module: string): string {
  return `api/${module.slice('@macadam/'.length)}/index.html`;
}

export function read(source: string): string {
  return readFileSync(join(root, source), 'utf8');
}

/** What a package's own page is followed by: the pages of `docs` that have its name in theirs, and its reference. */
function packageSection(member: Member): Page {
  const guides = filesBelow(join(root, 'docs'), (path) =>
    new RegExp(`^${member.short}(-(?!races|catalogue).*)?\\.md$`).test(path),
  );
  const references = modulesOf(member).map(({ module }): Reference => {
    const subpath = module.slice(member.manifest.name.length);
    return { kind: 'reference', module, title: subpath === '' ? 'API' : `API of ${subpath.slice(1)}` };
  });
  return page(`packages/${member.short}/README.md`, member.manifest.name, [
    ...guides.map((path) => page(`docs/${path}`, path === `${member.short}.md` ? 'In depth' : heading(`docs/${path}`))),
    ...references,
  ]);
}

function below(folder: string, wanted: RegExp, withoutPrefix = ''): Page[] {
  const files = filesBelow(join(root, folder), (path) => path.endsWith('.md') && wanted.test(path));
  return files.map((path) => {
    const title = heading(`${folder}/${path}`);
    return page(`${folder}/${path}`, title.startsWith(withoutPrefix) ? title.slice(withoutPrefix.length) : title);
  });
}

/** The first heading of a file, without the Markdown in it. */
export function heading(source: string): string {
  const title = /^# (.+)$/m.exec(read(source))?.[1];
  if (title === undefined) throw new Error(`${source} has no heading`);
  return title.replaceAll('`', '').replace(/^\d{4}: /, '');
}

function page(source: string, title: string, pages: readonly Entry[] = []): Page {
  const url = source
    .toLowerCase()
    .replace(/(^|\/)readme\.md$/, '$1index.md')
    .replace(/\.md$/, '.html');
  return { kind: 'page', source, url, title, pages };
}

function section(title: string, pages: readonly Entry[]): Section {
  return { kind: 'section', title, pages };
}
