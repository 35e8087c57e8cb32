import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { OptionsError, withheld } from '@macadam/core';

/** A body that is read in chunks: a Node.js `Readable`, a web `ReadableStream`, or an async generator. */
export type StreamedBody = AsyncIterable<Uint8Array | string> | ReadableStream<Uint8Array>;

/** One sending of a body. */
export interface OpenedBody {
  readonly body: Uint8Array | AsyncIterable<Uint8Array | string>;
  /** When it differs from try to try. */
  readonly contentType?: string;
  /** Known beforehand: then it is announced, and not sent in chunks. */
  readonly contentLength?: number;
}

/** Where the body of a call comes from, when it is not text or bytes that are at hand. */
export interface BodySource {
  /** Whether there is a body for another try. */
  readonly replayable: boolean;
  /** What the caller's stream failed with, if it did. */
  readonly failure: unknown;
  /** The body for one try. Not asked when it is not `replayable` any more. */
  open(): OpenedBody | Promise<OpenedBody>;
  /** The call is over: lets go of what was not read. */
  close(): void;
}

/** A body that is made anew for every try. */
export class FactoryBody implements BodySource {
  readonly replayable = true;
  failure: unknown = undefined;
  readonly #make: () => StreamedBody;
  /** Several, when tries were repeated or hedged. */
  readonly #opened: OpenStream[] = [];

  constructor(make: () => StreamedBody) {
    this.#make = make;
  }

  open(): OpenedBody {
    this.failure = undefined;
    const made = this.#make();
    // Sending what was read already would be an empty body, which a server takes for the whole.
    if (!isStreamedBody(made) || this.#opened.some(({ stream }) => stream === made) || isUsed(made)) {
      throw new OptionsError('request.body()', made, 'a function that makes a new stream each time');
    }
    const body = new OpenStream(made, this);
    this.#opened.push(body);
    return { body };
  }

  close(): void {
    for (const body of this.#opened.splice(0)) body.release();
  }
}

/** A `Blob`, read anew for every try: of a file too, which `fs.openAsBlob` gives without reading it. */
export class BlobBody implements BodySource {
  readonly replayable = true;
  failure: unknown = undefined;
  readonly #blob: Blob;

  constructor(blob: Blob) {
    this.#blob = blob;
  }

  open(): OpenedBody {
    this.failure = undefined;
    const stream = this.#blob.stream() as unknown as StreamedBody;
    return { body: new OpenStream(stream, this), contentLength: this.#blob.size };
  }

  close(): void {}
}

export function isStreamedBody(value: unknown): value is StreamedBody {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

/** Whether something of a stream was read, or is being read; unknown of other iterables. */
export function isUsed(stream: StreamedBody): boolean {
  if ('getReader' in stream) return stream.locked || Readable.isDisturbed(stream as never);
  return 'readable' in stream && (Readable.isDisturbed(stream as never) || stream.readable === false);
}

/**
 * A stream that is being sent. It notes what the stream fails with, since that is no failure of the network; and once it is
 * let go it fails instead of coming to an end: whoever still reads it would take half of a body for the whole.
 */
export class OpenStream implements AsyncIterableIterator<Uint8Array | string, void> {
  readonly stream: StreamedBody;
  readonly #iterator: AsyncIterator<Uint8Array | string, unknown>;
  readonly #source: { failure: unknown };
  #isReleased = false;

  constructor(stream: StreamedBody, source: { failure: unknown }) {
    this.stream = stream;
    this.#iterator = iteratorOf(stream);
    this.#source = source;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array | string, void>> {
    try {
      const { done, value } = await this.#iterator.next();
      if (done !== true) return { done: false, value: asPiece(value) };
    } catch (error) {
      // A stream can be ended with nothing for a reason, which must not pass for no failure.
      const failure = (error ?? new Error('The stream failed and did not say why')) as Error;
      if (!this.#isReleased) this.#source.failure = failure;
      throw failure;
    }
    if (this.#isReleased) throw new Error('Nobody waits for the rest of the body any more');
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<Uint8Array | string, void>> {
    this.release();
    return { done: true, value: undefined };
  }

  /** Closes what is read. Never throws. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    if ('destroy' in this.stream && typeof this.stream.destroy === 'function') this.stream.destroy();
    // What it says to being left is nobody's business any more.
    else this.#leave().catch(() => undefined);
  }

  async #leave(): Promise<void> {
    await this.#iterator.return?.();
  }
}

/** What the transport would choke on is the fault of the stream, not of the network. */
function asPiece(value: unknown): Uint8Array | string {
  if (typeof value === 'string' || value instanceof Uint8Array) return value;
  throw new OptionsError('request.body', withheld(value), 'a stream of bytes or text');
}

function iteratorOf(stream: StreamedBody): AsyncIterator<Uint8Array | string, unknown> {
  if (!('getReader' in stream)) return stream[Symbol.asyncIterator]();
  // Unlike an iterator of its own, a reader can leave while it waits for the next piece.
  const reader = stream.getReader();
  return {
    next: () => reader.read() as Promise<IteratorResult<Uint8Array, unknown>>,
    return: async () => ({ done: true, value: await reader.cancel() }),
  };
}
