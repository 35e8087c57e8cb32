import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parsePathTemplate, PathTemplates } from './path-template.ts';

test('shows no credentials of a URL that was given for a path', () => {
  for (const url of ['https://me:canary@billing/a', 'https://me:can/ary-canary@billing/a', 'me:canary@billing']) {
    expect(() => parsePathTemplate(url)).toThrow(expect.objectContaining({ path: 'request.path' }));
    expect(() => parsePathTemplate(url)).not.toThrow(/canary/);
  }
});

describe('a path template', () => {
  test.each([
    ['no parameter', '/invoices', undefined, '/invoices'],
    ['one', '/invoices/{id}', { id: 42 }, '/invoices/42'],
    ['several', '/a/{x}/b/{y}.pdf', { x: 'u', y: 7n }, '/a/u/b/7.pdf'],
    ['a slash stays in its segment', '/files/{name}', { name: 'a/b' }, '/files/a%2Fb'],
    ['what could begin a query or fragment', '/files/{name}', { name: 'a?b#c' }, '/files/a%3Fb%23c'],
    ['more than ASCII', '/städte/{name}'.replace('ä', '%C3%A4'), { name: 'Köln' }, '/st%C3%A4dte/K%C3%B6ln'],
    ['one name twice', '/{a}/{a}', { a: 1 }, '/1/1'],
    ['dots within a value', '/files/{name}', { name: 'a..b' }, '/files/a..b'],
    ['a fixed query', '/search?kind={kind}', { kind: 'a b' }, '/search?kind=a%20b'],
  ])('%s', (_what, text, params, path) => {
    expect(parsePathTemplate(text, '/v1').build(params as never)).toBe(`/v1${path}`);
  });

  test.each([
    ['missing', '/invoices/{id}', {}, 'request.params.id'],
    ['no params at all', '/invoices/{id}', undefined, 'request.params.id'],
    ['inherited', '/x/{toString}', {}, 'request.params.toString'],
    ['unknown', '/invoices/{id}', { id: 1, page: 2 }, 'request.params.page'],
    ['for a path without any', '/invoices', { id: 1 }, 'request.params.id'],
    ['an empty string, which would be the collection', '/invoices/{id}', { id: '' }, 'request.params.id'],
    ['a dot segment', '/files/{name}', { name: '..' }, 'request.params.name'],
    ['a single dot', '/files/{name}', { name: '.' }, 'request.params.name'],
    ['NaN', '/invoices/{id}', { id: NaN }, 'request.params.id'],
    ['null', '/invoices/{id}', { id: null }, 'request.params.id'],
    ['an object', '/invoices/{id}', { id: {} }, 'request.params.id'],
    ['half a surrogate pair', '/invoices/{id}', { id: '\udfff' }, 'request.params.id'],
  ])('rejects a parameter: %s', (_what, text, params, path) => {
    expect(() => parsePathTemplate(text).build(params as never)).toThrow(
      expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path }),
    );
  });

  test.each([
    ['relative', 'invoices'],
    ['another origin', 'http://evil.example/'],
    ['a dot segment', '/a/../b'],
    ['an encoded dot segment', '/a/%2e%2E/b'],
    ['a dot segment at the end', '/a/..'],
    ['a fragment', '/a#b'],
    ['a line break', '/a\r\nx: y'],
    ['a space', '/a b'],
    ['a backslash', '/a\\b'],
    ['a stray brace', '/a/{id'],
    ['an empty name', '/a/{}'],
    ['not a string', 42],
  ])('rejects a path: %s', (_what, text) => {
    expect(() => parsePathTemplate(text as string)).toThrow(expect.objectContaining({ path: 'request.path' }));
  });

  test('property: a value stays within its segment', () => {
    const value = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !/\p{Surrogate}/u.test(text));
    fc.assert(
      fc.property(
        value.filter((text) => text !== '.' && text !== '..'),
        (id) => {
          const url = new URL(parsePathTemplate('/a/{id}/b').build({ id }), 'http://host');
          const segments = url.pathname.split('/');
          expect(segments.length).toBe(4);
          expect(decodeURIComponent(segments[2] as string)).toBe(id);
          expect(url.search + url.hash).toBe('');
        },
      ),
    );
  });

  test('is printed without parameter and query values', () => {
    expect(parsePathTemplate('/reset/{token}?key=canary', '/v1').printable).toBe('/v1/reset/{token}?key=REDACTED');
  });
});

test('the cache of templates is bounded', () => {
  const templates = new PathTemplates('', 10);
  const first = templates.get('/a');
  expect(templates.get('/a')).toBe(first);
  for (let i = 0; i < 10; i++) templates.get(`/a/${i}`);
  expect(templates.get('/a')).not.toBe(first);
});
