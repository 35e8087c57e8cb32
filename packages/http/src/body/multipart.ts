import { OptionsError } from '@macadam/core';
import { OpenStream, type BodySource, type OpenedBody } from './source.ts';

/** The value of a form field: text, or a file as a `Blob` (`fs.openAsBlob(path)` makes one without reading the file). */
export type MultipartValue = string | number | bigint | boolean | Blob | undefined;

/** A multipart form: a `FormData`, or fields by name, with an array for several fields of one name. */
export type Multipart = FormData | Readonly<Record<string, MultipartValue | readonly MultipartValue[]>>;

interface Part {
  readonly name: string;
  readonly value: string | Blob;
}

/**
 * A form as `multipart/form-data` (RFC 7578, with names escaped as in the HTML standard). Each attempt has a new boundary and reads
 * the files again. The length is known beforehand, so the body is sent with `content-length`.
 */
export class MultipartBody implements BodySource {
  readonly replayable = true;
  readonly #parts: readonly Part[];
  readonly #createBoundary: () => string;

  constructor(form: Multipart, createBoundary: () => string) {
    this.#parts = isFormData(form) ? partsOfFormData(form) : partsOfRecord(form);
    this.#createBoundary = createBoundary;
  }

  open(): OpenedBody {
    const boundary = `macadam-${this.#createBoundary()}`;
    const heads = this.#parts.map((part) => Buffer.from(partHeader(part, boundary)));
    const texts = this.#parts.map(({ value }) => (typeof value === 'string' ? Buffer.from(value) : undefined));
    const end = Buffer.from(`--${boundary}--\r\n`);
    let contentLength = end.length;
    for (const [i, { value }] of this.#parts.entries()) {
      contentLength += (heads[i] as Buffer).length + (texts[i]?.length ?? (value as Blob).size) + CRLF.length;
    }
    const stream = new OpenStream(this.#chunks(heads, texts, end));
    return {
      body: stream,
      stream,
      contentType: `multipart/form-data; boundary=${boundary}`,
      contentLength,
    };
  }

  close(): void {}

  async *#chunks(
    heads: readonly Buffer[],
    texts: readonly (Buffer | undefined)[],
    end: Buffer,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    for (const [i, { value }] of this.#parts.entries()) {
      yield heads[i] as Buffer;
      const text = texts[i];
      if (text !== undefined) yield text;
      else yield* (value as Blob).stream() as unknown as AsyncIterable<Uint8Array>;
      yield CRLF;
    }
    yield end;
  }
}

const CRLF: Buffer = Buffer.from('\r\n');

function partHeader({ name, value }: Part, boundary: string): string {
  const start = `--${boundary}\r\ncontent-disposition: form-data; name="${escapeQuoted(withCrlf(name))}"`;
  if (typeof value === 'string') return `${start}\r\n\r\n`;
  const file = value instanceof File ? value.name : 'blob';
  const type = value.type === '' ? 'application/octet-stream' : value.type;
  return `${start}; filename="${escapeQuoted(file)}"\r\ncontent-type: ${type}\r\n\r\n`;
}

/** Escapes what would end the quoted name or the header. */
function escapeQuoted(text: string): string {
  return text.replaceAll('\r', '%0D').replaceAll('\n', '%0A').replaceAll('"', '%22');
}

function withCrlf(text: string): string {
  return text.replace(/\r\n|\r|\n/g, '\r\n');
}

/** Accepts other implementations too, such as that of the undici package, since their content is the same. */
export function isFormData(value: object): value is FormData {
  return value instanceof FormData || Object.prototype.toString.call(value) === '[object FormData]';
}

function partsOfFormData(form: FormData): Part[] {
  return Array.from(form as unknown as Iterable<[string, string | Blob]>, ([name, value]) => partOf(name, value));
}

function partsOfRecord(form: Readonly<Record<string, MultipartValue | readonly MultipartValue[]>>): Part[] {
  const parts: Part[] = [];
  for (const name of Object.keys(form)) {
    for (const value of [form[name]].flat() as MultipartValue[]) {
      if (value !== undefined) parts.push(partOf(name, value));
    }
  }
  return parts;
}

function partOf(name: string, value: unknown): Part {
  if (value instanceof Blob) return { name, value };
  const isNumber = typeof value === 'number' && Number.isFinite(value);
  if (isNumber || ['string', 'bigint', 'boolean'].includes(typeof value))
    return { name, value: withCrlf(String(value)) };
  throw new OptionsError(
    `request.multipart.${name}`,
    value,
    'text, a finite number, a bigint, a boolean, a Blob or a File',
  );
}
