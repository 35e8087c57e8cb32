import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { OptionsError, withheld } from '@macadam/core';

/** A body that is read in chunks: a Node.js `Readable`, a web `ReadableStream`, or an async generator. */
export type StreamedBody = AsyncIterable<Uint8Array | string> | ReadableStream<Uint8Array>;

/** A body opened for one attempt. */
export interface OpenedBody {
  readonly body: Uint8Array | AsyncIterable<Uint8Array | string>;
  /** The stream that `body` is read from; absent for bytes. */
  readonly stream?: OpenStream;
  /** Set if it differs between attempts. */
  readonly contentType?: string;
  /** Set if known beforehand: sent as a header, instead of chunked encoding. */
  readonly contentLength?: number;
}

/** The source of the body of a call, if that is not text or bytes in memory. */
export interface BodySource {
  /** Whether the body can be opened for another attempt. */
  readonly replayable: boolean;
  /** Opens the body for one attempt. Not called unless `replayable`. */
  open(): OpenedBody | Promise<OpenedBody>;
  /** Closes streams that were not read to their end, when the call is over. */
  close(): void;
}

/** A function that creates a new stream for each attempt. */
export class FactoryBody implements BodySource {
  readonly replayable = true;
  readonly #create: () => StreamedBody;
  /** One for each attempt so far. */
  readonly #opened: OpenStream[] = [];

  constructor(create: () => StreamedBody) {
    this.#create = create;
  }

  open(): OpenedBody {
    const stream = this.#create();
    // A stream that was read already would yield an empty body, which the server would take for a complete one.
    if (!isStreamedBody(stream) || this.#opened.some((opened) => opened.stream === stream) || isUsed(stream)) {
      throw new OptionsError('request.body()', stream, 'a function that makes a new stream each time');
    }
    const body = new OpenStream(stream);
    this.#opened.push(body);
    return { body, stream: body };
  }

  close(): void {
    for (const body of this.#opened.splice(0)) body.release();
  }
}

/** A `Blob`, read again for each attempt. It may be a file that `fs.openAsBlob` opened. */
export class BlobBody implements BodySource {
  readonly replayable = true;
  readonly #blob: Blob;

  constructor(blob: Blob) {
    this.#blob = blob;
  }

  open(): OpenedBody {
    const stream = new OpenStream(this.#blob.stream() as unknown as StreamedBody);
    return { body: stream, stream, contentLength: this.#blob.size };
  }

  close(): void {}
}

export function isStreamedBody(value: unknown): value is StreamedBody {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

/** Whether a stream was read or is being read. False for other iterables, which cannot be asked. */
export function isUsed(stream: StreamedBody): boolean {
  if ('getReader' in stream) return stream.locked || Readable.isDisturbed(stream as never);
  return 'readable' in stream && (Readable.isDisturbed(stream as never) || stream.readable === false);
}

/**
 * A stream that is being sent. It records the error of the caller's stream, which is not a network failure. Once released, it
 * fails instead of ending, so that the transport does not take half of a body for a complete one.
 */
export class OpenStream implements AsyncIterableIterator<Uint8Array | string, void> {
  readonly stream: StreamedBody;
  /** The error of the stream, if it failed before it was released. */
  failure: unknown = undefined;
  readonly #iterator: AsyncIterator<Uint8Array | string, unknown>;
  #isReleased = false;

  constructor(stream: StreamedBody) {
    this.stream = stream;
    this.#iterator = iteratorOf(stream);
    // Without a listener, a Node.js stream that fails before it is first read would end the process. The iterator still fails.
    if ('on' in stream && typeof stream.on === 'function') stream.on('error', () => {});
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array | string, void>> {
    try {
      const { done, value } = await this.#iterator.next();
      if (done !== true) return { done: false, value: assertChunk(value) };
    } catch (error) {
      // A stream can fail with `undefined`, which must still count as a failure.
      const failure = (error ?? new Error('The stream failed without an error')) as Error;
      if (!this.#isReleased) this.failure = failure;
      throw failure;
    }
    if (this.#isReleased) throw new Error('The call ended before the body was sent completely');
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<Uint8Array | string, void>> {
    this.release();
    return { done: true, value: undefined };
  }

  /** Closes the stream. Never throws. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    if ('destroy' in this.stream && typeof this.stream.destroy === 'function') this.stream.destroy();
    // An error while closing does not matter any more.
    else this.#closeIterator().catch(() => undefined);
  }

  async #closeIterator(): Promise<void> {
    await this.#iterator.return?.();
  }
}

/** Reports a chunk that the transport cannot send as an error of the stream, not of the network. */
function assertChunk(value: unknown): Uint8Array | string {
  if (typeof value === 'string' || value instanceof Uint8Array) return value;
  throw new OptionsError('request.body', withheld(value), 'a stream of bytes or text');
}

function iteratorOf(stream: StreamedBody): AsyncIterator<Uint8Array | string, unknown> {
  if (!('getReader' in stream)) return stream[Symbol.asyncIterator]();
  // Unlike the stream's own iterator, a reader can be cancelled while it waits for the next chunk.
  const reader = stream.getReader();
  return {
    next: () => reader.read() as Promise<IteratorResult<Uint8Array, unknown>>,
    return: async () => ({ done: true, value: await reader.cancel() }),
  };
}

/** Closes a request body. While the response is streamed, it may still be sent: the end of the response closes it. */
export function closeAfter(responseBody: Readable | undefined, source: BodySource): void {
  if (responseBody === undefined || responseBody.closed) source.close();
  else responseBody.once('close', () => source.close());
}
