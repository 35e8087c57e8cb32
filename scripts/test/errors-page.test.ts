import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { membersOf, root } from '../workspace.ts';

const CODE = /\bMAC_[A-Z_]+[A-Z]\b/g;

function codesIn(texts: readonly string[]): string[] {
  return [...new Set(texts.flatMap((text) => text.match(CODE) ?? []))].sort();
}

it('docs/errors.md has a row for every error code of the packages, and no other', () => {
  const sources = membersOf('packages').flatMap(({ folder }) =>
    readdirSync(join(folder, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
      .map((path) => readFileSync(join(folder, 'src', path), 'utf8')),
  );
  expect(codesIn([readFileSync(join(root, 'docs/errors.md'), 'utf8')])).toEqual(codesIn(sources));
});
