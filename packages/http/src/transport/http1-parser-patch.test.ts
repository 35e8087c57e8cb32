import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { patchParser } from './http1-parser-patch.ts';

const PARSER = Symbol('parser');

class Parser {
  readonly socket: unknown;
  headers: unknown = ['x', 'a '].map((text) => Buffer.from(text));
  contentLength: unknown = -1;
  readonly ptr = 7;
  readonly lenient: unknown[][] = [];
  llhttp: unknown = { llhttp_set_lenient_keep_alive: (...all: unknown[]) => this.lenient.push(all) };
  readonly calls: unknown[][] = [];

  constructor(socket: unknown) {
    this.socket = socket;
  }

  onHeadersComplete(...all: unknown[]): number {
    this.calls.push(all);
    return 0;
  }

  readMore(): void {}
}

function read(change: (parser: Parser) => void = () => {}): { socket: Socket; parser: Parser } {
  const socket: Record<symbol, unknown> = {};
  const parser = new Parser(socket);
  socket[PARSER] = parser;
  change(parser);
  return { socket: socket as unknown as Socket, parser };
}

describe('patchParser', () => {
  it('passes on all arguments, and replaces only the status 100', () => {
    const { socket, parser } = read();
    patchParser(socket);
    parser.onHeadersComplete(200);
    parser.onHeadersComplete(100, false, true, 'more');
    parser.onHeadersComplete(404, false, true, 'more');
    parser.onHeadersComplete('200', false);
    expect(parser.calls).toEqual([[200], [102, false, true, 'more'], [404, false, true, 'more'], ['200', false]]);
    expect(parser.headers).toEqual(['x', 'a'].map((text) => Buffer.from(text)));
    expect(parser.lenient).toEqual([]);
  });

  it('lets a response follow connection: close only after an interim one', () => {
    const { socket, parser } = read();
    patchParser(socket);
    parser.onHeadersComplete(200, false, false);
    parser.onHeadersComplete(103, false, true);
    expect(parser.lenient).toEqual([]);
    parser.onHeadersComplete(103, false, false);
    expect(parser.lenient).toEqual([[7, 1]]);
  });

  it.each<[string, (parser: Parser) => void]>([
    ['stores its headers in another form', (parser) => (parser.headers = new Map())],
    ['has no contentLength', (parser) => (parser.contentLength = undefined)],
    ['has no such setting', (parser) => (parser.llhttp = {})],
    ['has no socket', (parser) => Object.assign(parser, { socket: undefined })],
    ['has an onHeadersComplete of its own', (parser) => Object.assign(parser, { onHeadersComplete: () => 7 })],
    ['has no onHeadersComplete', (parser) => Object.setPrototypeOf(parser, null)],
  ])('leaves a parser unchanged that %s', (_what, change) => {
    const { socket, parser } = read(change);
    const before = parser.onHeadersComplete;
    patchParser(socket);
    expect(parser.onHeadersComplete).toBe(before);
  });

  it('ignores a socket without a parser', () => {
    const { socket } = read();
    for (const parser of [undefined, null]) {
      (socket as unknown as Record<symbol, unknown>)[PARSER] = parser;
      expect(() => patchParser(socket)).not.toThrow();
    }
  });
});
