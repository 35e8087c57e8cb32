import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { checkExports, checkPages, checkSources, exportsIn } from '../src/check.ts';
import { allPages } from '../src/pages.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'macadam-site-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(path: string, content = 'Enough words that this counts as a page which says something.'): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(
    join(folder, path),
    `<main><div class="col-content">${content}</div><div class="col-sidebar"></div></main>`,
  );
}

it('finds links to pages and places that are not there, and pages that are empty', () => {
  const words = 'Words that fill the page, so that nobody takes it for an empty one.';
  write(
    'index.html',
    `<h1 id="top">${words}</h1><a href="#top">1</a><a href="a/b.html#x">2</a><a href="a/c.html">3</a>`,
  );
  write('a/b.html', `<h2 id="y">${words}</h2><a href="../index.html#top">4</a><img src="d.svg">`);
  write('e.html', '<h1>E</h1>');
  expect(checkPages(folder)).toEqual([
    'a/b.html: links to d.svg, which is not there',
    'e.html: is empty',
    'index.html: links to a/b.html#x, but there is no such place on that page',
    'index.html: links to a/c.html, which is not there',
  ]);
});

it('shows no comment that only programs read', () => {
  write('index.html', '<p>&lt;!-- setup --&gt; is what a reader should not see on any page of the site.</p>');
  write('code.html', '<p>How such a comment is written is shown like so: <code>&lt;!-- setup --&gt;</code></p>');
  expect(checkPages(folder)).toEqual(['index.html: shows a comment']);
});

const contract = `# API of @macadam/core

## @macadam/core

\`\`\`ts
abstract class Shape {
    readonly interface: string;
}

const a: 1;

// as b
function originalOfB(): void;

export { c }; // from elsewhere
\`\`\`

Not exported, but named by the above:

\`\`\`ts
interface Hidden {
}
\`\`\`

## @macadam/core/testing

\`\`\`ts
type T = 1;
\`\`\`
`;

it('reads from a contract which names are exported, and by which name', () => {
  expect(exportsIn(contract)).toEqual(
    new Map([
      ['@macadam/core', ['Shape', 'a', 'b', 'c']],
      ['@macadam/core/testing', ['T']],
    ]),
  );
});

it('finds what is exported and has no place in the reference', () => {
  write(
    'api/core/index.html',
    '<a href="classes/Shape.html">Shape</a> <a href="variables/a.html">a</a> <h3 id="c">c</h3>',
  );
  expect(checkExports(folder, contract)).toEqual([
    '@macadam/core: b is exported, but not in the reference',
    '@macadam/core/testing: has no reference',
  ]);
});

it('finds a Markdown file that is no page', () => {
  expect(checkSources(['README.md', 'docs/new.md'], allPages())).toEqual(['docs/new.md: is no page of the site']);
});
