import zlib from 'node:zlib';
import { promisify } from 'node:util';
import { decodeZstd, decodeZstdAsync, TooManyFramesError } from './stream/zstd-decoder.ts';

/** The content encodings that the client decodes, and so asks for. */
export const ACCEPT_ENCODING = 'gzip, deflate, br, zstd';

/** A shorter body is decoded synchronously: handing it to the thread pool would take longer. */
const DECODE_INLINE_BYTES = 16_384;
/** The decompression ratio is not limited up to this size: small repetitive JSON compresses by more than 100. */
export const RATIO_FREE_BYTES = 1_048_576;

/** The limits on the output of a compressed body. */
export interface DecodedLimits {
  readonly maxBytes: number;
  readonly maxRatio: number;
  readonly maxEncodings: number;
}

/** Why a body could not be decoded. */
export type DecodeFailure =
  | { readonly kind: 'corrupt' | 'tooManyEncodings' | 'tooManyFrames' | 'unknownEncoding'; readonly encoding: string }
  | { readonly kind: 'maxBytes' | 'maxRatio'; readonly allowed: number };

interface Codec {
  readonly sync: (bytes: Uint8Array, options: { maxOutputLength: number }) => Uint8Array | Promise<Uint8Array>;
  readonly async: (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Uint8Array>;
}

const gunzip: Codec = { sync: zlib.gunzipSync, async: promisify(zlib.gunzip) };
const inflate: Codec = { sync: zlib.inflateSync, async: promisify(zlib.inflate) };
const inflateRaw: Codec = { sync: zlib.inflateRawSync, async: promisify(zlib.inflateRaw) };
const brotli: Codec = { sync: zlib.brotliDecompressSync, async: promisify(zlib.brotliDecompress) };
const zstd: Codec = { sync: decodeZstd, async: decodeZstdAsync };

/** The encodings in a `Content-Encoding` header, in the order they were applied. */
export function parseEncodings(header: string | string[] | undefined): string[] {
  if (header === undefined) return [];
  const text = typeof header === 'string' ? header : header.join(',');
  return text
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity');
}

/**
 * Decodes `encodings`, the last one first. The output stops at the limit, within one 16 KiB chunk of the decoder, so that a
 * small body cannot decode to more memory than `maxBytes`.
 */
export function decodeContent(
  bytes: Uint8Array,
  encodings: readonly string[],
  limits: DecodedLimits,
): Uint8Array | DecodeFailure | Promise<Uint8Array | DecodeFailure> {
  if (encodings.length === 0) return bytes;
  if (encodings.length > limits.maxEncodings) return { kind: 'tooManyEncodings', encoding: encodings.join(', ') };
  const ratioBytes = Math.max(RATIO_FREE_BYTES, Math.floor(bytes.length * limits.maxRatio));
  return decodeFrom(bytes, encodings, encodings.length - 1, Math.min(limits.maxBytes, ratioBytes), limits);
}

function decodeFrom(
  bytes: Uint8Array,
  encodings: readonly string[],
  index: number,
  maxOutputLength: number,
  limits: DecodedLimits,
): Uint8Array | DecodeFailure | Promise<Uint8Array | DecodeFailure> {
  const encoding = encodings[index];
  if (encoding === undefined || bytes.length === 0) return bytes;
  const codec = codecFor(encoding, bytes);
  if (codec === undefined) return { kind: 'unknownEncoding', encoding };
  const failed = (error: unknown): DecodeFailure => failureOf(error, encoding, maxOutputLength, limits);
  const decode = bytes.length > DECODE_INLINE_BYTES ? codec.async : codec.sync;
  let decoded: Uint8Array | Promise<Uint8Array>;
  try {
    decoded = decode(bytes, { maxOutputLength });
  } catch (error) {
    return failed(error);
  }
  if (!(decoded instanceof Promise)) return decodeFrom(decoded, encodings, index - 1, maxOutputLength, limits);
  return decoded.then((later) => decodeFrom(later, encodings, index - 1, maxOutputLength, limits), failed);
}

function codecFor(encoding: string, bytes: Uint8Array): Codec | undefined {
  switch (encoding) {
    case 'gzip':
    case 'x-gzip':
      return gunzip;
    case 'deflate':
      // RFC 9110, section 8.4.1.2 means the zlib format, but some servers send raw deflate. The first byte tells which.
      return ((bytes[0] as number) & 0x0f) === 8 ? inflate : inflateRaw;
    case 'br':
      return brotli;
    case 'zstd':
      return zstd;
    default:
      return undefined;
  }
}

function failureOf(error: unknown, encoding: string, allowed: number, limits: DecodedLimits): DecodeFailure {
  if ((error as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE') return decoderFailure(error, encoding);
  return allowed < limits.maxBytes
    ? { kind: 'maxRatio', allowed: limits.maxRatio }
    : { kind: 'maxBytes', allowed: limits.maxBytes };
}

/** The failure of a decoder that has no limit of its own. */
export function decoderFailure(error: unknown, encoding: string): DecodeFailure {
  return { kind: error instanceof TooManyFramesError ? 'tooManyFrames' : 'corrupt', encoding };
}

export function isDecodeFailure(result: Uint8Array | DecodeFailure): result is DecodeFailure {
  return !(result instanceof Uint8Array);
}
