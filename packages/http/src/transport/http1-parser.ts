/**
 * What undici (8.12) makes of answers of HTTP/1.1 that are as they may be, put right where it reads them: there is no other
 * place, since it drops the connection over them. Where it reads in another way everything stays as it is.
 * See docs/decisions/0023-answers-are-put-right-in-the-parser.md.
 */
import type { Socket } from 'node:net';

/** What the transport reads a connection with, as far as it matters here. */
interface Parser {
  readonly socket: Socket;
  /** Names and values in turn. */
  readonly headers: Uint8Array[];
  /** What `content-length` says; -1 without one. */
  contentLength: number;
  onHeadersComplete(status: number, ...rest: readonly unknown[]): number;
}

/** An interim answer that says nothing. */
const PROCESSING = 102;
/** What a callback of the parser stops it with. */
const STOP = -1;

/** @param socket - on which the transport has begun to read */
export function mendParser(socket: Socket): void {
  const parser = parserOf(socket);
  if (isAsKnown(parser, socket)) parser.onHeadersComplete = onHeadersComplete;
}

/** Whether all that is read and replaced here is there, and what it was. */
function isAsKnown(parser: Partial<Parser> | undefined | null, socket: Socket): parser is Parser {
  return (
    parser?.socket === socket &&
    Array.isArray(parser.headers) &&
    typeof parser.contentLength === 'number' &&
    !Object.hasOwn(parser, 'onHeadersComplete') &&
    typeof (Object.getPrototypeOf(parser) as Partial<Parser> | null)?.onHeadersComplete === 'function'
  );
}

/**
 * A `100 Continue` that nobody asked for is passed over, as all other interim answers are (RFC 9110, section 15.2): some
 * servers and proxies send it before they read any body. What cannot be passed over, 101 or a status below 100, is told as
 * what it is.
 */
function onHeadersComplete(this: Parser, status: number, ...rest: readonly unknown[]): number {
  const { onHeadersComplete: asEver } = Object.getPrototypeOf(this) as Parser;
  trimValues(this);
  if (status === 100) return asEver.call(this, PROCESSING, ...rest);
  // What is no number is nothing that is known here.
  if (!(status <= 101)) return asEver.call(this, status, ...rest);
  const error = new Error(`The server answered ${status}, which nobody asked for`);
  this.socket.destroy(Object.assign(error, { code: 'HPE_INVALID_STATUS' }));
  return STOP;
}

const SPACE = 0x20;
const TAB = 0x09;

/** White space after a value is no part of it (RFC 9112, section 5); in the length of a body it would be counted as digits. */
function trimValues(parser: Parser): void {
  const { headers } = parser;
  for (let i = 1; i < headers.length; i += 2) {
    const value = headers[i] as Uint8Array;
    let length = value.length;
    while (length > 0 && (value[length - 1] === SPACE || value[length - 1] === TAB)) length--;
    if (length === value.length) continue;
    const trimmed = (headers[i] = value.subarray(0, length));
    const name = Buffer.from(headers[i - 1] as Uint8Array).toString('latin1');
    if (name.toLowerCase() === 'content-length') parser.contentLength = Number(Buffer.from(trimmed).toString('latin1'));
  }
}

/** The same for all sockets; not public. */
let PARSER: symbol | undefined;

function parserOf(socket: Socket): Partial<Parser> | undefined | null {
  PARSER ??= Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'parser');
  return PARSER === undefined ? undefined : (socket as unknown as Record<symbol, Partial<Parser> | undefined>)[PARSER];
}
