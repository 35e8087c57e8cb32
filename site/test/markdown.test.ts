import { describe, expect, it } from 'vitest';
import { asPage } from '../src/markdown.ts';

const targets = {
  urlOf: (path: string) =>
    new Map([
      ['docs/errors.md', 'docs/errors.html'],
      ['packages/http', 'packages/http/index.html'],
    ]).get(path),
  isAsset: (path: string) => path === 'docs/charts/a.svg',
};

function onPage(markdown: string): string {
  return asPage(markdown, 'packages/cache/README.md', 'packages/cache/index.html', targets);
}

describe('a Markdown file as a page of the site', () => {
  it.each([
    ['a page', '[errors](../../docs/errors.md#a-place)', '[errors](../../docs/errors.html#a-place)'],
    ['a folder whose README is a page', '[`@macadam/http`](../http)', '[`@macadam/http`](../http/index.html)'],
    ['a chart', '![hits](../../docs/charts/a.svg)', '![hits](../../docs/charts/a.svg)'],
    ['a place on the same page', '[here](#values)', '[here](#values)'],
    ['another site', '[RFC](https://example.org/rfc)', '[RFC](https://example.org/rfc)'],
    ['a source file, shown by its path', '[cache.ts](src/cache.ts)', '`packages/cache/src/cache.ts`'],
    ['a source file with words of its own', '[the tier](src/tier.ts)', 'the tier (`packages/cache/src/tier.ts`)'],
  ])('links to %s', (_, markdown, expected) => {
    expect(onPage(`See ${markdown}.`)).toBe(`See ${expected}.`);
  });

  it('leaves out what only programs read', () => {
    expect(onPage('Before.\n\n<!-- setup\nconst x = 1;\n-->\n\n```ts continue\nx;\n```\n')).toBe(
      'Before.\n\n\n```ts\nx;\n```\n',
    );
  });

  it('leaves code as it is, whatever it looks like', () => {
    const code = 'Write `<!-- setup ... -->` or `[a](b.md)`.\n\n```md\n[a](b.md) <!-- c -->\n```\n';
    expect(onPage(code)).toBe(code);
  });
});
