import { deflateRaw, deflateRawSync, inflateRaw, inflateRawSync } from 'node:zlib';

/** What stands in an entry's header. Others may follow; a reader that does not know one treats the entry as a miss. */
export const STORED = 0;
export const DEFLATE = 1;

/**
 * The least time of what Node brings for values of 4 to 64 KiB, above all for reading them, at about the size that the others reach;
 * `bench/compression.ts` measures it. Zstandard is faster for values of a mebibyte, and marked as experimental in Node.
 */
const FASTEST = { level: 1 };

/** Up to here it takes about a tenth of a millisecond, less than handing it to another thread and back is worth. */
const LARGEST_AT_ONCE = 65_536;

type Eventually<T> = Promise<T> | T;

/** The bytes made smaller; undefined when they would not be. Large ones are compressed in another thread. */
export function compressed(raw: Uint8Array): Eventually<Uint8Array | undefined> {
  const ifSmaller = (bytes: Uint8Array): Uint8Array | undefined => (bytes.length < raw.length ? bytes : undefined);
  if (raw.length <= LARGEST_AT_ONCE) return ifSmaller(deflateRawSync(raw, FASTEST));
  return new Promise((resolve) => {
    deflateRaw(raw, FASTEST, (error, bytes) => resolve(error === null ? ifSmaller(bytes) : undefined));
  });
}

/** The bytes as they were, which are `rawBytes` long; undefined when they are not. Never makes more bytes than that. */
export function decompressed(bytes: Uint8Array, rawBytes: number): Eventually<Uint8Array | undefined> {
  const options = { maxOutputLength: Math.max(1, rawBytes) };
  const ifWhole = (raw: Uint8Array): Uint8Array | undefined => (raw.length === rawBytes ? raw : undefined);
  if (rawBytes <= LARGEST_AT_ONCE) {
    try {
      return ifWhole(inflateRawSync(bytes, options));
    } catch {
      return undefined;
    }
  }
  return new Promise((resolve) => {
    inflateRaw(bytes, options, (error, raw) => resolve(error === null ? ifWhole(raw) : undefined));
  });
}
