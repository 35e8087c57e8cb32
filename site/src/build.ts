// Makes the site: reads the pages where they are, the reference out of the sources, and writes both into one folder.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Application, type IndexEvent, LogLevel, Renderer } from 'typedoc';
import { filesBelow, root } from '../../scripts/workspace.ts';
import { homePage } from './home.ts';
import { llmsFull, llmsIndex } from './llms.ts';
import { asPage, type Targets } from './markdown.ts';
import { allPages, heading, packages, read, referenceUrl } from './pages.ts';
import { convert, type Prepared } from './project.ts';
import { Router, Theme } from './theme.ts';

const here = join(import.meta.dirname, '..');

/** Folder that the site is written to, which git ignores. */
export const out: string = join(here, 'dist');

/** Writes the whole site anew. Fails on what TypeDoc warns of, such as a `{@link}` to nothing. */
export async function buildSite(): Promise<void> {
  const app = await Application.bootstrap({
    name: 'Macadam',
    out,
    router: 'site',
    theme: 'site',
    customCss: join(here, 'style.css'),
    favicon: join(here, 'favicon.svg'),
    hideGenerator: true,
    readme: 'none',
    disableGit: true,
    disableSources: true,
    excludeExternals: true,
    includeHierarchySummary: false,
    useFirstParagraphOfCommentAsSummary: true,
    groupOrder: ['Functions', 'Variables', 'Classes', 'Interfaces', 'Type Aliases'],
    navigation: { includeGroups: true, includeCategories: false, includeFolders: false },
    headings: { document: false, readme: false },
    searchInComments: true,
    searchInDocuments: true,
    // The usual ones are too pale on a ground that is not quite white, or not quite black.
    lightHighlightTheme: 'github-light-high-contrast',
    darkHighlightTheme: 'github-dark-high-contrast',
    highlightLanguages: ['typescript', 'json', 'sh'],
    logLevel: LogLevel.Warn,
  });
  app.renderer.defineRouter('site', Router);
  app.renderer.defineTheme('site', Theme);
  app.renderer.on(Renderer.EVENT_PREPARE_INDEX, findByCode);
  const [home, ...pages] = pagesAs('html');
  await app.generateDocs(convert(app, pages, homePage(home!.markdown)), out);
  if (app.logger.hasWarnings() || app.logger.hasErrors()) throw new Error('TypeDoc has warnings; see above.');
  for (const path of assets()) write(path, read(path));
  writeTexts();
}

/** Whoever looks for an error code finds first the page that says what to do about it, and then those that name it as well. */
function findByCode(event: IndexEvent): void {
  event.searchFieldWeights['code'] = 100;
  for (const [i, result] of event.searchResults.entries()) {
    if (!result.isDocument() || result.frontmatter['url'] !== 'docs/errors.html') continue;
    const text = result.content.map((part) => part.text).join('');
    event.searchFields[i] = { ...event.searchFields[i], code: (text.match(/\bMAC_\w+/g) ?? []).join(' ') };
  }
}

/** The same pages as Markdown, beside them, and what leads a language model to them. */
function writeTexts(): void {
  const texts = pagesAs('md');
  for (const { url, markdown } of texts) write(url, markdown);
  for (const { url, markdown } of contracts()) write(url, markdown);
  write('llms.txt', llmsIndex(texts));
  write('llms-full.txt', llmsFull(texts, contracts()));
}

function pagesAs(extension: 'html' | 'md'): Prepared[] {
  const as = (url: string): string => url.replace(/html$/, extension);
  const pages = allPages();
  const urls = new Map(pages.map(({ source, url }) => [source, as(url)]));
  for (const [source, url] of urls) {
    if (source.endsWith('/README.md')) urls.set(dirname(source), url);
  }
  for (const { short, manifest } of packages()) {
    const contract = `packages/${short}/api.md`;
    urls.set(contract, extension === 'md' ? contract : referenceUrl(manifest.name));
  }
  const copied = new Set(assets());
  const targets: Targets = { urlOf: (path) => urls.get(path), isAsset: (path) => copied.has(path) };
  return pages.map(({ source, url }): Prepared => {
    return { title: heading(source), source, url: as(url), markdown: asPage(read(source), source, as(url), targets) };
  });
}

/** The public types of each package, in the words of TypeScript. */
function contracts(): Prepared[] {
  return packages().map(({ short, manifest }) => {
    const source = `packages/${short}/api.md`;
    return { title: `API of ${manifest.name}`, source, url: source, markdown: read(source) };
  });
}

/** Charts, and data that a page offers. */
function assets(): string[] {
  const files = filesBelow(join(root, 'docs'), (path) => /\.(svg|json)$/.test(path) && path !== 'package.json');
  return files.map((path) => `docs/${path}`);
}

function write(path: string, text: string): void {
  mkdirSync(dirname(join(out, path)), { recursive: true });
  writeFileSync(join(out, path), text);
}
