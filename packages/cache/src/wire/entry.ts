/**
 * The bytes of a value in the shared tier, version 1. Numbers are big-endian, texts are UTF-8.
 *
 * | at | bytes | what                                                                                           |
 * | -: | ----: | ---------------------------------------------------------------------------------------------- |
 * |  0 |    16 | head, see `head.ts`                                                                            |
 * | 16 |     1 | compression, see `compression.ts`                                                              |
 * | 17 |     1 | encryption, see `encryption.ts`                                                                |
 * | 18 |     2 | where the payload begins                                                                       |
 * | 20 |     8 | when it was written, epoch milliseconds: for people, never compared                            |
 * | 28 |     8 | how long it is fresh from then on, milliseconds                                                |
 * | 36 |     8 | how long it may serve after that, milliseconds                                                 |
 * | 44 |     8 | how long loading it took, milliseconds                                                         |
 * | 52 |     4 | length of the payload, with which the entry ends                                               |
 * | 56 |     4 | length of the value as the codec wrote it                                                      |
 * | 60 |     4 | lengths of: codec, schema version, key id, position                                            |
 * | 64 |     6 | lengths of: cache, key, validator                                                              |
 * | 70 |     1 | number of tags                                                                                 |
 * | 71 |     … | codec, schema version, key id, position, cache, key, validator; each tag after 2 bytes length  |
 *
 * Leases and tombstones are a head and nothing else. Two heads are equal only when they are of the same write, so a script
 * that compares them need not look further. A head may be replaced in place, which is how a value becomes an expired one;
 * for that reason encryption authenticates everything but the head.
 *
 * Nothing here throws for bytes it reads: they come from a place that others write to.
 */
import { kindOf, writeHead } from './head.ts';

const TEXTS_AT = 71;
const MOST_TAGS = 16;
/** What the fields that hold a length can hold. */
const LONGEST_SHORT = 255;
const LONGEST_HEADER = 65_535;

/** What a value says about itself. The lengths are in UTF-8, in bytes. */
export interface EntryFields {
  /** 255 at most. */
  readonly codec: string;
  /** 255 at most. */
  readonly schemaVersion: string;
  /** Of the key it is encrypted with; 255 at most. Empty when it is not. */
  readonly keyId: string;
  /** The cache's name. */
  readonly cache: string;
  /** The key as it is kept. */
  readonly key: string;
  /** Where in the log of invalidations its load began: the tier's own words, 255 at most. */
  readonly position: string;
  /** What its source compares to say that nothing changed, such as an entity tag. Empty for none. */
  readonly validator: string;
  /** 16 at most. */
  readonly tags: readonly string[];
  /** Epoch milliseconds. */
  readonly writtenAt: number;
  /** In milliseconds; `Infinity` for ever. Both are what holds when it is written, whatever time it is then. */
  readonly freshForMs: number;
  readonly staleForMs: number;
  readonly loadMs: number;
  readonly compression: number;
  readonly encryption: number;
  readonly rawBytes: number;
}

/**
 * An entry with room for `payloadBytes`, which begin at the returned place. Throws a `RangeError` for texts that are longer than
 * the format can say; options and keys are checked long before.
 */
export function layOutEntry(fields: EntryFields, payloadBytes: number): { entry: Buffer; payloadAt: number } {
  const { codec, schemaVersion, keyId, position, cache, key, validator, tags } = fields;
  const short = [codec, schemaVersion, keyId, position];
  const long = [cache, key, validator];
  let payloadAt = TEXTS_AT;
  for (const text of short) payloadAt += Buffer.byteLength(text);
  for (const text of long) payloadAt += Buffer.byteLength(text);
  for (const tag of tags) payloadAt += 2 + Buffer.byteLength(tag);
  if (payloadAt > LONGEST_HEADER || tags.length > MOST_TAGS) throw new RangeError('The header of an entry is too long');
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
    if (bytes > LONGEST_SHORT) throw new RangeError('A name in the header of an entry is too long');
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

/** A value as it was read, with its payload still as it stands in the tier. */
export interface WireEntry extends EntryFields {
  readonly kind: 'expired' | 'value';
  readonly payload: Buffer;
  /** The whole entry, and where its payload begins: what lies between head and payload is what encryption authenticates. */
  readonly bytes: Buffer;
  readonly payloadAt: number;
}

/** Reads a value; undefined for anything else, and for what is damaged. */
export function readEntry(source: Uint8Array): WireEntry | undefined {
  const kind = kindOf(source);
  if ((kind !== 'value' && kind !== 'expired') || source.length < TEXTS_AT) return undefined;
  const bytes = Buffer.isBuffer(source) ? source : Buffer.from(source.buffer, source.byteOffset, source.byteLength);
  const payloadAt = bytes.readUInt16BE(18);
  if (payloadAt + bytes.readUInt32BE(52) !== bytes.length) return undefined;
  const [writtenAt, freshForMs] = [bytes.readDoubleBE(20), bytes.readDoubleBE(28)];
  const [staleForMs, loadMs] = [bytes.readDoubleBE(36), bytes.readDoubleBE(44)];
  // NaN, too, is not at least 0.
  if (!(writtenAt >= 0 && freshForMs >= 0 && staleForMs >= 0 && loadMs >= 0)) return undefined;
  const texts = new Texts(bytes, payloadAt);
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
  return texts.whole ? entry : undefined;
}

/** Reads texts one after the other, and not beyond `end`. */
class Texts {
  readonly #bytes: Buffer;
  readonly #end: number;
  /** All of them read at once, when a byte is a character: a call for each would cost a hit more than the rest of its header. */
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
    if (count > MOST_TAGS) this.#at = Infinity;
    while (texts.length < count) {
      const from = this.#at + 2;
      // Also what is missing altogether must not pass for the end.
      this.#at = from <= this.#end ? from : Infinity;
      texts.push(from <= this.#end ? this.next(this.#bytes.readUInt16BE(from - 2)) : '');
    }
    return texts;
  }

  /** Whether what was read is all there is. */
  get whole(): boolean {
    return this.#at === this.#end;
  }
}
