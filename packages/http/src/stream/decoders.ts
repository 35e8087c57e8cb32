import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import { ZstdDecoder } from './zstd-decoder.ts';

const DECODABLE: ReadonlySet<string> = new Set(['gzip', 'x-gzip', 'deflate', 'br', 'zstd']);

/** Whether all of these encodings can be decoded. */
export function isDecodable(encodings: readonly string[]): boolean {
  return encodings.every((encoding) => DECODABLE.has(encoding));
}

/** The streams that decode `encodings`, the last one first. `first` is the beginning of the body. */
export function makeDecoders(encodings: readonly string[], first: Uint8Array): Transform[] {
  return encodings.toReversed().map((encoding, i) => makeDecoder(encoding, i === 0 ? first[0] : undefined));
}

function makeDecoder(encoding: string, firstByte: number | undefined): Transform {
  switch (encoding) {
    case 'br':
      return zlib.createBrotliDecompress();
    case 'zstd':
      return new ZstdDecoder();
    case 'deflate':
      // RFC 9110, section 8.4.1.2 means the zlib format, but some servers send raw deflate. The first byte tells which.
      return firstByte === undefined || (firstByte & 0x0f) === 8 ? zlib.createInflate() : zlib.createInflateRaw();
    default:
      return zlib.createGunzip();
  }
}
