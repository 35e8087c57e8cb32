import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { mendParser } from './http1-parser.ts';

const PARSER = Symbol('parser');

class Parser {
  readonly socket: unknown;
  headers: unknown = ['x', 'a '].map((text) => Buffer.from(text));
  contentLength: unknown = -1;
  readonly calls: unknown[][] = [];

  constructor(socket: unknown) {
    this.socket = socket;
  }

  onHeadersComplete(...all: unknown[]): number {
    this.calls.push(all);
    return 0;
  }
}

function read(change: (parser: Parser) => void = () => {}): { socket: Socket; parser: Parser } {
  const socket: Record<symbol, unknown> = {};
  const parser = new Parser(socket);
  socket[PARSER] = parser;
  change(parser);
  return { socket: socket as unknown as Socket, parser };
}

describe('mendParser', () => {
  it('hands on all that the parser is told, however much that is', () => {
    const { socket, parser } = read();
    mendParser(socket);
    parser.onHeadersComplete(200);
    parser.onHeadersComplete(100, false, true, 'more');
    parser.onHeadersComplete(404, false, true, 'more');
    parser.onHeadersComplete('200', false);
    expect(parser.calls).toEqual([[200], [102, false, true, 'more'], [404, false, true, 'more'], ['200', false]]);
    expect(parser.headers).toEqual(['x', 'a'].map((text) => Buffer.from(text)));
  });

  it.each<[string, (parser: Parser) => void]>([
    ['keeps its headers otherwise', (parser) => (parser.headers = new Map())],
    ['counts no length', (parser) => (parser.contentLength = undefined)],
    ['has no socket', (parser) => Object.assign(parser, { socket: undefined })],
    ['is told by a function of its own', (parser) => Object.assign(parser, { onHeadersComplete: () => 7 })],
    ['is told otherwise', (parser) => Object.setPrototypeOf(parser, null)],
  ])('leaves a parser as it is that %s', (_what, change) => {
    const { socket, parser } = read(change);
    const before = parser.onHeadersComplete;
    mendParser(socket);
    expect(parser.onHeadersComplete).toBe(before);
  });

  it('leaves a socket alone that nothing reads any more', () => {
    const { socket } = read();
    for (const parser of [undefined, null]) {
      (socket as unknown as Record<symbol, unknown>)[PARSER] = parser;
      expect(() => mendParser(socket)).not.toThrow();
    }
  });
});
