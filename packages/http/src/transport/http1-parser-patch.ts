/**
 * Makes undici (8.12) accept HTTP/1.1 responses that are valid but that its parser rejects: it drops the connection over them,
 * so they can only be corrected inside the parser. A parser that does not have the expected form is left as it is.
 * See docs/decisions/0023-patch-the-parser-for-odd-responses.md.
 */
import type { Socket } from 'node:net';

/** The members of undici's parser that are read or replaced here. */
interface Parser {
  readonly socket: Socket;
  /** Names and values, alternating. */
  readonly headers: Uint8Array[];
  /** Parsed from `content-length`; -1 without one. */
  contentLength: number;
  /** The parser in WebAssembly, and the address of its state. */
  readonly llhttp: { llhttp_set_lenient_keep_alive(ptr: number, isLenient: number): void };
  readonly ptr: number;
  onHeadersComplete(status: number, ...rest: readonly unknown[]): number;
  /** Reads from the socket until it is paused. */
  readMore(): void;
}

/** An interim status that carries no information. */
const PROCESSING = 102;
/** The return value by which a callback stops the parser. */
const STOP = -1;

/**
 * @param socket - one from which undici has begun to read
 * @returns whether its parser has the expected form
 */
export function patchParser(socket: Socket): boolean {
  const parser = parserOf(socket);
  if (!isKnownParser(parser, socket)) return false;
  parser.onHeadersComplete = onHeadersComplete;
  return true;
}

function isKnownParser(parser: Partial<Parser> | undefined | null, socket: Socket): parser is Parser {
  return (
    parser?.socket === socket &&
    Array.isArray(parser.headers) &&
    typeof parser.contentLength === 'number' &&
    typeof parser.ptr === 'number' &&
    typeof parser.llhttp?.llhttp_set_lenient_keep_alive === 'function' &&
    typeof parser.readMore === 'function' &&
    !Object.hasOwn(parser, 'onHeadersComplete') &&
    typeof (Object.getPrototypeOf(parser) as Partial<Parser> | null)?.onHeadersComplete === 'function'
  );
}

/**
 * Skips interim responses as RFC 9110 (section 15.2) demands, in two cases where undici fails: `100 Continue` without
 * `Expect`, which some servers and proxies send before they read any body, and one with `connection: close`. 101 and statuses
 * below 100 cannot be skipped; they fail with the status in the message.
 */
function onHeadersComplete(this: Parser, status: number, ...rest: readonly unknown[]): number {
  const { onHeadersComplete: original } = Object.getPrototypeOf(this) as Parser;
  trimValues(this);
  // Also true for a status that is no number, which another version of undici might pass.
  if (!(status < 200)) return original.call(this, status, ...rest);
  if (status < 100 || status === 101) {
    const error = new Error(`The server responded with status ${status}, which is not valid for this request`);
    this.socket.destroy(Object.assign(error, { code: 'HPE_INVALID_STATUS' }));
    return STOP;
  }
  // `close` announces that the connection closes after the final response (RFC 9112, section 9.6), but llhttp rejects whatever
  // follows the interim one. undici closes the connection after the final response, whatever that says.
  const [, shouldKeepAlive] = rest;
  if (shouldKeepAlive === false) this.llhttp.llhttp_set_lenient_keep_alive(this.ptr, 1);
  return original.call(this, status === 100 ? PROCESSING : status, ...rest);
}

const SPACE = 0x20;
const TAB = 0x09;

/**
 * Removes the white space after header values, which is no part of them (RFC 9112, section 5). undici takes white space after
 * `content-length` for digits, so that value is parsed again.
 */
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

/** undici keeps the parser on the socket under this symbol, which it does not export. */
let parserSymbol: symbol | undefined;

function parserOf(socket: Socket): Partial<Parser> | undefined | null {
  parserSymbol ??= Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'parser');
  if (parserSymbol === undefined) return undefined;
  return (socket as unknown as Record<symbol, Partial<Parser> | undefined>)[parserSymbol];
}
