import type { Transform } from 'node:stream';
import { ChunkList } from './chunk-list.ts';
import {
  decodeContent,
  isDecodeFailure,
  parseEncodings,
  type DecodedLimits,
  type DecodeFailure,
} from './content-decoding.ts';
import type { DispatchController, RawHeaders } from './dispatcher.ts';
import { IncrementalDecoder } from './incremental-decoder.ts';
import type { PreparedRequest } from './request.ts';
import { isDecodable, makeDecoders } from './stream/decoders.ts';
import { isPassedThrough } from './stream/options.ts';

/** How much of the body of an error response is read: enough for a problem document, and for its connection to be reused. */
export const MAX_ERROR_BODY_BYTES = 65_536;
/** A longer compressed body is decoded while it arrives; a shorter one at once, at its end. */
const INCREMENTAL_BYTES = 16_384;

/** Collects and decodes the body of a response that is read whole. */
export class ReceivedBody {
  /** Bytes on the wire. */
  size = 0;
  /** Most bodies arrive in one chunk, which is not copied. */
  #first: Uint8Array | undefined = undefined;
  #chunks: ChunkList | undefined = undefined;
  #decoder: IncrementalDecoder | undefined = undefined;

  add(chunk: Uint8Array): void {
    this.size += chunk.length;
    if (this.#decoder !== undefined) this.#decoder.write(chunk);
    else if (this.#first === undefined) this.#first = chunk;
    else {
      if (this.#chunks === undefined) {
        this.#chunks = new ChunkList();
        this.#chunks.add(this.#first);
      }
      this.#chunks.add(chunk);
    }
  }

  /** Whether the body is long enough to be decoded while it arrives, and is not yet. */
  get isLong(): boolean {
    return this.size > INCREMENTAL_BYTES && this.#decoder === undefined;
  }

  /**
   * Decodes the body from here on while it arrives, and reports the result to `settle`. Encodings that cannot be decoded are
   * left to `finish`, which reports them.
   */
  decodeIncrementally(
    controller: DispatchController,
    encodings: readonly string[],
    limits: DecodedLimits,
    settle: (result: Uint8Array | DecodeFailure) => void,
  ): void {
    if (encodings.length === 0 || encodings.length > limits.maxEncodings || !isDecodable(encodings)) return;
    const wire = this.#takeReceived() as Uint8Array;
    this.#decoder = new IncrementalDecoder(controller, encodings, limits, wire, settle);
    this.#decoder.write(wire);
  }

  /** Decodes a complete body. @returns undefined if it is decoded while it arrives, and reported to `settle` */
  finish(
    encodings: readonly string[],
    limits: DecodedLimits,
  ): Uint8Array | DecodeFailure | Promise<Uint8Array | DecodeFailure> | undefined {
    if (this.#decoder !== undefined) {
      this.#decoder.end();
      return undefined;
    }
    return decodeContent(this.#takeReceived() as Uint8Array, encodings, limits);
  }

  /**
   * Decodes an error body: as much of it as possible if it is incomplete, and only its beginning if it is too long.
   *
   * @param isTruncated - whether only a part of the body was read
   */
  finishErrorBody(
    isTruncated: boolean,
    encodings: readonly string[],
    limits: DecodedLimits,
  ): Uint8Array | DecodeFailure | Promise<Uint8Array | DecodeFailure> {
    const wire = this.#takeReceived() as Uint8Array;
    const decoded = decodeContent(wire, encodings, { ...limits, maxBytes: MAX_ERROR_BODY_DECODED_BYTES });
    if (decoded instanceof Promise) return decoded.then((result) => orPrefix(result, wire, encodings, isTruncated));
    return orPrefix(decoded, wire, encodings, isTruncated);
  }

  /** Frees the decoders of a body that is not needed. */
  discard(): void {
    this.#decoder?.destroy();
  }

  #takeReceived(): Uint8Array | undefined {
    const wire = this.#chunks === undefined ? this.#first : this.#chunks.concat(this.size);
    this.#first = this.#chunks = undefined;
    return wire;
  }
}

/** The content encodings of a response that the client decodes, in the order they were applied. */
export function encodingsToUndo(request: PreparedRequest, headers: RawHeaders): readonly string[] {
  const header = headers['content-encoding'];
  return header === undefined || isPassedThrough(request, header) ? NONE : parseEncodings(header);
}

const NONE: readonly string[] = [];

/** A compressed error body that decodes to more than this is decoded only at its beginning. */
const MAX_ERROR_BODY_DECODED_BYTES = 1_048_576;

function orPrefix(
  decoded: Uint8Array | DecodeFailure,
  wire: Uint8Array,
  encodings: readonly string[],
  isTruncated: boolean,
): Uint8Array | DecodeFailure | Promise<Uint8Array> {
  if (!isDecodeFailure(decoded)) return decoded;
  const isPartial = 'allowed' in decoded || (decoded.kind === 'corrupt' && isTruncated);
  return isPartial ? decodePrefix(wire, encodings) : decoded;
}

/** Decodes as much of a body as possible, up to a little more than {@link MAX_ERROR_BODY_BYTES}. */
function decodePrefix(wire: Uint8Array, encodings: readonly string[]): Promise<Uint8Array> {
  return new Promise((resolve) => {
    const decoders = makeDecoders(encodings, wire);
    const chunks: Uint8Array[] = [];
    let size = 0;
    const done = (): void => {
      for (const decoder of decoders) decoder.destroy();
      resolve(Buffer.concat(chunks, size));
    };
    for (const [i, decoder] of decoders.entries()) {
      decoder.on('error', done);
      const next = decoders[i + 1];
      if (next !== undefined) decoder.pipe(next);
    }
    const outlet = decoders.at(-1) as Transform;
    outlet.on('data', (chunk: Uint8Array) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > MAX_ERROR_BODY_BYTES) done();
    });
    outlet.on('end', done);
    decoders[0]?.end(wire);
  });
}
