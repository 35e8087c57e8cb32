/**
 * Decodes zstd, whose content is any number of frames (RFC 8878, section 3). The decoder of Node.js 24 continues with the next
 * frame only if that begins with a new chunk of input; it ignores what follows the end of a frame within a chunk. So a frame
 * that ends within a chunk is followed by a new decoder.
 */
import { Transform, type TransformCallback } from 'node:stream';
import { promisify } from 'node:util';
import zlib, { type ZstdDecompress } from 'node:zlib';

/**
 * How many frames a body may have: these, and one more for every {@link BYTES_PER_FRAME} decoded bytes. A frame costs a decoder
 * (far more CPU than its bytes), and an empty one has 9 bytes: a hostile body of such frames would keep the process busy. A long stream
 * that sends each event as a frame stays within the limit, however long it is.
 */
const FREE_FRAMES = 1_000;
const BYTES_PER_FRAME = 64;

/** A body with more frames than its decoded size allows. */
export class TooManyFramesError extends Error {}
export const FRAME_LIMIT: string = `${FREE_FRAMES} frames, and one more for every ${BYTES_PER_FRAME} decoded bytes`;

function assertFrameAllowed(frames: number, decodedBytes: number): void {
  if (frames >= FREE_FRAMES + decodedBytes / BYTES_PER_FRAME) {
    throw new TooManyFramesError(`The body has more than ${FRAME_LIMIT}`);
  }
}

/** Decodes a stream of zstd frames. */
export class ZstdDecoder extends Transform {
  #frameDecoder: ZstdDecompress | undefined = undefined;
  /** Frames that ended within a chunk. */
  #frames = 0;
  #decodedBytes = 0;

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    this.#decode(chunk, done);
  }

  override _flush(done: TransformCallback): void {
    if (this.#frameDecoder === undefined) done();
    else this.#frameDecoder.once('end', done).end();
  }

  override _read(size: number): void {
    this.#frameDecoder?.resume();
    super._read(size);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#frameDecoder?.destroy();
    callback(error);
  }

  #decode(chunk: Buffer, done: TransformCallback): void {
    const decoder = (this.#frameDecoder ??= this.#createDecoder());
    const before = decoder.bytesWritten;
    const rest = (): Buffer => chunk.subarray(decoder.bytesWritten - before);
    const onFrameEnd = (): void => {
      this.#frameDecoder = undefined;
      this.#frames++;
      try {
        assertFrameAllowed(this.#frames, this.#decodedBytes);
      } catch (error) {
        done(error as Error);
        return;
      }
      this.#decode(rest(), done);
    };
    decoder.once('end', onFrameEnd);
    decoder.write(chunk, () => {
      if (rest().length > 0) return;
      decoder.off('end', onFrameEnd);
      done();
    });
  }

  #createDecoder(): ZstdDecompress {
    const decoder = zlib.createZstdDecompress();
    decoder.on('error', (error) => this.destroy(error));
    decoder.on('data', (decoded: Buffer) => {
      this.#decodedBytes += decoded.length;
      if (!this.push(decoded)) decoder.pause();
    });
    return decoder;
  }
}

/** How many frames are decoded synchronously; each takes as long as a body of some kilobytes. */
const INLINE_FRAMES = 16;

interface OutputLimit {
  readonly maxOutputLength: number;
}

/** Decodes a whole body: its first frames synchronously, and further ones on the thread pool. */
export function decodeZstd(bytes: Uint8Array, { maxOutputLength }: OutputLimit): Uint8Array | Promise<Uint8Array> {
  const body = new FramedBody(bytes, maxOutputLength);
  for (let i = 0; body.rest.length > 0; i++) {
    if (i === INLINE_FRAMES) return decodeRest(body);
    body.add(zlib.zstdDecompressSync(body.rest, body.nextFrameOptions()) as unknown as DecodedFrame);
  }
  return body.decoded();
}

/** Decodes a whole body on the thread pool. */
export function decodeZstdAsync(bytes: Uint8Array, { maxOutputLength }: OutputLimit): Promise<Uint8Array> {
  return decodeRest(new FramedBody(bytes, maxOutputLength));
}

async function decodeRest(body: FramedBody): Promise<Uint8Array> {
  while (body.rest.length > 0) body.add(await zstdDecompress(body.rest, body.nextFrameOptions()));
  return body.decoded();
}

/** The result of Node's decoder with the option `info`. */
interface DecodedFrame {
  readonly buffer: Uint8Array;
  readonly engine: { readonly bytesWritten: number };
}

const zstdDecompress = promisify(zlib.zstdDecompress) as unknown as (
  bytes: Uint8Array,
  options: object,
) => Promise<DecodedFrame>;

/** A body that is decoded frame by frame. */
class FramedBody {
  /** What has not been decoded yet. */
  rest: Uint8Array;
  readonly #maxOutputLength: number;
  readonly #frames: Uint8Array[] = [];
  #decodedBytes = 0;

  constructor(bytes: Uint8Array, maxOutputLength: number) {
    this.rest = bytes;
    this.#maxOutputLength = maxOutputLength;
  }

  /** @throws TooManyFramesError when the body may not have another frame */
  nextFrameOptions(): { readonly maxOutputLength: number; readonly info: true } {
    assertFrameAllowed(this.#frames.length, this.#decodedBytes);
    return { maxOutputLength: Math.max(1, this.#maxOutputLength - this.#decodedBytes), info: true };
  }

  add({ buffer, engine }: DecodedFrame): void {
    this.#frames.push(buffer);
    this.#decodedBytes += buffer.length;
    this.rest = this.rest.subarray(engine.bytesWritten);
  }

  decoded(): Uint8Array {
    const [first] = this.#frames;
    return this.#frames.length === 1 ? (first as Uint8Array) : Buffer.concat(this.#frames, this.#decodedBytes);
  }
}
