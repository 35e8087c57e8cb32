import { isMacadamError, type Clock } from '@macadam/core';
import type { Codec } from '../codec/codec.ts';
import { CacheValueError } from '../errors.ts';
import { isolateForStorage, type Isolation } from '../isolation.ts';
import { DEFLATE, compress, decompress, STORED } from './compression.ts';
import { AES_256_GCM, ENCRYPTION_OVERHEAD_BYTES, UNENCRYPTED, type Keyring } from './encryption.ts';
import { allocateEntry, readEntry, type WireEntry } from './entry.ts';
import { HEAD_BYTES, isOtherVersion, kindOf } from './head.ts';
import { isValid, type StandardSchema } from './schema.ts';

/** See the options of the same names. */
export interface EnvelopeSettings {
  /** The name of the cache. Entries of another cache are not read. */
  readonly name: string;
  readonly codec: Codec;
  readonly schemaVersion: string;
  readonly schema: StandardSchema | undefined;
  readonly isolation: Isolation;
  readonly compressAboveBytes: number;
  readonly maxValueBytes: number;
  readonly encryption: Keyring | undefined;
  readonly clock: Clock;
}

/** The fields of an entry that describe its value; see `EntryFields`. */
export interface EntryMetadata {
  readonly key: string;
  readonly freshForMs: number;
  readonly staleForMs: number;
  readonly loadMs: number;
  readonly position: string;
  readonly validator: string;
  readonly tags: readonly string[];
}

/**
 * Why an entry could not be read. `format`: not an entry, or damaged. `version`, `codec`, `schemaVersion`: written by
 * another version of this library, with another codec, or for another version of the values. `key`: the entry of
 * another key or cache. `decrypt`: encrypted with an unknown key, modified, or unencrypted although encryption is on.
 * `size`: larger than `maxValueBytes`. `decode`: decompression or the codec failed. `schema`: rejected by the schema.
 */
export type UnreadableReason = (typeof REASONS)[number];

const REASONS = ['codec', 'decode', 'decrypt', 'format', 'key', 'schema', 'schemaVersion', 'size', 'version'] as const;

/** The result of decoding an entry. */
export type Opened<T> =
  | (EntryMetadata & { readonly state: 'expired' | 'value'; readonly value: T; readonly writtenAt: number })
  | { readonly state: 'lease' | 'tombstone' }
  | { readonly state: 'unreadable'; readonly reason: UnreadableReason };

type MaybePromise<T> = Promise<T> | T;

/**
 * Encodes values to the entries of the shared tier, and back. An entry that cannot be read is a miss with a reason,
 * never an error: other versions of this library and of the service write to the same tier.
 */
export class Envelopes<T> {
  readonly #settings: EnvelopeSettings;
  /** The number of unreadable entries by reason. */
  readonly unreadable: Record<UnreadableReason, number> = Object.fromEntries(
    REASONS.map((reason) => [reason, 0]),
  ) as Record<UnreadableReason, number>;
  /** Values that were too large for the tier. */
  oversized = 0;

  constructor(settings: EnvelopeSettings) {
    this.#settings = settings;
  }

