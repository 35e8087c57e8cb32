// What must hold of the site as it was written: no dead link, no empty page, no Markdown file and no export left out.
import { existsSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { filesBelow } from '../../scripts/workspace.ts';
import { type Page, referenceUrl } from './pages.ts';

interface Html {
  text: string;
  ids: ReadonlySet<string>;
  links: readonly string[];
}

/** Less than this is no page: a heading and a sentence are more. */
const MIN_CHARACTERS = 40;

/** Dead links and anchors, empty pages, and what programs read but people should not see, one line each. */
export function checkPages(folder: string): string[] {
  const pages = new Map(
    filesBelow(folder, (path) => path.endsWith('.html')).map((path) => [path, readPage(join(folder, path))]),
  );
  return [...pages].flatMap(([path, page]) => {
    const dead = [...new Set(page.links)].flatMap((link) => deadLink(link, path, folder, pages));
    if (mainText(page.text).length < MIN_CHARACTERS) dead.push(`${path}: is empty`);
    if (/&lt;!--|<!--/.test(page.text.replaceAll(/<(pre|code)[^]*?<\/\1>/g, ''))) dead.push(`${path}: shows a comment`);
    return dead;
  });
}

/** Names that a contract (`api.md`) has and the reference has no place for, one line each. */
export function checkExports(folder: string, contract: string): string[] {
  return [...exportsIn(contract)].flatMap(([module, names]) => {
    const index = join(folder, referenceUrl(module));
    if (!existsSync(index)) return [`${module}: has no reference`];
    const { links, ids } = readPage(index);
    const shown = new Set(links.map((link) => posix.basename(link, '.html')));
    return names
      .filter((name) => !shown.has(name) && !ids.has(name))
      .map((name) => `${module}: ${name} is exported, but not in the reference`);
  });
}

/** Markdown files that no page is made of, one line each. */
export function checkSources(sources: readonly string[], pages: readonly Page[]): string[] {
  const shown = new Set(pages.map(({ source }) => source));
  return sources.filter((source) => !shown.has(source)).map((source) => `${source}: is no page of the site`);
}

/** The exported names of each entry point: those of the first block after its heading. */
export function exportsIn(contract: string): Map<string, string[]> {
  const sections = contract.matchAll(/^## (\S+)\n\n```ts\n([^]*?)^```$/gm);
  return new Map([...sections].map(([, module = '', block = '']) => [module, namesIn(block)]));
}

/** Each declaration begins at the margin; a comment before it tells another name that it is exported by. */
function namesIn(block: string): string[] {
  const declaration =
    /^(?:\/\/ as (\S+)\n.*|export \{ (\S+) \};.*|(?:abstract )?(?:class|interface|type|function|const|let|enum|namespace) ([\w$]+).*)$/gm;
  return [...new Set([...block.matchAll(declaration)].map((match) => match[1] ?? match[2] ?? match[3] ?? ''))];
}

function deadLink(link: string, path: string, folder: string, pages: ReadonlyMap<string, Html>): string[] {
  if (/^(https?|mailto|data):/.test(link)) return [];
  const [file = '', anchor = ''] = link.split('#');
  const target = file === '' ? path : posix.join(posix.dirname(path), decodeURI(file));
  const page = pages.get(target.endsWith('/') || target === '.' ? posix.join(target, 'index.html') : target);
  if (page === undefined && !existsSync(join(folder, target))) return [`${path}: links to ${link}, which is not there`];
  if (anchor === '' || page === undefined || page.ids.has(decodeURIComponent(anchor))) return [];
  return [`${path}: links to ${link}, but there is no such place on that page`];
}

function readPage(file: string): Html {
  const text = readFileSync(file, 'utf8');
  return {
    text,
    ids: new Set([...text.matchAll(/ id="([^"]*)"/g)].map(([, id = '']) => decoded(id))),
    links: [...text.matchAll(/<(?:a|img|link|script)\b[^>]*? (?:href|src)="([^"]*)"/g)].map(([, link = '']) =>
      decoded(link),
    ),
  };
}

/** What stands between the navigation at both sides, without markup. */
function mainText(html: string): string {
  const main = /<div class="col-content">([^]*)<div class="col-sidebar">/.exec(html)?.[1] ?? '';
  return main
    .replaceAll(/<(svg|script|style)[^]*?<\/\1>|<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

function decoded(attribute: string): string {
  return attribute.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&amp;', '&');
}
