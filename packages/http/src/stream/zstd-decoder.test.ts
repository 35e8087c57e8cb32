import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import zlib from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { decodeZstd, TooManyFramesError, ZstdDecoder } from './zstd-decoder.ts';

/** Of many lengths, zero included, and together more than a stream buffers. */
const PARTS = Array.from({ length: 12 }, (_, i) =>
  Buffer.from(Array.from({ length: (i * 7_919) % 30_000 }, (_, k) => (k * i).toString(36)).join('')),
);
const FRAMES = Buffer.concat(PARTS.map((part) => zlib.zstdCompressSync(part)));

function decoded(bytes: Buffer, size: number): Readable {
  const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    bytes.subarray(i * size, (i + 1) * size),
  );
  return Readable.from(chunks, { objectMode: false }).compose(new ZstdDecoder()) as Readable;
}

test.each([7, 1_000, 65_536, Infinity])('decodes several frames as one body, in chunks of %d bytes', async (size) => {
  const all = await buffer(decoded(FRAMES, Math.min(size, FRAMES.length)));
  expect(all.equals(Buffer.concat(PARTS))).toBe(true);
});

test('a slow reader gets the decoded chunks in order', async () => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of decoded(FRAMES, FRAMES.length)) chunks.push(chunk as Uint8Array);
  expect(Buffer.concat(chunks).equals(Buffer.concat(PARTS))).toBe(true);
});

test.each([
  ['a frame that breaks off', FRAMES.subarray(0, -3)],
  ['bytes that are no frame', Buffer.concat([FRAMES, Buffer.from('garbage')])],
])('fails for %s', async (_what, bytes) => {
  await expect(buffer(decoded(bytes, bytes.length))).rejects.toThrow();
});

describe('the limit on frames', () => {
  const repeated = (bytes: Buffer, frames: number): Buffer => {
    const frame = zlib.zstdCompressSync(bytes);
    return Buffer.concat(Array.from({ length: frames }, () => frame));
  };
  const event = Buffer.alloc(64, 'e');

  test('allows a stream with more than 1,000 frames of 64 bytes each', async () => {
    const frames = repeated(event, 2_500);
    expect((await buffer(decoded(frames, 65_536))).length).toBe(2_500 * 64);
    expect((await decodeZstd(frames, { maxOutputLength: 1_000_000 })).length).toBe(2_500 * 64);
  });

  test.each([
    ['empty frames', Buffer.alloc(0)],
    ['frames of a few bytes', Buffer.from('ab')],
  ])('rejects more than 1,000 %s', async (_what, bytes) => {
    const frames = repeated(bytes, 1_100);
    await expect(buffer(decoded(frames, frames.length))).rejects.toThrow(TooManyFramesError);
    await expect(decodeZstd(frames, { maxOutputLength: 1_000_000 })).rejects.toThrow(TooManyFramesError);
  });
});
