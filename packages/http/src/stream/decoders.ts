import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import { ZstdDecoder } from './zstd-decoder.ts';

const STREAMED: ReadonlySet<string> = new Set(['gzip', 'x-gzip', 'deflate', 'br', 'zstd']);

/** Whether all of these can be undone. */
export function isDecodable(encodings: readonly string[]): boolean {
  return encodings.every((encoding) => STREAMED.has(encoding));
}

/** What undoes `encodings`, the last one first. `first` is the beginning of the body. */
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
      // RFC 9110 means zlib's format; some servers send bare deflate. The first byte tells them apart.
      return firstByte === undefined || (firstByte & 0x0f) === 8 ? zlib.createInflate() : zlib.createInflateRaw();
    default:
      return zlib.createGunzip();
  }
}
