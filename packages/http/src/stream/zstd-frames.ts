import { Transform, type TransformCallback } from 'node:stream';
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

/** The same for what is there whole. */
export function unzstd(bytes: Uint8Array, { maxOutputLength }: { maxOutputLength: number }): Uint8Array {
  const frames: Uint8Array[] = [];
  let size = 0;
  for (let rest = bytes; rest.length > 0;) {
    if (frames.length === MAX_FRAMES) throw new Error(`more than ${MAX_FRAMES} frames`);
    const options = { maxOutputLength: Math.max(1, maxOutputLength - size), info: true };
    const { buffer, engine } = zlib.zstdDecompressSync(rest, options) as unknown as Decompressed;
    frames.push(buffer);
    size += buffer.length;
    rest = rest.subarray(engine.bytesWritten);
  }
  return frames.length === 1 ? (frames[0] as Uint8Array) : Buffer.concat(frames, size);
}

/** What `info` makes of the answer. */
interface Decompressed {
  readonly buffer: Uint8Array;
  readonly engine: { readonly bytesWritten: number };
}
