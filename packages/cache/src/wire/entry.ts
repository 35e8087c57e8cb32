/**
 * The bytes of an entry in the shared tier, format version 1. Numbers are big-endian, texts are UTF-8.
 *
 * | at | bytes | what                                                                                           |
 * | -: | ----: | ---------------------------------------------------------------------------------------------- |
 * |  0 |    16 | head, see `head.ts`                                                                            |
 * | 16 |     1 | compression, see `compression.ts`                                                              |
 * | 17 |     1 | encryption, see `encryption.ts`                                                                |
 * | 18 |     2 | offset of the payload                                                                          |
 * | 20 |     8 | when it was written, epoch milliseconds: for people, never compared                            |
 * | 28 |     8 | how long it is fresh from then on, milliseconds                                                |
 * | 36 |     8 | how long it may be served stale after that, milliseconds                                       |
 * | 44 |     8 | how long the load took, milliseconds                                                           |
 * | 52 |     4 | length of the payload, which ends the entry                                                    |
 * | 56 |     4 | length of the value as the codec encoded it                                                    |
 * | 60 |     4 | lengths of: codec, schema version, key id, position                                            |
 * | 64 |     6 | lengths of: cache, key, validator                                                              |
 * | 70 |     1 | number of tags                                                                                 |
 * | 71 |     … | codec, schema version, key id, position, cache, key, validator; each tag after 2 bytes length  |
 *
 * The head can be replaced in place, which turns a value into an expired one. Therefore encryption authenticates
 * everything but the head.
 *
 * Reading never throws, whatever the bytes are: other programs can write to the same server.
 */
import { kindOf, writeHead } from './head.ts';

const TEXTS_AT = 71;
const MAX_TAGS = 16;
/** The limits of the length fields. */
const MAX_SHORT_BYTES = 255;
const MAX_HEADER_BYTES = 65_535;

/** The fields of an entry. Lengths are in bytes of UTF-8. */
export interface EntryFields {
  /** 255 at most. */
  readonly codec: string;
  /** 255 at most. */
  readonly schemaVersion: string;
  /** The id of the key that encrypts it, at most 255. Empty without encryption. */
  readonly keyId: string;
  /** The cache's name. */
  readonly cache: string;
  /** The key in the form of `tierKey`. */
  readonly key: string;
  /** Epoch and position in the invalidations of the tier when the load started, at most 255; see `KnownMarks`. */
  readonly position: string;
  /** The validator of the source, such as an `ETag`. Empty for none. */
  readonly validator: string;
  /** At most 16. */
  readonly tags: readonly string[];
  /** Epoch milliseconds. */
  readonly writtenAt: number;
  /** In milliseconds from the time of writing; `Infinity` for ever. */
  readonly freshForMs: number;
  readonly staleForMs: number;
  readonly loadMs: number;
  readonly compression: number;
  readonly encryption: number;
  readonly rawBytes: number;
}

/**
 * Allocates an entry and writes everything but its payload, which is `payloadBytes` long and starts at `payloadAt`.
 * Throws a `RangeError` for fields that exceed the format; options and keys were checked before.
 */
export function allocateEntry(fields: EntryFields, payloadBytes: number): { entry: Buffer; payloadAt: number } {
  const { codec, schemaVersion, keyId, position, cache, key, validator, tags } = fields;
  const short = [codec, schemaVersion, keyId, position];
  const long = [cache, key, validator];
  let payloadAt = TEXTS_AT;
  for (const text of short) payloadAt += Buffer.byteLength(text);
  for (const text of long) payloadAt += Buffer.byteLength(text);
  for (const tag of tags) payloadAt += 2 + Buffer.byteLength(tag);
  if (payloadAt > MAX_HEADER_BYTES || tags.length > MAX_TAGS)
    throw new RangeError('The header of an entry is too long');
  const entry = Buffer.allocUnsafe(payloadAt + payloadBytes);
  writeHead(entry, 'value');
  entry[16] = fields.compression;
  entry[17] = fields.encryption;
  entry.writeUInt16BE(payloadAt, 18);
  entry.writeDoubleBE(fields.writtenAt, 20);
  entry.writeDoubleBE(fields.freshForMs, 28);
  entry.writeDoubleBE(fields.staleForMs, 36);
  entry.writeDoubleBE(fields.loadMs, 44);
  entry.writeUInt32BE(payloadBytes, 52);
  entry.writeUInt32BE(fields.rawBytes, 56);
  let at = TEXTS_AT;
  for (const [i, text] of short.entries()) {
    const bytes = entry.write(text, at);
    if (bytes > MAX_SHORT_BYTES) throw new RangeError('A name in the header of an entry is too long');
    entry[60 + i] = bytes;
    at += bytes;
  }
  for (const [i, text] of long.entries()) {
    const bytes = entry.write(text, at);
    entry.writeUInt16BE(bytes, 64 + 2 * i);
    at += bytes;
  }
  entry[70] = tags.length;
  for (const tag of tags) {
    const bytes = entry.write(tag, at + 2);
    entry.writeUInt16BE(bytes, at);
    at += 2 + bytes;
  }
  return { entry, payloadAt };
}

