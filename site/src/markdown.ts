// A Markdown file of the repository as a page of the site: without what only programs read, and with links of the site.
import { posix } from 'node:path';

export interface Targets {
  /** Address in the site of a file or folder of the repository, if it has one. */
  urlOf: (path: string) => string | undefined;
  /** Whether the file is copied to the site as it is, to the same path. */
  isAsset: (path: string) => boolean;
}

// What comes first wins: within code, a comment or a link is none.
const PARTS =
  /^(?<fence>`{3,}|~{3,})[^\n]*\n[^]*?^\k<fence>[ \t]*$|`[^`\n]+`|<!--[^]*?-->\n?|!?\[(?<text>(?:[^[\]]|\[[^\]]*\])*)\]\((?<target>[^()\s]+)\)/gm;

/** The Markdown of the page at `url`, from that of the file `source`. */
export function asPage(markdown: string, source: string, url: string, targets: Targets): string {
  return markdown.replaceAll(PARTS, (all: string, ...rest: unknown[]) => {
    const { fence, text, target } = rest.at(-1) as Record<string, string | undefined>;
    if (fence !== undefined) return all.replace(/^(\S+)[^\n]*/, '$1');
    if (all.startsWith('<!--')) return '';
    if (text === undefined || target === undefined) return all;
    const to = linkTo(target, source, url, targets);
    if (to !== undefined) return all.slice(0, all.length - target.length - 1) + to + ')';
    // A file that the site does not have: whoever reads this in a checkout finds it by its path.
    const path = repositoryPath(target, source);
    const shown = text.replaceAll('`', '');
    return path.endsWith(shown) ? `\`${path}\`` : `${text} (\`${path}\`)`;
  });
}

/** Address of one page of the site as a link on another. */
export function relativeUrl(from: string, to: string): string {
  return posix.relative(posix.dirname(from), to);
}

function linkTo(target: string, source: string, url: string, targets: Targets): string | undefined {
  if (/^[a-z]+:|^#/.test(target)) return target;
  const path = repositoryPath(target, source);
  const anchor = /#.*$/.exec(target)?.[0] ?? '';
  const to = targets.urlOf(path) ?? (targets.isAsset(path) ? path : undefined);
  return to === undefined ? undefined : relativeUrl(url, to) + anchor;
}

function repositoryPath(target: string, source: string): string {
  return posix.join(posix.dirname(source), target.replace(/#.*$/, '')).replace(/\/$/, '');
}
