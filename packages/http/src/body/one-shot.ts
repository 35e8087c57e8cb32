import { OptionsError } from '@macadam/core';
import { isUsed, OpenStream, type BodySource, type OpenedBody, type StreamedBody } from './source.ts';

/** How much of a stream is kept for further attempts. Source: the retry buffer of gRPC, 1 MiB per call. */
export const MAX_REPLAY_BYTES = 1_048_576;

/**
 * A stream that can be read only once. Up to 1 MiB of it is read before the first attempt is sent: a stream that ends there can be
 * sent by every attempt; a longer one is sent by one attempt only.
 */
export class OneShotBody implements BodySource {
  replayable = true;
  readonly #stream: OpenStream;
  #buffered: Promise<OpenedBody> | undefined = undefined;

  constructor(stream: StreamedBody) {
    if (isUsed(stream)) throw new OptionsError('request.body', stream, 'a stream of which nothing was read yet');
    this.#stream = new OpenStream(stream);
  }

  open(): Promise<OpenedBody> {
    // An attempt may run out of time while the stream is buffered: the next one uses the same buffer.
    this.#buffered ??= this.#buffer();
    return this.#buffered;
  }

  close(): void {
    this.#stream.release();
  }

  async #buffer(): Promise<OpenedBody> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for (;;) {
      const chunk = await this.#next();
      if (chunk === undefined) return { body: Buffer.concat(chunks, size) };
      chunks.push(chunk);
      size += chunk.length;
      if (size > MAX_REPLAY_BYTES) break;
    }
    this.replayable = false;
    return { body: readOnce(this.#rest(chunks)), stream: this.#stream };
  }

  async *#rest(chunks: Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
    for (const chunk of chunks.splice(0)) yield chunk;
    for (let chunk = await this.#next(); chunk !== undefined; chunk = await this.#next()) yield chunk;
  }

  async #next(): Promise<Uint8Array | undefined> {
    const { done, value } = await this.#stream.next();
    if (done === true) return undefined;
    return typeof value === 'string' ? Buffer.from(value) : value;
  }
}

/** Makes a second reading fail: it would yield an empty body, which the server would take for a complete one. */
function readOnce(body: AsyncGenerator<Uint8Array, void, undefined>): AsyncIterable<Uint8Array> {
  let isRead = false;
  return {
    [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
      if (isRead) throw new Error('The body has already been sent');
      isRead = true;
      return body;
    },
  };
}
