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

/** What stands for a secret. Without quotes and separators, so that it can stand anywhere. */
const REDACTED = 'REDACTED';
/** Names that end like this hold credentials, whatever precedes: `access_token`, `x-api-key`, `clientSecret`. */
const SECRET_NAME =
  /(?:authorization|cookie|token|secret|passw(?:or)?d|passphrase|passwd|pwd|(?:access|account|api|auth|encryption|master|private|secret|shared|signing)[-_]?key|credentials?|signature|assertion|session(?:[-_]?id)?|sig|jwt|otp|code[-_]?verifier)$/i;
const TOKEN = /\beyJ[\w-]{5,}\.[\w-]{2,}\.[\w-]*/g;
/** Of a URL in a text: user and password, and the values of a query or a form. */
const USER_IN_URL = /(\w:\/\/)[^/?#@\s"'<>]+@/g;
/** A field of a multipart form: its head with the name, and its value up to the next boundary. */
const FORM_PART = /(\bname="([^"\r\n]*)"[^\r\n]*(?:\r\n[^\r\n]+)*\r\n\r\n)[^]*?(?=\r\n--)/g;
/** A line that is JSON, or an event whose data is. */
const JSON_LINE = /^([ \t]*(?:data:[ \t]*)?)([{[].*)$/gm;
const QUERY_VALUE = /(^|[?&#;"'\s])([\w.[\]%-]+)=[^&#;\s"'<>]*/g;
/** What is about one connection, or about a body whose length may have changed. */
const NOT_KEPT: ReadonlySet<string> = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'keep-alive',
  'transfer-encoding',
]);

/** Takes the credentials out of what is written down, and out of what is compared with it. */
export class Redaction {
  readonly #names: ReadonlySet<string>;
  readonly #own: ((text: string) => string) | undefined;

  constructor(options: RedactOptions = {}) {
    assertObject('createRecorder.redact', options);
    assertKnownOptions('createRecorder.redact', options, ['names', 'text']);
    const { names = [], text } = options;
    if (!Array.isArray(names) || !names.every((name) => typeof name === 'string')) {
      throw new OptionsError('createRecorder.redact.names', names, 'a list of names');
    }
    if (text !== undefined) assertFunction('createRecorder.redact.text', text);
    this.#names = new Set(names.map((name) => name.toLowerCase()));
    this.#own = text;
  }

  request({ method, origin, path, query, headers }: RecorderRequest, body: Uint8Array | undefined): RecordedRequest {
    const fields = headerFields(headers);
    const search = stringify((query ?? {}) as ParsedUrlQueryInput);
    return {
      method,
      url: this.#text(new URL(search === '' ? path : `${path}?${search}`, String(origin)).href),
      headers: this.#headers(fields) as Record<string, string>,
      ...(body !== undefined && body.length > 0 && { body: this.#body(body, String(fields['content-type'] ?? '')) }),
    };
  }

  response(status: number, headers: Readonly<Record<string, string | string[]>>, bytes: Uint8Array): RecordedResponse {
    const body = decoded(bytes, String(headers['content-encoding'] ?? ''));
    return {
      status,
      headers: this.#headers(headers),
      ...(body.length > 0 && { body: this.#body(body, String(headers['content-type'] ?? '')) }),
    };
  }

  #isSecret(name: string): boolean {
    return SECRET_NAME.test(name) || this.#names.has(name.toLowerCase());
  }

  #text(text: string): string {
    const redacted = text
      .replace(TOKEN, REDACTED)
      .replace(USER_IN_URL, `$1${REDACTED}@`)
      .replace(QUERY_VALUE, (all, before: string, name: string) =>
        this.#isSecret(name) ? `${before}${name}=${REDACTED}` : all,
      );
    return this.#own === undefined ? redacted : this.#own(redacted);
  }

  #headers(headers: Readonly<Record<string, string | string[]>>): Record<string, string | string[]> {
    const kept: Record<string, string | string[]> = {};
    for (const [name, value] of Object.entries(headers)) {
      if (NOT_KEPT.has(name)) continue;
      if (this.#isSecret(name)) kept[name] = REDACTED;
      else kept[name] = Array.isArray(value) ? value.map((one) => this.#text(one)) : this.#text(value);
    }
    return kept;
  }

  #body(bytes: Uint8Array, type: string): RecordedBody {
    if (!isUtf8(bytes)) return { base64: Buffer.from(bytes).toString('base64') };
    const text = Buffer.from(bytes).toString('utf8');
    if (/^application\/x-www-form-urlencoded/i.test(type)) return { text: this.#text(this.#form(text)) };
    if (/^multipart\/form-data/i.test(type)) return { text: this.#text(this.#multipart(text)) };
    return { text: this.#text(this.#json(text) ?? this.#lines(text)) };
  }

  #multipart(text: string): string {
    return text.replace(FORM_PART, (all, head: string, name: string) =>
      this.#isSecret(name) ? `${head}${REDACTED}` : all,
    );
  }

  #lines(text: string): string {
    return text.replace(JSON_LINE, (all, before: string, json: string) => {
      const redacted = this.#json(json);
      return redacted === undefined ? all : `${before}${redacted}`;
    });
  }

  #form(text: string): string {
    const fields = new URLSearchParams(text);
    for (const name of new Set(fields.keys())) if (this.#isSecret(name)) fields.set(name, REDACTED);
    return fields.toString();
  }

  /** Text in which nothing is secret stays as it was, to the byte. Undefined for what is no JSON. */
  #json(text: string): string | undefined {
    let found = false;
    let value: unknown;
    try {
      value = JSON.parse(text, (name, one: unknown) => {
        const kept = this.#isSecret(name) ? secretless(one) : this.#inner(one);
        found ||= kept !== one;
        return kept;
      });
    } catch {
      return undefined;
    }
    return found ? JSON.stringify(value) : text;
  }

  /** A text in JSON may be JSON of its own, as the messages in the envelopes of queues are. */
  #inner(value: unknown): unknown {
    return typeof value === 'string' && /^\s*[{[]/.test(value) ? (this.#json(value) ?? value) : value;
  }
}

/** What stands under the name of a secret. The fields of an object have names of their own, which are looked at. */
function secretless(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(secretless);
  return value === null || typeof value === 'object' || typeof value === 'boolean' ? value : REDACTED;
}

function headerFields(headers: unknown): Record<string, string | string[]> {
  const fields: Record<string, string | string[]> = {};
  const flat = Array.isArray(headers) ? headers : Object.entries(headers ?? {}).flat();
  for (let i = 0; i + 1 < flat.length; i += 2) fields[String(flat[i]).toLowerCase()] = String(flat[i + 1]);
  return fields;
}

/** What cannot be decoded cannot be redacted either, and so is not written down. */
function decoded(bytes: Uint8Array, encoding: string): Uint8Array {
  try {
    return undone(bytes, encoding);
  } catch {
    return new Uint8Array(0);
  }
}

function undone(bytes: Uint8Array, encoding: string): Uint8Array {
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
