import type { Transform } from 'node:stream';
import { MAX_ERROR_BODY_BYTES } from './attempt-settings.ts';
import {
  decodeContent,
  isDecodeFailure,
  parseEncodings,
  type DecodedLimits,
  type DecodeFailure,
} from './content-decoding.ts';
import { abortRequest, type DispatchController, type RawHeaders } from './dispatcher.ts';
import { IncrementalDecoder } from './incremental-decoder.ts';
import type { PreparedRequest } from './request.ts';
import { isDecodable, makeDecoders } from './stream/decoders.ts';
import { isPassedThrough } from './stream/options.ts';

/** More of a compressed body than this is decoded as it comes; less is decoded at once, at its end. */
const GROWING_BYTES = 16_384;

/** The body of an answer that is read whole: what has come of it, and what that is once it is decoded. */
export class ReceivedBody {
  /** Bytes on the wire. */
  size = 0;
  /** Most bodies come in one piece, which is kept as it is. */
  #first: Uint8Array | undefined = undefined;
  #rest: Uint8Array[] | undefined = undefined;
  #growing: IncrementalDecoder | undefined = undefined;

  add(piece: Uint8Array): void {
    this.size += piece.length;
    if (this.#growing !== undefined) this.#growing.write(piece);
    else if (this.#first === undefined) this.#first = piece;
    else if (this.#rest === undefined) this.#rest = [this.#first, piece];
    else this.#rest.push(piece);
  }

  /** Whether enough has come to decode the rest while it comes. */
  get isLong(): boolean {
    return this.size > GROWING_BYTES && this.#growing === undefined;
  }

  /** Decodes from here on what comes, when it can be decoded; what cannot be is found out at its end. */
  grow(
    controller: DispatchController,
    encodings: readonly string[],
    limits: DecodedLimits,
    settle: (result: Uint8Array | DecodeFailure) => void,
  ): void {
    if (encodings.length === 0 || encodings.length > limits.maxEncodings || !isDecodable(encodings)) return;
    const wire = this.#take() as Uint8Array;
    this.#growing = new IncrementalDecoder(controller, encodings, limits, wire, (result) => {
      settle(result);
      if (isDecodeFailure(result)) abortRequest(controller, new Error('the rest of the body is not wanted'));
    });
    this.#growing.write(wire);
  }

  /** The last piece has come. @returns undefined when it is decoded as it comes, and told to `settle` */
  finish(
    encodings: readonly string[],
    limits: DecodedLimits,
  ): Uint8Array | DecodeFailure | Promise<Uint8Array | DecodeFailure> | undefined {
    if (this.#growing !== undefined) {
      this.#growing.end();
      return undefined;
    }
    return decodeContent(this.#take() as Uint8Array, encodings, limits);
  }

  /** As `finish`, of what comes with an error: the beginning will do when there is too much of it, or it was cut. */
  finishErrorBody(
    encodings: readonly string[],
    limits: DecodedLimits,
  ): Uint8Array | DecodeFailure | Promise<Uint8Array | DecodeFailure> {
    const wire = this.#take() as Uint8Array;
    const decoded = decodeContent(wire, encodings, { ...limits, maxBytes: MAX_ERROR_BODY_DECODED_BYTES });
    if (decoded instanceof Promise) return decoded.then((result) => orPrefix(result, wire, encodings));
    return orPrefix(decoded, wire, encodings);
  }

  /** Nobody wants it any more. */
  drop(): void {
    this.#growing?.destroy();
  }

  #take(): Uint8Array | undefined {
    const wire = this.#rest === undefined ? this.#first : Buffer.concat(this.#rest, this.size);
    this.#first = this.#rest = undefined;
    return wire;
  }
}

/** The content encodings of an answer that are undone here, in the order they were applied. */
export function encodingsToUndo(request: PreparedRequest, headers: RawHeaders): readonly string[] {
  const header = headers['content-encoding'];
  return header === undefined || isPassedThrough(request, header) ? NONE : parseEncodings(header);
}

const NONE: readonly string[] = [];

/** Compressed, it may unpack to so much before only its beginning is decoded. */
const MAX_ERROR_BODY_DECODED_BYTES = 1_048_576;

function orPrefix(
  decoded: Uint8Array | DecodeFailure,
  wire: Uint8Array,
  encodings: readonly string[],
): Uint8Array | DecodeFailure | Promise<Uint8Array> {
  if (!isDecodeFailure(decoded)) return decoded;
  const isTooMuch = 'allowed' in decoded || (decoded.kind === 'corrupt' && wire.length > MAX_ERROR_BODY_BYTES);
  return isTooMuch ? decodePrefix(wire, encodings) : decoded;
}

/** What can be decoded of it, up to a little more than is kept. */
function decodePrefix(wire: Uint8Array, encodings: readonly string[]): Promise<Uint8Array> {
  return new Promise((resolve) => {
    const decoders = makeDecoders(encodings, wire);
    const pieces: Uint8Array[] = [];
    let size = 0;
    const done = (): void => {
      for (const decoder of decoders) decoder.destroy();
      resolve(Buffer.concat(pieces, size));
    };
    for (const [i, decoder] of decoders.entries()) {
      decoder.on('error', done);
      const next = decoders[i + 1];
      if (next !== undefined) decoder.pipe(next);
    }
    const outlet = decoders.at(-1) as Transform;
    outlet.on('data', (piece: Uint8Array) => {
      pieces.push(piece);
      size += piece.length;
      if (size > MAX_ERROR_BODY_BYTES) done();
    });
    outlet.on('end', done);
    decoders[0]?.end(wire);
  });
}
