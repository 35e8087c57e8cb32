import { isUtf8 } from 'node:buffer';
import { stringify, type ParsedUrlQueryInput } from 'node:querystring';
import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import { assertFunction, assertKnownOptions, assertObject, OptionsError } from '@macadam/core';
import type { RecorderRequest } from './recorder-dispatcher.ts';
import type { RecordedBody, RecordedRequest, RecordedResponse } from './recording.ts';

/** What a recorder redacts besides known credentials. */
export interface RedactOptions {
  /** Further names of headers, query parameters and fields of bodies whose values are redacted; in any case. Default: none. */
  names?: readonly string[];
  /** Called with each text to be written (URLs, header values, bodies); returns it redacted. Must not change anything else. Default: none. */
  text?: (text: string) => string;
}

/** Replaces a secret. Without quotes and separators, so that it is valid in URLs, headers, forms and JSON. */
const REDACTED = 'REDACTED';
/** Matches names of credentials by their end: `access_token`, `x-api-key`, `clientSecret`. */
const SECRET_NAME =
  /(?:authorization|cookie|token|secret|passw(?:or)?d|passphrase|passwd|pwd|(?:access|account|api|auth|encryption|master|private|secret|shared|signing)[-_]?key|credentials?|signature|assertion|session(?:[-_]?id)?|sig|jwt|otp|code[-_]?verifier)$/i;
