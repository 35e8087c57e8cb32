/**
 * Turns values into bytes and back. What comes back is deeply equal to what went in, including Date, Map, Set, BigInt, typed
 * arrays and undefined fields; what cannot come back so is refused when it goes in.
 */
export interface Codec {
  /** Stands with the bytes: another codec, or another version of this one, will not read them. At most 255 bytes. */
  readonly id: string;
  /** @throws CacheValueError `MAC_CACHE_VALUE` for a value that would not come back as it is */
  encode(value: unknown): Uint8Array;
  /** Throws whatever it likes for bytes it cannot read. They may be changed afterwards: the value must not refer to them. */
  decode(bytes: Uint8Array): unknown;
}