/** A parsed entry. The payload is still encrypted and compressed. */
export interface WireEntry extends EntryFields {
  readonly kind: 'expired' | 'value';
  readonly payload: Buffer;
  /** The whole entry, and the offset of its payload: encryption authenticates the part between head and payload. */
  readonly bytes: Buffer;
  readonly payloadAt: number;
}

/** Parses an entry; undefined for anything else, and for damaged bytes. */
export function readEntry(source: Uint8Array): WireEntry | undefined {
  const kind = kindOf(source);
  if ((kind !== 'value' && kind !== 'expired') || source.length < TEXTS_AT) return undefined;
  const bytes = Buffer.isBuffer(source) ? source : Buffer.from(source.buffer, source.byteOffset, source.byteLength);
  const payloadAt = bytes.readUInt16BE(18);
  if (payloadAt + bytes.readUInt32BE(52) !== bytes.length) return undefined;
  const [writtenAt, freshForMs] = [bytes.readDoubleBE(20), bytes.readDoubleBE(28)];
  const [staleForMs, loadMs] = [bytes.readDoubleBE(36), bytes.readDoubleBE(44)];
  // Written this way, the comparison also rejects NaN.
  if (!(writtenAt >= 0 && freshForMs >= 0 && staleForMs >= 0 && loadMs >= 0)) return undefined;
  const texts = new TextReader(bytes, payloadAt);
  const entry: WireEntry = {
    kind,
    compression: bytes[16] as number,
    encryption: bytes[17] as number,
    writtenAt,
    freshForMs,
    staleForMs,
    loadMs,
    rawBytes: bytes.readUInt32BE(56),
    codec: texts.next(bytes[60] as number),
    schemaVersion: texts.next(bytes[61] as number),
    keyId: texts.next(bytes[62] as number),
    position: texts.next(bytes[63] as number),
    cache: texts.next(bytes.readUInt16BE(64)),
    key: texts.next(bytes.readUInt16BE(66)),
    validator: texts.next(bytes.readUInt16BE(68)),
    tags: texts.list(bytes[70] as number),
    payload: bytes.subarray(payloadAt),
    bytes,
    payloadAt,
  };
  return texts.isComplete ? entry : undefined;
}

/** Reads consecutive texts, not beyond `end`. */
class TextReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  /** All texts decoded at once if they are ASCII: a call for each would cost a hit more than the rest of the header. */
  readonly #text: string | undefined;
  #at = TEXTS_AT;

  constructor(bytes: Buffer, end: number) {
    this.#bytes = bytes;
    this.#end = end;
    const text = bytes.toString('utf8', TEXTS_AT, end);
    if (text.length === end - TEXTS_AT) this.#text = text;
  }

  next(length: number): string {
    const from = this.#at;
    this.#at += length;
    if (length === 0 || this.#at > this.#end) return '';
    if (this.#text !== undefined) return this.#text.slice(from - TEXTS_AT, this.#at - TEXTS_AT);
    return this.#bytes.toString('utf8', from, this.#at);
  }

  list(count: number): string[] {
    const texts: string[] = [];
    if (count > MAX_TAGS) this.#at = Infinity;
    while (texts.length < count) {
      const from = this.#at + 2;
      // A text that is missing must not look like the regular end.
      this.#at = from <= this.#end ? from : Infinity;
      texts.push(from <= this.#end ? this.next(this.#bytes.readUInt16BE(from - 2)) : '');
    }
    return texts;
  }

  /** Whether the texts that were read end exactly at `end`. */
  get isComplete(): boolean {
    return this.#at === this.#end;
  }
}
