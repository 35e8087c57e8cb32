import { isMacadamError, type Clock } from '@macadam/core';
import type { Codec } from '../codec/codec.ts';
import { CacheValueError } from '../errors.ts';
import { keptValue, type Isolation } from '../isolation.ts';
import { DEFLATE, compressed, decompressed, STORED } from './compression.ts';
import { AES_256_GCM, ENCRYPTION_BYTES, IN_THE_CLEAR, type Keyring } from './encryption.ts';
import { layOutEntry, readEntry, type WireEntry } from './entry.ts';
import { HEAD_BYTES, isOfOtherVersion, kindOf } from './head.ts';
import { fits, type StandardSchema } from './schema.ts';

/** See the options of the same names. */
export interface EnvelopeSettings {
  /** The cache's name: an entry of another cache is not read. */
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

/** What an entry says beside its value; see `EntryFields`. */
export interface EntryFacts {
  readonly key: string;
  readonly freshForMs: number;
  readonly staleForMs: number;
  readonly loadMs: number;
  readonly position: string;
  readonly validator: string;
  readonly tags: readonly string[];
}

/**
 * Why what stands in the tier is no value. `format`: nothing of ours, or damaged. `version`, `codec`, `schemaVersion`: written by
 * another version of this library, by another codec, or for other values. `key`: an entry of another key or cache. `decrypt`:
 * encrypted with an unknown key, tampered with, or in the clear where it must not be. `size`: larger than `maxValueBytes`.
 * `decode`: the codec or the decompression could not read it. `schema`: not what the schema asks for.
 */
export type UnreadableReason = (typeof REASONS)[number];

const REASONS = ['codec', 'decode', 'decrypt', 'format', 'key', 'schema', 'schemaVersion', 'size', 'version'] as const;

/** What stood in the tier. */
export type Opened<T> =
  | (EntryFacts & { readonly state: 'expired' | 'value'; readonly value: T; readonly writtenAt: number })
  | { readonly state: 'lease' | 'tombstone' }
  | { readonly state: 'unreadable'; readonly reason: UnreadableReason };

type Eventually<T> = Promise<T> | T;

/**
 * Turns values into the bytes of the shared tier, and back. What cannot be read is a miss with a reason, and never an error:
 * others write there, with other versions of this library and of the service.
 */
export class Envelopes<T> {
  readonly #settings: EnvelopeSettings;
  /** What could not be read, by reason. */
  readonly unreadable: Record<UnreadableReason, number> = Object.fromEntries(
    REASONS.map((reason) => [reason, 0]),
  ) as Record<UnreadableReason, number>;
  /** Values that were too large for the tier. */
  oversized = 0;

  constructor(settings: EnvelopeSettings) {
    this.#settings = settings;
  }

