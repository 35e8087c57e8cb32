import { deflateRaw, deflateRawSync, inflateRaw, inflateRawSync } from 'node:zlib';

/** The compression byte of the header. A reader that does not know a value treats the entry as a miss. */
export const STORED = 0;
export const DEFLATE = 1;

/**
 * Of the algorithms in Node, the fastest for values of 4 to 64 KiB, above all for reading, at about the compression
 * ratio of the others; `bench/compression.ts` measures it. Zstandard is faster for values of a mebibyte, and
 * experimental in Node.
 */
const DEFLATE_OPTIONS = { level: 1 };

/** Up to this size, compressing on the main thread takes about 0.1 ms, less than the round trip to another thread. */
const MAX_SYNC_BYTES = 65_536;

type MaybePromise<T> = Promise<T> | T;

/** Compresses the bytes, large ones in another thread. Undefined when that makes them no smaller. */
export function compress(raw: Uint8Array): MaybePromise<Uint8Array | undefined> {
  const ifSmaller = (bytes: Uint8Array): Uint8Array | undefined => (bytes.length < raw.length ? bytes : undefined);
  if (raw.length <= MAX_SYNC_BYTES) return ifSmaller(deflateRawSync(raw, DEFLATE_OPTIONS));
  return new Promise((resolve) => {
    deflateRaw(raw, DEFLATE_OPTIONS, (error, bytes) => resolve(error === null ? ifSmaller(bytes) : undefined));
  });
}

/**
 * Decompresses bytes to exactly `rawBytes` bytes. Undefined when they are damaged or of another length; never produces
 * more, so that a decompression bomb cannot fill the memory.
 */
export function decompress(bytes: Uint8Array, rawBytes: number): MaybePromise<Uint8Array | undefined> {
  const options = { maxOutputLength: Math.max(1, rawBytes) };
  const ifWhole = (raw: Uint8Array): Uint8Array | undefined => (raw.length === rawBytes ? raw : undefined);
  if (rawBytes <= MAX_SYNC_BYTES) {
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
