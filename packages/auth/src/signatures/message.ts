import { OptionsError, withheld } from '@macadam/core';
import { rawBodyBytes } from '../raw-body.ts';

/**
 * Header fields: pairs of name and value, as `Headers` has them, or an object. Pass lists for fields that may occur
 * several times: `headersDistinct` of a Node request, not `headers`, which drops some of them.
 */
export type MessageHeaders =
  Iterable<readonly [string, string]> | Readonly<Record<string, string | readonly string[] | undefined>>;

/** The parts that requests and responses have in common. */
interface Message {
  readonly headers: MessageHeaders;
  readonly trailers?: MessageHeaders | undefined;
  /** As it is on the wire. Left out for a message without content. */
  readonly body?: string | Uint8Array | undefined;
  /** The content before any `Content-Encoding`, for `Repr-Digest` alone. Default: `body`, where there is no encoding. */
  readonly representation?: string | Uint8Array | undefined;
}

/** A request to sign or to verify. */
export interface RequestMessage extends Message {
  /** The method. */
  readonly method: string;
  /**
   * The whole URL, with path and query exactly as they are sent. On a server, take the origin from your configuration
   * and not from `Host`, so that a signature for another service is not accepted.
   */
  readonly url: string;
  /**
   * The target of the request line where it is not path and query: `*`, or `host:port` of a CONNECT. Default: path and
   * query of `url`.
   */
  readonly requestTarget?: string | undefined;
}

/** A response to sign or to verify. */
export interface ResponseMessage extends Message {
  /** The status code. */
  readonly status: number;
  /** The request that it responds to, for components with `;req`. Default: none. */
  readonly request?: RequestMessage | undefined;
}

/** Either of them. */
export type SignableMessage = RequestMessage | ResponseMessage;

export function isResponse(message: SignableMessage): message is ResponseMessage {
  return 'status' in message;
}

/** The lines of each field, by its name in lower case. */
export type FieldLines = ReadonlyMap<string, readonly string[]>;

/** @throws OptionsError for headers of another shape, such as the flat `rawHeaders` of Node */
export function fieldLines(headers: MessageHeaders): FieldLines {
  const lines = new Map<string, string[]>();
  const add = (name: string, line: string): void => {
    const key = name.toLowerCase();
    const list = lines.get(key);
    if (list === undefined) lines.set(key, [line]);
    else list.push(line);
  };
  if (typeof headers !== 'object' || headers === null)
    throw new OptionsError('headers', withheld(headers), HEADERS_SHAPE);
  if (isIterable(headers)) {
    for (const pair of headers) {
      if (!Array.isArray(pair) || typeof pair[0] !== 'string' || typeof pair[1] !== 'string') {
        throw new OptionsError('headers', withheld(pair), HEADERS_SHAPE);
      }
      add(pair[0], pair[1]);
    }
    return lines;
  }
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue;
    const list: unknown = typeof value === 'string' ? [value] : value;
    if (!Array.isArray(list)) throw new OptionsError(`headers.${name}`, list, HEADERS_SHAPE);
    for (const line of list as unknown[]) {
      if (typeof line !== 'string') throw new OptionsError(`headers.${name}`, line, HEADERS_SHAPE);
      add(name, line);
    }
  }
  return lines;
}

const HEADERS_SHAPE = 'pairs of name and value, or an object of texts and lists of texts';

function isIterable(headers: MessageHeaders): headers is Iterable<readonly [string, string]> {
  return typeof (headers as { [Symbol.iterator]?: unknown })[Symbol.iterator] === 'function';
}

/** Whether a message has content, by its body, or without one by its header fields. */
export function hasContent(message: SignableMessage, lines: FieldLines): boolean {
  const { body } = message;
  // A parsed body is rejected here: its original bytes are lost, so whether the digest matches cannot be verified.
  if (body !== undefined) return bytesOf(body).length > 0;
  if (isResponse(message) && isBodiless(message)) return false;
  return lines.has('transfer-encoding') || (lines.get('content-length') ?? []).some((length) => length.trim() !== '0');
}

/** Responses that have no content, whatever their header fields say (RFC 9110 section 6.4.1). */
function isBodiless({ status, request }: ResponseMessage): boolean {
  return status < 200 || status === 204 || status === 304 || request?.method === 'HEAD';
}

/** The bytes of the body of a message; empty without a body. */
export function bytesOf(body: string | Uint8Array | undefined): Buffer {
  return body === undefined ? Buffer.alloc(0) : rawBodyBytes('body', body);
}