  /**
   * The value as bytes, still in the clear: the first step, taken before the value is kept anywhere, so that both tiers refuse the
   * same. Undefined for a value that is too large for the tier: it is served and kept in memory, and nothing else.
   * @throws CacheValueError `MAC_CACHE_VALUE` for a value that would not come back as it is
   */
  encode(value: T): Uint8Array | undefined {
    const raw = encoded(this.#settings.codec, value);
    if (raw.length <= this.#settings.maxValueBytes) return raw;
    this.oversized++;
    return undefined;
  }

  /** The bytes for the tier. Large values are compressed in another thread, which takes its time. Never fails. */
  seal(raw: Uint8Array, facts: EntryFacts): Eventually<Uint8Array> {
    const smaller = raw.length > this.#settings.compressAboveBytes ? compressed(raw) : undefined;
    return after(smaller, (bytes) =>
      this.#enclose(bytes ?? raw, bytes === undefined ? STORED : DEFLATE, raw.length, facts),
    );
  }

  /** What the bytes are. The value is the caller's own, and already as `isolation` asks for it to be kept. Never fails. */
  open(key: string, bytes: Uint8Array): Eventually<Opened<T>> {
    const kind = kindOf(bytes);
    if (kind === 'lease' || kind === 'tombstone') {
      return bytes.length === HEAD_BYTES ? { state: kind } : this.#refuse('format');
    }
    const entry = readEntry(bytes);
    if (entry === undefined) return this.#refuse(isOfOtherVersion(bytes) ? 'version' : 'format');
    const { name, codec, schemaVersion, maxValueBytes } = this.#settings;
    if (entry.key !== key || entry.cache !== name) return this.#refuse('key');
    if (entry.codec !== codec.id) return this.#refuse('codec');
    if (entry.schemaVersion !== schemaVersion) return this.#refuse('schemaVersion');
    if (entry.rawBytes > maxValueBytes) return this.#refuse('size');
    const payload = this.#decrypted(entry);
    if (payload === undefined) return this.#refuse('decrypt');
    const raw = inflated(payload, entry);
    return raw instanceof Promise ? raw.then((later) => this.#decode(later, entry)) : this.#decode(raw, entry);
  }

  #enclose(payload: Uint8Array, compression: number, rawBytes: number, facts: EntryFacts): Uint8Array {
    const { name: cache, codec, schemaVersion, clock, encryption: keys } = this.#settings;
    const encryption = keys === undefined ? IN_THE_CLEAR : AES_256_GCM;
    const written = { cache, codec: codec.id, schemaVersion, keyId: keys?.current ?? '', writtenAt: clock.now() };
    const bytes = payload.length + (keys === undefined ? 0 : ENCRYPTION_BYTES);
    const { entry, payloadAt } = layOutEntry({ ...facts, ...written, compression, encryption, rawBytes }, bytes);
    if (keys === undefined) entry.set(payload, payloadAt);
    else keys.seal(payload, entry.subarray(HEAD_BYTES, payloadAt), entry.subarray(payloadAt));
    return entry;
  }

  /** With a key set, what stands there in the clear was not written by us. */
  #decrypted({ encryption, keyId, payload, bytes, payloadAt }: WireEntry): Uint8Array | undefined {
    const { encryption: keys } = this.#settings;
    if (keys === undefined) return encryption === IN_THE_CLEAR ? payload : undefined;
    return encryption === AES_256_GCM ? keys.open(keyId, payload, bytes.subarray(HEAD_BYTES, payloadAt)) : undefined;
  }

  #decode(raw: Uint8Array | undefined, entry: WireEntry): Eventually<Opened<T>> {
    if (raw === undefined) return this.#refuse('decode');
    const { codec, schema, isolation } = this.#settings;
    let value: T;
    try {
      value = codec.decode(raw) as T;
    } catch {
      return this.#refuse('decode');
    }
    // Not a value that a cache keeps, so nobody wrote it.
    if (value === undefined) return this.#refuse('decode');
    // Nothing else has what was just decoded, so there is nothing to clone.
    if (isolation === 'freeze') keptValue(value, isolation);
    const { key, freshForMs, staleForMs, loadMs, position, validator, tags, writtenAt, kind: state } = entry;
    const opened = { state, key, freshForMs, staleForMs, loadMs, position, validator, tags, writtenAt, value };
    // An absence is not a value, whatever values look like.
    if (schema === undefined || value === null) return opened;
    return after(fits(value, schema), (ok) => (ok ? opened : this.#refuse('schema')));
  }

  #refuse(reason: UnreadableReason): Opened<T> {
    this.unreadable[reason]++;
    return { state: 'unreadable', reason };
  }
}

/** What a codec makes of a value: codecs of others may throw or return anything. */
function encoded(codec: Codec, value: unknown): Uint8Array {
  let raw: unknown;
  try {
    raw = codec.encode(value);
  } catch (error) {
    throw isMacadamError(error) ? error : new CacheValueError('The codec could not write the value', error);
  }
  if (!(raw instanceof Uint8Array)) throw new CacheValueError('A codec must write values as bytes, in a Uint8Array');
  return raw;
}

function inflated(payload: Uint8Array, { compression, rawBytes }: WireEntry): Eventually<Uint8Array | undefined> {
  if (compression === DEFLATE) return decompressed(payload, rawBytes);
  return compression === STORED && payload.length === rawBytes ? payload : undefined;
}

/** The next step, at once when there is nothing to wait for. */
function after<A, B>(value: Eventually<A>, next: (value: A) => Eventually<B>): Eventually<B> {
  return value instanceof Promise ? value.then(next) : next(value);
}
