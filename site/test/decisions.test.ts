import { join } from 'node:path';
import { expect, it } from 'vitest';
import { filesBelow, root } from '../../scripts/workspace.ts';
import { heading, read } from '../src/pages.ts';

it('the index of decisions lists every record, with its title', () => {
  const records = filesBelow(join(root, 'docs', 'decisions'), (path) => /^\d/.test(path));
  const links = [...read('docs/decisions/README.md').matchAll(/^\| (\d{4}) +\| \[(.+?)\]\((\d{4})(.+?)\)/gm)];
  expect(links.map(([, number, title, prefix, rest]) => [number, `${prefix}${rest}`, title])).toEqual(
    records.map((file) => [file.slice(0, 4), file, heading(`docs/decisions/${file}`)]),
  );
});