  /**
   * Encodes the value with the codec. This is the first step, before the value is stored anywhere, so that both tiers
   * reject the same values. Undefined for a value that is too large for the tier: it is returned and stored in memory
   * only.
   * @throws CacheValueError `MAC_CACHE_VALUE` for a value that the codec could not restore
   */
  encode(value: T): Uint8Array | undefined {
    const encoded = encodeWith(this.#settings.codec, value);
    if (encoded.length <= this.#settings.maxValueBytes) return encoded;
    this.oversized++;
    return undefined;
  }

  /**
   * Compresses and encrypts an encoded value into an entry. Large values are compressed in another thread. Never fails.
   */
  seal(encoded: Uint8Array, metadata: EntryMetadata): MaybePromise<Uint8Array> {
    const compressedBytes = encoded.length > this.#settings.compressAboveBytes ? compress(encoded) : undefined;
    return andThen(compressedBytes, (bytes) =>
      this.#buildEntry(bytes ?? encoded, bytes === undefined ? STORED : DEFLATE, encoded.length, metadata),
    );
  }

  /** Decodes an entry. The value is a new object, already isolated for storage in memory. Never fails. */
  open(key: string, bytes: Uint8Array): MaybePromise<Opened<T>> {
    const kind = kindOf(bytes);
    if (kind === 'lease' || kind === 'tombstone') {
      return bytes.length === HEAD_BYTES ? { state: kind } : this.#unreadable('format');
    }
    const entry = readEntry(bytes);
    if (entry === undefined) return this.#unreadable(isOtherVersion(bytes) ? 'version' : 'format');
    const { name, codec, schemaVersion, maxValueBytes } = this.#settings;
    if (entry.key !== key || entry.cache !== name) return this.#unreadable('key');
    if (entry.codec !== codec.id) return this.#unreadable('codec');
    if (entry.schemaVersion !== schemaVersion) return this.#unreadable('schemaVersion');
    if (entry.rawBytes > maxValueBytes) return this.#unreadable('size');
    const payload = this.#decrypt(entry);
    if (payload === undefined) return this.#unreadable('decrypt');
    const encoded = decompressPayload(payload, entry);
    return encoded instanceof Promise
      ? encoded.then((decompressed) => this.#decode(decompressed, entry))
      : this.#decode(encoded, entry);
  }

  #buildEntry(payload: Uint8Array, compression: number, rawBytes: number, metadata: EntryMetadata): Uint8Array {
    const { name: cache, codec, schemaVersion, clock, encryption: keys } = this.#settings;
    const encryption = keys === undefined ? UNENCRYPTED : AES_256_GCM;
    const writeFields = { cache, codec: codec.id, schemaVersion, keyId: keys?.current ?? '', writtenAt: clock.now() };
    const bytes = payload.length + (keys === undefined ? 0 : ENCRYPTION_OVERHEAD_BYTES);
    const { entry, payloadAt } = allocateEntry(
      { ...metadata, ...writeFields, compression, encryption, rawBytes },
      bytes,
    );
    if (keys === undefined) entry.set(payload, payloadAt);
    else keys.seal(payload, entry.subarray(HEAD_BYTES, payloadAt), entry.subarray(payloadAt));
    return entry;
  }

  /** With encryption on, an unencrypted entry was not written by this service. */
  #decrypt({ encryption, keyId, payload, bytes, payloadAt }: WireEntry): Uint8Array | undefined {
    const { encryption: keys } = this.#settings;
    if (keys === undefined) return encryption === UNENCRYPTED ? payload : undefined;
    return encryption === AES_256_GCM ? keys.open(keyId, payload, bytes.subarray(HEAD_BYTES, payloadAt)) : undefined;
  }

  #decode(encoded: Uint8Array | undefined, entry: WireEntry): MaybePromise<Opened<T>> {
    if (encoded === undefined) return this.#unreadable('decode');
    const { codec, schema, isolation } = this.#settings;
    let value: T;
    try {
      value = codec.decode(encoded) as T;
    } catch {
      return this.#unreadable('decode');
    }
    // `undefined` is never stored, so no cache wrote it.
    if (value === undefined) return this.#unreadable('decode');
    // The value was just created, so it need not be cloned.
    if (isolation === 'freeze') isolateForStorage(value, isolation);
    const { key, freshForMs, staleForMs, loadMs, position, validator, tags, writtenAt, kind: state } = entry;
    const opened = { state, key, freshForMs, staleForMs, loadMs, position, validator, tags, writtenAt, value };
    // The schema describes values, not cached absences.
    if (schema === undefined || value === null) return opened;
    return andThen(isValid(value, schema), (ok) => (ok ? opened : this.#unreadable('schema')));
  }

  #unreadable(reason: UnreadableReason): Opened<T> {
    this.unreadable[reason]++;
    return { state: 'unreadable', reason };
  }
}

/** Calls the codec, which is user code and may throw or return anything. */
function encodeWith(codec: Codec, value: unknown): Uint8Array {
  let encoded: unknown;
  try {
    encoded = codec.encode(value);
  } catch (error) {
    throw isMacadamError(error) ? error : new CacheValueError('The codec could not encode the value', error);
  }
  if (!(encoded instanceof Uint8Array)) throw new CacheValueError('The codec must return a Uint8Array');
  return encoded;
}

function decompressPayload(
  payload: Uint8Array,
  { compression, rawBytes }: WireEntry,
): MaybePromise<Uint8Array | undefined> {
  if (compression === DEFLATE) return decompress(payload, rawBytes);
  return compression === STORED && payload.length === rawBytes ? payload : undefined;
}

/** Applies `next`, synchronously unless the value is a promise. */
function andThen<A, B>(value: MaybePromise<A>, next: (value: A) => MaybePromise<B>): MaybePromise<B> {
  return value instanceof Promise ? value.then(next) : next(value);
}
