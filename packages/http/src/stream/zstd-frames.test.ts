import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import zlib from 'node:zlib';
import { expect, test } from 'vitest';
import { ZstdFrames } from './zstd-frames.ts';

/** Of many lengths, of nothing too, and together more than waits in a stream. */
const PARTS = Array.from({ length: 12 }, (_, i) =>
  Buffer.from(Array.from({ length: (i * 7_919) % 30_000 }, (_, k) => (k * i).toString(36)).join('')),
);
const FRAMES = Buffer.concat(PARTS.map((part) => zlib.zstdCompressSync(part)));

function decoded(bytes: Buffer, size: number): Readable {
  const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    bytes.subarray(i * size, (i + 1) * size),
  );
  return Readable.from(pieces, { objectMode: false }).compose(new ZstdFrames()) as Readable;
}

test.each([7, 1_000, 65_536, Infinity])('frames are one body, in pieces of %d bytes', async (size) => {
  const all = await buffer(decoded(FRAMES, Math.min(size, FRAMES.length)));
  expect(all.equals(Buffer.concat(PARTS))).toBe(true);
});

test('a reader who takes piece after piece gets them in order', async () => {
  const pieces: Uint8Array[] = [];
  for await (const piece of decoded(FRAMES, FRAMES.length)) pieces.push(piece as Uint8Array);
  expect(Buffer.concat(pieces).equals(Buffer.concat(PARTS))).toBe(true);
});

test.each([
  ['a frame that breaks off', FRAMES.subarray(0, -3)],
  ['what is no frame', Buffer.concat([FRAMES, Buffer.from('garbage')])],
  ['frames without end', Buffer.concat(Array.from({ length: 1_001 }, () => zlib.zstdCompressSync('')))],
])('%s is an error', async (_what, bytes) => {
  await expect(buffer(decoded(bytes, bytes.length))).rejects.toThrow();
});
