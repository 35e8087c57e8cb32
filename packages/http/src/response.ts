// The global `Buffer` is a getter, which would be called for every response.
import { Buffer } from 'node:buffer';
import type { Readable } from 'node:stream';
import type { HttpAttempt } from './attempts.ts';
import { HttpDecodeError } from './body-errors.ts';
import { setTruncationReason, truncationReasonOf } from './body-truncation.ts';
import { withAttempts, type ErrorSubject } from './errors.ts';
import { ResponseHeaders } from './headers.ts';
import { unshared } from './unshared.ts';

/** `application/json`, `application/problem+json` and similar; also an empty type, where JSON is the best guess. */
export const JSON_TYPE: RegExp = /^\s*(?:$|[^;\s]+[/+]json\s*(?:;|$))/i;
const TEXT_TYPE = /^\s*(?:text\/|application\/(?:xml|javascript|x-www-form-urlencoded)\b|[^;\s]+\+xml\b)/i;
const CHARSET = /;\s*charset\s*=\s*"?([^";\s]+)/i;
const EMPTY: Uint8Array = new Uint8Array(0);
const NO_ATTEMPTS: readonly HttpAttempt[] = [];

// Assigned in the static block of the class, which alone can access its private fields. The functions below export them.
let writeData: (response: HttpResponse, data: unknown) => void;
let writeAttempts: (response: HttpResponse, attempts: readonly HttpAttempt[]) => void;
let writeBody: (response: HttpResponse, body: Readable) => void;
let readBody: (response: HttpResponse) => Readable | undefined;
let readSubject: (response: HttpResponse) => ErrorSubject;
let copy: (response: HttpResponse) => HttpResponse;

/**
 * A response that has been read completely, so that everything on it is synchronous.
 *
 * `data` is the output of the schema. Without a schema it is the parsed JSON (also without a content type), a string for text,
 * `undefined` for an empty body, and bytes for everything else. It is decoded when first read.
 */
export class HttpResponse<Data = unknown> {
  /** The status of the response. */
  readonly status: number;
  /** The response headers. */
  readonly headers: ResponseHeaders;
  /**
   * Whether the body is incomplete, which only that of a response outside 2xx can be: reading stopped after 64 KiB, the rest did not
   * arrive in time, or the connection broke.
   */
  readonly bodyTruncated: boolean;
  readonly #subject: ErrorSubject;
  #bytes: Uint8Array;
  #attempts: readonly HttpAttempt[] = NO_ATTEMPTS;
  #body: Readable | undefined = undefined;
  #decoded = false;
  #data: unknown = undefined;

  constructor(
    subject: ErrorSubject,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
    bytes: Uint8Array = EMPTY,
    bodyTruncated = false,
  ) {
    this.status = status;
    this.headers = new ResponseHeaders(headers);
    this.bodyTruncated = bodyTruncated;
    this.#subject = subject;
    this.#bytes = bytes;
  }

  /** Whether the status is 2xx. */
  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  /** What each attempt of the call did, the last one included. */
  get attempts(): readonly HttpAttempt[] {
    return this.#attempts;
  }

  /**
   * The decoded body: the output of the schema, else by content type.
   *
   * @throws HttpDecodeError (`MAC_HTTP_DECODE`) if the content type is JSON or missing but the body is not JSON, or if the body was
   * cut off.
   */
  get data(): Data {
    if (!this.#decoded) {
      this.#data = this.#decode();
      this.#decoded = true;
    }
    return this.#data as Data;
  }

  /** The body as text, decoded by the charset of its content type; UTF-8 if there is none, or an unknown one. */
  text(): string {
    const charset = CHARSET.exec(this.headers.get('content-type') ?? '')?.[1]?.toLowerCase();
    if (charset === undefined || charset === 'utf-8' || charset === 'utf8') return utf8(this.#bytes);
    try {
      return new TextDecoder(charset).decode(this.#bytes);
    } catch {
      // An unknown charset.
      return utf8(this.#bytes);
    }
  }

  /** The bytes of the body, with content encodings decoded; the same array each time. */
  bytes(): Uint8Array {
    return (this.#bytes = unshared(this.#bytes));
  }

  #decode(): unknown {
    if (this.bodyTruncated) {
      const detail = `was read only up to ${this.#bytes.length} bytes; text() and bytes() have them`;
      throw withAttempts(new HttpDecodeError(this.#subject, 'truncated', this.status, detail), this.#attempts);
    }
    if (this.#bytes.length === 0) return undefined;
    const type = this.headers.get('content-type') ?? '';
    if (type === 'application/json' || JSON_TYPE.test(type)) return this.#json();
    return TEXT_TYPE.test(type) ? this.text() : this.bytes();
  }

  #json(): unknown {
    try {
      return JSON.parse(utf8(this.#bytes));
    } catch {
      // Without the cause, whose message quotes the body.
      const detail = `is not JSON (${this.#bytes.length} bytes)`;
      throw withAttempts(new HttpDecodeError(this.#subject, 'json', this.status, detail), this.#attempts);
    }
  }

  static {
    writeData = (response, data) => {
      response.#data = data;
      response.#decoded = true;
    };
    writeAttempts = (response, attempts) => {
      response.#attempts = attempts;
    };
    writeBody = (response, body) => {
      response.#body = body;
    };
    readBody = (response) => response.#body;
    readSubject = (response) => response.#subject;
    copy = (response) => {
      const clone = new HttpResponse(response.#subject, response.status, {}, response.#bytes, response.bodyTruncated);
      (clone as { headers: ResponseHeaders }).headers = response.headers;
      clone.#attempts = response.#attempts;
      setTruncationReason(clone, truncationReasonOf(response));
      return clone;
    };
  }
}

/** Replaces `data` by the output of a schema. */
export function setData(response: HttpResponse, data: unknown): void {
  writeData(response, data);
}

/** Sets the attempts of the call that the response belongs to. */
export function setAttempts(response: HttpResponse, attempts: readonly HttpAttempt[]): void {
  writeAttempts(response, attempts);
}

/** Sets the stream of a body that is still arriving. */
export function setBody(response: HttpResponse, body: Readable): void {
  writeBody(response, body);
}

/** The stream of a body that is still arriving; undefined for a response that was read whole. */
export function bodyOf(response: HttpResponse): Readable | undefined {
  return readBody(response);
}

/** The request of a response, as errors name it. */
export function subjectOf(response: HttpResponse): ErrorSubject {
  return readSubject(response);
}

/** A copy of a response, whose `data` is decoded again. The bytes may be shared. */
export function copyResponse(response: HttpResponse): HttpResponse {
  return copy(response);
}

function utf8(bytes: Uint8Array): string {
  // Bodies from the wire are Buffers already.
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString('utf8');
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}
