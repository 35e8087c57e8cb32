import { OptionsError } from '@macadam/core';
import { isUsed, OpenStream, type BodySource, type OpenedBody, type StreamedBody } from './source.ts';

/** So much of a stream is kept for another try. Source: gRPC keeps 1 MiB of a call. */
export const MAX_REPLAY_BYTES = 1_048_576;

/**
 * A stream that can be read once. Up to 1 MiB is read before the first try begins to send, and then every try has it; a
 * longer one is sent by one try, and never again.
 */
export class OneShotBody implements BodySource {
  replayable = true;
  failure: unknown = undefined;
  readonly #stream: OpenStream;
  #buffered: Promise<OpenedBody> | undefined = undefined;

  constructor(stream: StreamedBody) {
    if (isUsed(stream)) throw new OptionsError('request.body', stream, 'a stream of which nothing was read yet');
    this.#stream = new OpenStream(stream, this);
  }

  open(): Promise<OpenedBody> {
    // A try that ran out of time while this was read leaves it to the next.
    this.#buffered ??= this.#buffer();
    return this.#buffered;
  }

  close(): void {
    this.#stream.release();
  }

  async #buffer(): Promise<OpenedBody> {
    const pieces: Uint8Array[] = [];
    let size = 0;
    for (;;) {
      const piece = await this.#next();
      if (piece === undefined) return { body: Buffer.concat(pieces, size) };
      pieces.push(piece);
      size += piece.length;
      if (size > MAX_REPLAY_BYTES) break;
    }
    this.replayable = false;
    return { body: onlyOnce(this.#rest(pieces)) };
  }

  async *#rest(pieces: Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
    for (const piece of pieces.splice(0)) yield piece;
    for (let piece = await this.#next(); piece !== undefined; piece = await this.#next()) yield piece;
  }

  async #next(): Promise<Uint8Array | undefined> {
    const { done, value } = await this.#stream.next();
    if (done === true) return undefined;
    return typeof value === 'string' ? Buffer.from(value) : value;
  }
}

/** Reading it again would give an empty body, which a server takes for the whole. */
function onlyOnce(body: AsyncGenerator<Uint8Array, void, undefined>): AsyncIterable<Uint8Array> {
  let used = false;
  return {
    [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
      if (used) throw new Error('The body was sent already');
      used = true;
      return body;
    },
  };
}
