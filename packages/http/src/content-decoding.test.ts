import zlib from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { decodeContent, isDecodeFailure, parseEncodings, RATIO_FREE_BYTES } from './content-decoding.ts';

const LIMITS = { maxBytes: 10_485_760, maxRatio: 100, maxEncodings: 2 };
const SMALL = Buffer.from('{"total":7}');
/** Compresses badly, so that it is decoded on the thread pool. */
const LARGE = Buffer.from(Array.from({ length: 8_000 }, (_, i) => (i * 7_919).toString(36)).join(''));

const ZEROS = Buffer.alloc(24 * 1_048_576);

const ENCODERS: [name: string, encode: (bytes: Uint8Array) => Uint8Array][] = [
  ['gzip', zlib.gzipSync],
  ['x-gzip', zlib.gzipSync],
  ['deflate', zlib.deflateSync],
  ['deflate', zlib.deflateRawSync],
  ['br', zlib.brotliCompressSync],
  ['zstd', zlib.zstdCompressSync],
];

describe('decodeContent', () => {
  test.each(ENCODERS)('decodes %s, synchronously or on the thread pool', async (name, encode) => {
    expect(decodeContent(encode(SMALL), [name], LIMITS)).toEqual(SMALL);
    const large = decodeContent(encode(LARGE), [name], LIMITS);
    let isDecoded = false;
    void (large as Promise<unknown>).then(() => (isDecoded = true));
    for (let turn = 0; turn < 100; turn++) await Promise.resolve();
    expect(isDecoded, 'within the same turn of the event loop').toBe(false);
    expect(await large).toEqual(LARGE);
  });

  test('decodes several zstd frames', async () => {
    const frames = (count: number) => Buffer.concat(Array.from({ length: count }, () => zlib.zstdCompressSync(SMALL)));
    expect(decodeContent(frames(3), ['zstd'], LIMITS)).toEqual(Buffer.concat([SMALL, SMALL, SMALL]));
    // Each frame takes its time: many tiny ones do not hold the process up.
    const many = decodeContent(frames(100), ['zstd'], LIMITS);
    expect(many).toBeInstanceOf(Promise);
    expect(await many).toHaveLength(100 * SMALL.length);
    const garbage = Buffer.concat([frames(1), Buffer.from('garbage')]);
    const corrupt = { kind: 'corrupt', encoding: 'zstd' };
    expect(decodeContent(garbage, ['zstd'], LIMITS)).toEqual(corrupt);
    const empty = Buffer.concat(Array.from({ length: 1_001 }, () => zlib.zstdCompressSync('')));
    expect(await decodeContent(empty, ['zstd'], LIMITS)).toEqual({ kind: 'tooManyFrames', encoding: 'zstd' });
    const few = { ...LIMITS, maxBytes: 2 * SMALL.length };
    expect(decodeContent(frames(2), ['zstd'], few)).toHaveLength(2 * SMALL.length);
    expect(decodeContent(frames(3), ['zstd'], few)).toEqual({ kind: 'maxBytes', allowed: few.maxBytes });
  });

  test('decodes large zstd frames as one body, up to the limit', async () => {
    const frames = Buffer.concat([LARGE, SMALL, LARGE].map((part) => zlib.zstdCompressSync(part)));
    expect(await decodeContent(frames, ['zstd'], LIMITS)).toEqual(Buffer.concat([LARGE, SMALL, LARGE]));
    const less = { ...LIMITS, maxBytes: LARGE.length + SMALL.length };
    expect(await decodeContent(frames, ['zstd'], less)).toEqual({ kind: 'maxBytes', allowed: less.maxBytes });
    const broken = Buffer.concat([frames, Buffer.from('garbage')]);
    expect(await decodeContent(broken, ['zstd'], LIMITS)).toEqual({ kind: 'corrupt', encoding: 'zstd' });
  });

  test('decodes several encodings, the last one first', async () => {
    const bytes = zlib.brotliCompressSync(zlib.gzipSync(SMALL));
    expect(await decodeContent(bytes, ['gzip', 'br'], LIMITS)).toEqual(SMALL);
  });

  test.each(ENCODERS)('AC39: a bomb in %s stops at the limit', async (name, encode) => {
    const bomb = encode(ZEROS);
    const result = await decodeContent(bomb, [name], LIMITS);
    const ratioFirst = bomb.length * 100 < LIMITS.maxBytes;
    expect(result).toEqual(
      ratioFirst ? { kind: 'maxRatio', allowed: 100 } : { kind: 'maxBytes', allowed: LIMITS.maxBytes },
    );
  });

  test('applies the ratio to the bytes on the wire when encodings are stacked', async () => {
    const bomb = zlib.gzipSync(zlib.gzipSync(ZEROS));
    expect(await decodeContent(bomb, ['gzip', 'gzip'], LIMITS)).toEqual({ kind: 'maxRatio', allowed: 100 });
  });

  test('does not limit the ratio of a small body', () => {
    const zeros = Buffer.alloc(RATIO_FREE_BYTES);
    expect(decodeContent(zlib.gzipSync(zeros), ['gzip'], LIMITS)).toHaveLength(RATIO_FREE_BYTES);
    const more = zlib.gzipSync(Buffer.alloc(RATIO_FREE_BYTES + 1));
    expect(decodeContent(more, ['gzip'], LIMITS)).toEqual({ kind: 'maxRatio', allowed: 100 });
  });

  test.each([
    ['bytes that are not what they say', Buffer.from('plain'), ['gzip'], { kind: 'corrupt', encoding: 'gzip' }],
    ['half of it', zlib.gzipSync(LARGE).subarray(0, 5_000), ['gzip'], { kind: 'corrupt', encoding: 'gzip' }],
    ['an encoding that was not requested', SMALL, ['compress'], { kind: 'unknownEncoding', encoding: 'compress' }],
    ['too many', SMALL, ['gzip', 'gzip', 'gzip'], { kind: 'tooManyEncodings', encoding: 'gzip, gzip, gzip' }],
  ])('rejects %s', async (_what, bytes, encodings, failure) => {
    const result = await decodeContent(bytes, encodings, LIMITS);
    expect(isDecodeFailure(result)).toBe(true);
    expect(result).toEqual(failure);
  });
});

test.each([
  [undefined, []],
  ['', []],
  ['identity', []],
  ['GZIP , br', ['gzip', 'br']],
  [
    ['gzip', 'br'],
    ['gzip', 'br'],
  ],
])('parseEncodings %j', (header, encodings) => expect(parseEncodings(header)).toEqual(encodings));
