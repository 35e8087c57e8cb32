// Finds the pages whose code blocks are tested, and writes these blocks as modules.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { filesBelow, membersOf, root } from '../workspace.ts';
import { type Snippet, snippetsOf } from './extract.ts';

/** Inside the workspace member `docs`, so that `@macadam/*` and a few well-known packages resolve. */
export const folder: string = join(root, 'docs', '.snippets');

export interface Written extends Snippet {
  /** Name of the module in `folder`. */
  file: string;
}

/** The READMEs and everything below docs, except generated reports. */
export function pages(): string[] {
  const readmes = [
    '',
    ...['packages', 'examples'].flatMap((parent) => membersOf(parent).map(({ short }) => `${parent}/${short}/`)),
  ];
  const docs = filesBelow(join(root, 'docs'), (path) => /\.mdx?$/.test(path) && !path.startsWith('reports/'));
  return [...readmes.map((path) => `${path}README.md`), ...docs.map((path) => `docs/${path}`)];
}

/** Writes each snippet as a module. Returns them in the order of the pages. */
export function writeSnippets(): Written[] {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const written = pages().flatMap((page) => {
    const snippets = snippetsOf(page, readPage(page));
    return snippets.map((snippet) => ({
      ...snippet,
      file: `${page.replaceAll(/[^a-z0-9]+/gi, '-')}-${snippet.line}.ts`,
    }));
  });
  for (const { file, code } of written) writeFileSync(join(folder, file), code);
  const compilerOptions = {
    types: ['node'],
    isolatedDeclarations: false,
    declaration: false,
    noUnusedLocals: false,
    noUnusedParameters: false,
    noPropertyAccessFromIndexSignature: false,
  };
  const tsconfig = { extends: '../../tsconfig.base.json', compilerOptions, include: ['*.ts'] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig));
  return written;
}

function readPage(page: string): string {
  try {
    return readFileSync(join(root, page), 'utf8');
  } catch {
    return '';
  }
}
