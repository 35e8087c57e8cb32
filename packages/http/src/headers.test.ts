import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { mergeHeaders, ResponseHeaders } from './headers.ts';

describe('mergeHeaders', () => {
  test.each([
    ['adds', ['a', '1'], { B: '2' }, ['a', '1', 'b', '2']],
    ['replaces, in any case', ['accept', 'x'], { Accept: 'y' }, ['accept', 'y']],
    ['leaves out', ['a', '1', 'b', '2'], { a: undefined }, ['b', '2']],
    ['repeats a list', [], { a: ['1', '2'] }, ['a', '1', 'a', '2']],
    ['takes numbers', [], { a: 5 }, ['a', '5']],
    ['allows an empty value, tabs and Latin-1', [], { a: '', b: '\tü' }, ['a', '', 'b', '\tü']],
    ['TE, of which there is one value', [], { TE: 'trailers' }, ['te', 'trailers']],
  ])('%s', (_what, base, own, merged) => expect(mergeHeaders(base, own)).toEqual(merged));

  test.each([
    ['a line feed', { a: 'canary\nb: c' }, 'request.headers.a'],
    ['a carriage return', { a: 'canary\rb: c' }, 'request.headers.a'],
    ['both', { a: 'canary\r\n\r\nGET / HTTP/1.1' }, 'request.headers.a'],
    ['NUL', { a: 'canary\0' }, 'request.headers.a'],
    ['within a list', { a: ['ok', 'canary\r\n'] }, 'request.headers.a'],
    [
      'more than Latin-1, which would be cut to bytes: Ċ becomes a line feed',
      { a: 'canary\u010a' },
      'request.headers.a',
    ],
    ['an object', { a: { toString: (): string => 'canary' } }, 'request.headers.a'],
    ['null', { a: null }, 'request.headers.a'],
    ['a name with a line break', { 'a\r\nb': 'canary' }, 'request.headers["a\\r\\nb"]'],
    ['an empty name', { '': 'canary' }, 'request.headers[""]'],
    ['Content-Length, with which requests are smuggled', { 'Content-Length': '0' }, 'request.headers.content-length'],
    ['Transfer-Encoding', { 'transfer-encoding': 'chunked' }, 'request.headers.transfer-encoding'],
    ['Connection', { connection: 'close' }, 'request.headers.connection'],
    ['TE, for which HTTP/2 ends all requests on the connection', { te: 'gzip, canary' }, 'request.headers.te'],
    ['HTTP2-Settings, likewise', { 'http2-settings': 'canary' }, 'request.headers.http2-settings'],
    ['more than one host', { Host: ['a', 'canary'] }, 'request.headers.host'],
  ])('rejects %s without showing the value', (_what, own, path) => {
    let thrown: unknown;
    try {
      mergeHeaders([], own as never);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'MAC_INVALID_OPTIONS', path });
    expect(inspect(thrown) + JSON.stringify(thrown)).not.toContain('canary');
  });
});

describe('ResponseHeaders', () => {
  const headers = new ResponseHeaders({ 'content-type': 'text/plain', vary: ['a', 'b'], 'set-cookie': ['c=1', 'd=2'] });

  test('are found in any case', () => {
    expect(headers.get('Content-Type')).toBe('text/plain');
    expect(headers.has('VARY')).toBe(true);
    expect(headers.get('nope')).toBeNull();
  });

  test('join repeated headers, and keep cookies apart', () => {
    expect(headers.get('vary')).toBe('a, b');
    expect(headers.getSetCookie()).toEqual(['c=1', 'd=2']);
    expect(new ResponseHeaders({}).getSetCookie()).toEqual([]);
  });

  test('do not find properties of objects, such as constructor', () => {
    expect(headers.get('constructor')).toBeNull();
    expect(headers.get('__proto__')).toBeNull();
  });

  test('can be iterated, and print no values', () => {
    expect(Object.fromEntries(headers)).toMatchObject({ 'content-type': 'text/plain', vary: 'a, b' });
    expect(inspect(headers)).not.toContain('c=1');
  });
});
