// The site for language models: an index of the pages as Markdown (https://llmstxt.org), and one file of what is used most.
import { type Entry, home, navigation, pagesIn } from './pages.ts';
import type { Prepared } from './project.ts';

/** What a service is built and run with; the rest tells why, and how well. */
const used = new Set(['Packages', 'On call']);

/** `llms.txt`: what there is, section by section, and where. */
export function llmsIndex(texts: readonly Prepared[]): string {
  const bySource = new Map(texts.map((text) => [text.source, text]));
  const lines = (entry: Entry): string[] => {
    if (entry.kind === 'reference') return [];
    if (entry.kind === 'section') return entry.pages.flatMap(lines);
    const { title, url, markdown } = bySource.get(entry.source)!;
    return [`- [${title}](${url}): ${firstSentence(markdown)}`, ...entry.pages.flatMap(lines)];
  };
  const sections = navigation().map((entry) => {
    const list = lines(entry).join('\n');
    return entry.kind === 'section' ? `## ${entry.title}\n\n${list}` : list;
  });
  const about = firstSentence(bySource.get(home.source)!.markdown);
  return `# Macadam\n\n> ${about}\n\nThe public types of a package stand in \`packages/<name>/api.md\`, everything of daily use in \`llms-full.txt\`.\n\n${sections.join('\n\n')}\n`;
}

/** `llms-full.txt`: the README, all that is said about each package, its public types, and the pages for those on call. */
export function llmsFull(texts: readonly Prepared[], contracts: readonly Prepared[]): string {
  const entries = navigation().filter((entry) => used.has(entry.title));
  const sources = new Set([home, ...pagesIn(entries)].map(({ source }) => source));
  return [...texts.filter(({ source }) => sources.has(source)), ...contracts]
    .map(({ url, markdown }) => `<!-- ${url} -->\n\n${markdown.trim()}\n`)
    .join('\n');
}

function firstSentence(markdown: string): string {
  const paragraph = markdown.split(/\n{2,}/).find((text) => /^[A-Z`]/.test(text) && !text.startsWith('```')) ?? '';
  const plain = paragraph.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll(/\s+/g, ' ');
  return (/^.*?[.:](?= |$)/.exec(plain)?.[0] ?? plain).replace(/:$/, '.');
}
