import type { Clock } from '@macadam/core';
import type { Codec } from '../codec/codec.ts';
import { keptValue, type Isolation } from '../isolation.ts';
import { layOutEntry, readEntry, type WireEntry } from './entry.ts';
import { FORMAT_VERSION, HEAD_BYTES, kindOf } from './head.ts';

export interface EnvelopeSettings {
  /** The cache's name: an entry of another cache is not read. */
  readonly name: string;
  readonly codec: Codec;
  readonly schemaVersion: string;
  readonly isolation: Isolation;
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
 * Why what stands in the tier is no value: it is nothing of ours or damaged; of another version of the format, of the codec or of
 * the values; of another key; not to be decrypted; not to be decoded; not what the schema asks for.
 */
export type UnreadableReason =
  'codec' | 'decode' | 'decrypt' | 'format' | 'key' | 'schema' | 'schemaVersion' | 'version';

/** What stood in the tier. */
export type Opened<T> =
  | (EntryFacts & { readonly state: 'expired' | 'value'; readonly value: T; readonly writtenAt: number })
  | { readonly state: 'lease' | 'tombstone' }
  | { readonly state: 'unreadable'; readonly reason: UnreadableReason };

/**
 * Turns values into the bytes of the shared tier, and back. What cannot be read is a miss with a reason, and never an error:
 * others write there, with other versions of this library and of the service.
 */
export class Envelopes<T> {
  readonly #settings: EnvelopeSettings;
  readonly unreadable: Record<UnreadableReason, number> = {
    codec: 0,
    decode: 0,
    decrypt: 0,
    format: 0,
    key: 0,
    schema: 0,
    schemaVersion: 0,
    version: 0,
  };

  constructor(settings: EnvelopeSettings) {
    this.#settings = settings;
  }

  /**
   * The value as bytes, still in the clear: the first step, taken before the value is kept anywhere, so that both tiers refuse the
   * same.
   * @throws CacheValueError `MAC_CACHE_VALUE` for a value that would not come back as it is
   */
  encode(value: T): Uint8Array {
    return this.#settings.codec.encode(value);
  }

  /** The bytes for the tier. Large values are compressed outside of this thread, which takes its time. Never fails. */
  seal(raw: Uint8Array, facts: EntryFacts): Promise<Uint8Array> | Uint8Array {
    const { name, codec, schemaVersion, clock } = this.#settings;
    const fields = {
      ...facts,
      codec: codec.id,
      schemaVersion,
      keyId: '',
      cache: name,
      writtenAt: clock.now(),
      compression: 0,
      encryption: 0,
      rawBytes: raw.length,
    };
    const { entry, payloadAt } = layOutEntry(fields, raw.length);
    entry.set(raw, payloadAt);
    return entry;
  }

  /** What the bytes are. The value is the caller's own, and already as `isolation` asks for it to be kept. Never fails. */
  open(key: string, bytes: Uint8Array): Opened<T> | Promise<Opened<T>> {
    const kind = kindOf(bytes);
    if (kind === 'lease' || kind === 'tombstone') return { state: kind };
    const entry = readEntry(bytes);
    if (entry === undefined) {
      const ours = bytes.length >= HEAD_BYTES && bytes[0] === 0xca && bytes[1] === 0x4d;
      return this.#refuse(ours && bytes[2] !== FORMAT_VERSION ? 'version' : 'format');
    }
    const { name, codec, schemaVersion } = this.#settings;
    if (entry.key !== key || entry.cache !== name) return this.#refuse('key');
    if (entry.codec !== codec.id) return this.#refuse('codec');
    if (entry.schemaVersion !== schemaVersion) return this.#refuse('schemaVersion');
    return this.#decode(entry);
  }

  #decode(entry: WireEntry): Opened<T> {
    let value: T;
    try {
      value = this.#settings.codec.decode(entry.payload) as T;
    } catch {
      return this.#refuse('decode');
    }
    const { key, freshForMs, staleForMs, loadMs, position, validator, tags, writtenAt, kind: state } = entry;
    const facts = { key, freshForMs, staleForMs, loadMs, position, validator, tags, writtenAt };
    return { ...facts, state, value: this.#kept(value) };
  }

  /** As `isolation` asks; nobody else has what was just decoded, so there is nothing to clone. */
  #kept(value: T): T {
    const { isolation } = this.#settings;
    return isolation === 'freeze' ? keptValue(value, isolation) : value;
  }

  #refuse(reason: UnreadableReason): Opened<T> {
    this.unreadable[reason]++;
    return { state: 'unreadable', reason };
  }
}
