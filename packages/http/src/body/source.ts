import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { OptionsError } from '@macadam/core';

/** A body that is read piece by piece: a Node.js `Readable`, a web `ReadableStream`, an async generator. */
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
export class MadeBody implements BodySource {
  readonly replayable = true;
  failure: unknown = undefined;
  readonly #make: () => StreamedBody;
  #last: StreamedBody | undefined = undefined;

  constructor(make: () => StreamedBody) {
    this.#make = make;
  }

  open(): OpenedBody {
    this.failure = undefined;
    const made = this.#make();
    // Sending what was read already would be an empty body, which a server takes for the whole.
    if (!isStreamedBody(made) || made === this.#last || isUsed(made)) {
      throw new OptionsError('request.body()', made, 'a function that makes a new stream each time');
    }
    this.#last = made;
    return { body: watched(made, this) };
  }

  close(): void {
    this.#last = undefined;
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
    return { body: watched(stream, this), contentLength: this.#blob.size };
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

/** Passes a stream on, and notes what it fails with: that is no failure of the network. */
export async function* watched(
  stream: StreamedBody,
  source: { failure: unknown },
): AsyncGenerator<Uint8Array | string, void, undefined> {
  try {
    yield* stream;
  } catch (error) {
    source.failure = error;
    throw error;
  }
}
