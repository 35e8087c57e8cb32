/**
 * Converts values to bytes and back. The decoded value must be deeply equal to the encoded one, including Date, Map,
 * Set, BigInt, typed arrays and undefined fields; a value for which that is impossible is rejected by `encode`.
 */
export interface Codec {
  /** Identifies the format, at most 255 bytes. Stored with each value; values with another id are not read. */
  readonly id: string;
  /**
   * Returns the bytes of a value.
   * @throws CacheValueError `MAC_CACHE_VALUE` for a value that could not be decoded to an equal one
   */
  encode(value: unknown): Uint8Array;
  /**
   * Returns the value of the bytes. May throw anything for bytes that it cannot read. The value must not refer to the
   * bytes, which are reused.
   */
  decode(bytes: Uint8Array): unknown;
}