const TOKEN = /\beyJ[\w-]{5,}\.[\w-]{2,}\.[\w-]*/g;
/** User and password of a URL in a text. */
const USER_IN_URL = /(\w:\/\/)[^/?#@\s"'<>]+@/g;
/** A field of a multipart form: its headers with the name, and its value up to the next boundary. */
const FORM_PART = /(\bname="([^"\r\n]*)"[^\r\n]*(?:\r\n[^\r\n]+)*\r\n\r\n)[^]*?(?=\r\n--)/g;
/** A line of JSON, or a server-sent event whose data is JSON. */
const JSON_LINE = /^([ \t]*(?:data:[ \t]*)?)([{[].*)$/gm;
/** What separates the names in `user[password]` or `passwords[]`, as some frameworks call fields of forms. */
const BRACKETS = /(?:[[\]]|%5[bd])+/i;
/** A name and its value in a query or a form. */
const QUERY_VALUE = /(^|[?&#;"'\s])([\w.[\]%-]+)=[^&#;\s"'<>]*/g;
/** Headers that concern one connection, or a body whose length may have changed. They are not recorded. */
const OMITTED_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'keep-alive',
  'transfer-encoding',
]);

/** Redacts what a recorder writes, and the requests that a replay compares with it. */
export class Redaction {
  readonly #names: ReadonlySet<string>;
  readonly #customRedact: ((text: string) => string) | undefined;

  constructor(options: RedactOptions = {}) {
    assertObject('createRecorder.redact', options);
    assertKnownOptions('createRecorder.redact', options, ['names', 'text']);
    const { names = [], text } = options;
    if (!Array.isArray(names) || !names.every((name) => typeof name === 'string')) {
      throw new OptionsError('createRecorder.redact.names', names, 'a list of names');
    }
    if (text !== undefined) assertFunction('createRecorder.redact.text', text);
    this.#names = new Set(names.map((name) => name.toLowerCase()));
    this.#customRedact = text;
  }

  request({ method, origin, path, query, headers }: RecorderRequest, body: Uint8Array | undefined): RecordedRequest {
    const fields = headerFields(headers);
    const search = stringify((query ?? {}) as ParsedUrlQueryInput);
    return {
      method,
      url: this.#redactText(new URL(search === '' ? path : `${path}?${search}`, String(origin)).href),
      headers: this.#redactHeaders(fields) as Record<string, string>,
      ...(body !== undefined &&
        body.length > 0 && { body: this.#redactBody(body, String(fields['content-type'] ?? '')) }),
    };
  }

  response(status: number, headers: Readonly<Record<string, string | string[]>>, bytes: Uint8Array): RecordedResponse {
    const body = decodeOrEmpty(bytes, String(headers['content-encoding'] ?? ''));
    return {
      status,
      headers: this.#redactHeaders(headers),
      ...(body.length > 0 && { body: this.#redactBody(body, String(headers['content-type'] ?? '')) }),
    };
  }

  #isSecretName(name: string): boolean {
    const isSecret = (one: string): boolean => SECRET_NAME.test(one) || this.#names.has(one.toLowerCase());
    return isSecret(name) || name.split(BRACKETS).some(isSecret);
  }

  #redactText(text: string): string {
    const redacted = text
      .replace(TOKEN, REDACTED)
      .replace(USER_IN_URL, `$1${REDACTED}@`)
      .replace(QUERY_VALUE, (all, before: string, name: string) =>
        this.#isSecretName(name) ? `${before}${name}=${REDACTED}` : all,
      );
    return this.#customRedact === undefined ? redacted : this.#customRedact(redacted);
  }

  #redactHeaders(headers: Readonly<Record<string, string | string[]>>): Record<string, string | string[]> {
    const redacted: Record<string, string | string[]> = {};
    for (const [name, value] of Object.entries(headers)) {
      if (OMITTED_HEADERS.has(name)) continue;
      if (this.#isSecretName(name)) redacted[name] = REDACTED;
      else redacted[name] = Array.isArray(value) ? value.map((one) => this.#redactText(one)) : this.#redactText(value);
    }
    return redacted;
  }

  #redactBody(bytes: Uint8Array, type: string): RecordedBody {
    if (!isUtf8(bytes)) return { base64: Buffer.from(bytes).toString('base64') };
    const text = Buffer.from(bytes).toString('utf8');
    if (/^application\/x-www-form-urlencoded/i.test(type)) return { text: this.#redactText(this.#redactForm(text)) };
    if (/^multipart\/form-data/i.test(type)) return { text: this.#redactText(this.#redactMultipart(text)) };
    return { text: this.#redactText(this.#redactJson(text) ?? this.#redactJsonLines(text)) };
  }

  #redactMultipart(text: string): string {
    return text.replace(FORM_PART, (all, head: string, name: string) =>
      this.#isSecretName(name) ? `${head}${REDACTED}` : all,
    );
  }

  #redactJsonLines(text: string): string {
    return text.replace(JSON_LINE, (all, before: string, json: string) => {
      const redacted = this.#redactJson(json);
      return redacted === undefined ? all : `${before}${redacted}`;
    });
  }

  #redactForm(text: string): string {
    const fields = new URLSearchParams(text);
    for (const name of new Set(fields.keys())) if (this.#isSecretName(name)) fields.set(name, REDACTED);
    return fields.toString();
  }

  /** Redacts JSON; undefined if the text is not JSON. A text without secrets is returned unchanged, to the byte. */
  #redactJson(text: string): string | undefined {
    let changed = false;
    let value: unknown;
    try {
      value = JSON.parse(text, (name, one: unknown) => {
        const redacted = this.#isSecretName(name) ? redactValue(one) : this.#redactInner(one);
        changed ||= redacted !== one;
        return redacted;
      });
    } catch {
      return undefined;
    }
    return changed ? JSON.stringify(value) : text;
  }

  /** Redacts a string inside of JSON that is JSON itself, such as a message in the envelope of a queue. */
  #redactInner(value: unknown): unknown {
    return typeof value === 'string' && /^\s*[{[]/.test(value) ? (this.#redactJson(value) ?? value) : value;
  }
}

/** Redacts the value of a secret name. Fields of an object are kept, since the reviver has redacted them by their own names. */
function redactValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(redactValue);
  return value === null || typeof value === 'object' || typeof value === 'boolean' ? value : REDACTED;
}

function headerFields(headers: unknown): Record<string, string | string[]> {
  const fields: Record<string, string | string[]> = {};
  const flat = Array.isArray(headers) ? headers : Object.entries(headers ?? {}).flat();
  for (let i = 0; i + 1 < flat.length; i += 2) fields[String(flat[i]).toLowerCase()] = String(flat[i + 1]);
  return fields;
}

/** Undoes the content encodings of a body. A body that cannot be decoded cannot be redacted, so it is recorded as empty. */
function decodeOrEmpty(bytes: Uint8Array, encoding: string): Uint8Array {
  try {
    return decode(bytes, encoding);
  } catch {
    return new Uint8Array(0);
  }
}

function decode(bytes: Uint8Array, encoding: string): Uint8Array {
  let result = bytes;
  for (const name of encoding
    .toLowerCase()
    .split(',')
    .map((one) => one.trim())
    .filter(Boolean)
    .reverse()) {
    if (name === 'gzip' || name === 'x-gzip') result = gunzipSync(result);
    else if (name === 'deflate') result = inflateSync(result);
    else if (name === 'br') result = brotliDecompressSync(result);
    else if (name === 'zstd') result = zstdDecompressSync(result);
    else if (name !== 'identity') return new Uint8Array(0);
  }
  return result;
}
