// Extracts the TypeScript blocks of a Markdown page, with their positions.

/** A program from a page: a block and the blocks marked `continue` after it. */
export interface Snippet {
  /** Path of the page, relative to the workspace. */
  page: string;
  /** Line of the fence of the first block, from 1. */
  line: number;
  /** The program. Its lines have the same numbers as on the page, so that an error names the right line. */
  code: string;
}

const fence = /^( *)(`{3,}|~{3,})\s*(\S*)\s*(.*)$/;

/**
 * Returns the programs of a page. On the fence, `ts ignore=<reason>` leaves a block out, and `ts continue` appends it
 * to the block before. A comment `<!-- setup ... -->` right before a block contains lines that run first and are not
 * shown.
 */
export function snippetsOf(page: string, markdown: string): Snippet[] {
  const lines = markdown.split('\n');
  const snippets: Snippet[] = [];
  /** The lines of the current program, at the index they have on the page. */
  let program: string[] = [];
  let setup: [number, string][] = [];
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? '';
    if (/^<!-- setup\s*$/.test(line)) {
      setup = [];
      for (index += 1; index < lines.length && lines[index] !== '-->'; index += 1)
        setup.push([index, lines[index] ?? '']);
      continue;
    }
    const [, indent = '', marks, language, info = ''] = fence.exec(line) ?? [];
    if (marks === undefined) {
      if (line.trim() !== '') setup = [];
      continue;
    }
    const opened = index;
    const body: [number, string][] = [];
    for (index += 1; index < lines.length && !isEnd(lines[index] ?? '', marks); index += 1) {
      body.push([index, (lines[index] ?? '').replace(indent, '')]);
    }
    if (language === 'ts' || language === 'typescript') {
      const ignored = /(?:^|\s)ignore=(\S.*)?$/.exec(info);
      if (ignored !== null && ignored[1] === undefined) throw new Error(`${page}:${opened + 1} ignore= needs a reason`);
      if (ignored === null) {
        const continues = /(^|\s)continue(\s|$)/.test(info);
        if (continues && snippets.length === 0) throw new Error(`${page}:${opened + 1} continues nothing`);
        if (!continues) program = [];
        for (const [at, text] of [...setup, ...body]) program[at] = text;
        const code = `${Array.from(program, (text) => text ?? '').join('\n')}\nexport {};\n`;
        if (continues) snippets[snippets.length - 1]!.code = code;
        else snippets.push({ page, line: opened + 1, code });
      }
    }
    setup = [];
  }
  return snippets;
}

function isEnd(line: string, marks: string): boolean {
  const text = line.trim();
  return text.startsWith(marks) && [...text].every((character) => character === marks[0]);
}
