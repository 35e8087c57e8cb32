import { Transform, type TransformCallback } from 'node:stream';
import { promisify } from 'node:util';
import zlib, { type ZstdDecompress } from 'node:zlib';

/**
 * So many frames may end within a piece. Each needs a decoder of its own, and a frame of nothing has nine bytes: those of a
 * hostile body would keep the process busy.
 */
const MAX_FRAMES = 1_000;

/**
 * Undoes zstd, which may come in any number of frames (RFC 8878, section 3). The decoder of Node.js (24) goes on with the
 * next when a piece ends with a frame; when a frame ends within a piece it takes what follows for no part of the body.
 */
export class ZstdFrames extends Transform {
  #frame: ZstdDecompress | undefined = undefined;
  #frames = 0;

  override _transform(piece: Buffer, _encoding: string, done: TransformCallback): void {
    this.#decode(piece, done);
  }

  override _flush(done: TransformCallback): void {
    if (this.#frame === undefined) done();
    else this.#frame.once('end', done).end();
  }

  override _read(size: number): void {
    this.#frame?.resume();
    super._read(size);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#frame?.destroy();
    callback(error);
  }

  #decode(piece: Buffer, done: TransformCallback): void {
    const frame = (this.#frame ??= this.#open());
    const before = frame.bytesWritten;
    const restOf = (): Buffer => piece.subarray(frame.bytesWritten - before);
    const next = (): void => {
      this.#frame = undefined;
      if (++this.#frames < MAX_FRAMES) this.#decode(restOf(), done);
      else done(new Error(`more than ${MAX_FRAMES} frames`));
    };
    frame.once('end', next);
    frame.write(piece, () => {
      if (restOf().length > 0) return;
      frame.off('end', next);
      done();
    });
  }

  #open(): ZstdDecompress {
    const frame = zlib.createZstdDecompress();
    frame.on('error', (error) => this.destroy(error));
    frame.on('data', (piece: Buffer) => {
      if (!this.push(piece)) frame.pause();
    });
    return frame;
  }
}

/** So many are decoded at once; each takes as long as a body of some kilobytes. */
const INLINE_FRAMES = 16;

/** The same for what is there whole: on the thread pool, from the frame on that would hold the process up. */
export function unzstd(bytes: Uint8Array, { maxOutputLength }: OutputLimit): Uint8Array | Promise<Uint8Array> {
  const frames = new Frames(bytes, maxOutputLength);
  for (let i = 0; frames.rest.length > 0; i++) {
    if (i === INLINE_FRAMES) return decodeAside(frames);
    frames.add(zlib.zstdDecompressSync(frames.rest, frames.options()) as unknown as Decompressed);
  }
  return frames.whole();
}

/** As `unzstd`, on the thread pool. */
export function unzstdAside(bytes: Uint8Array, { maxOutputLength }: OutputLimit): Promise<Uint8Array> {
  return decodeAside(new Frames(bytes, maxOutputLength));
}

async function decodeAside(frames: Frames): Promise<Uint8Array> {
  while (frames.rest.length > 0) frames.add(await zstdDecompress(frames.rest, frames.options()));
  return frames.whole();
}

interface OutputLimit {
  readonly maxOutputLength: number;
}

/** What `info` makes of the answer. */
interface Decompressed {
  readonly buffer: Uint8Array;
  readonly engine: { readonly bytesWritten: number };
}

const zstdDecompress = promisify(zlib.zstdDecompress) as unknown as (
  bytes: Uint8Array,
  options: object,
) => Promise<Decompressed>;

/** The frames of a body, one after the other. */
class Frames {
  /** What has not been decoded yet. */
  rest: Uint8Array;
  readonly #maxOutputLength: number;
  readonly #decoded: Uint8Array[] = [];
  #size = 0;

  constructor(bytes: Uint8Array, maxOutputLength: number) {
    this.rest = bytes;
    this.#maxOutputLength = maxOutputLength;
  }

  /** Those for the next frame. */
  options(): { readonly maxOutputLength: number; readonly info: true } {
    if (this.#decoded.length === MAX_FRAMES) throw new Error(`more than ${MAX_FRAMES} frames`);
    return { maxOutputLength: Math.max(1, this.#maxOutputLength - this.#size), info: true };
  }

  add({ buffer, engine }: Decompressed): void {
    this.#decoded.push(buffer);
    this.#size += buffer.length;
    this.rest = this.rest.subarray(engine.bytesWritten);
  }

  whole(): Uint8Array {
    const [first] = this.#decoded;
    return this.#decoded.length === 1 ? (first as Uint8Array) : Buffer.concat(this.#decoded, this.#size);
  }
}
