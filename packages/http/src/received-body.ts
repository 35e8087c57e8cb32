import {
  decodeContent,
  isDecodeFailure,
  parseEncodings,
  type DecodedLimits,
  type DecodeFailure,
} from './content-decoding.ts';
import type { DispatchController, RawHeaders } from './dispatcher.ts';
import { GrowingBody } from './growing-body.ts';
import type { PreparedRequest } from './request.ts';
import { isDecodable } from './stream/decoders.ts';
import { isForReader } from './stream/options.ts';

/** More of a compressed body than this is decoded as it comes; less is decoded at once, at its end. */
const GROWING_BYTES = 16_384;

/** The body of an answer that is read whole: what has come of it, and what that is once it is decoded. */
export class ReceivedBody {
  /** Bytes on the wire. */
  size = 0;
  /** Most bodies come in one piece, which is kept as it is. */
  #first: Uint8Array | undefined = undefined;
  #rest: Uint8Array[] | undefined = undefined;
  #growing: GrowingBody | undefined = undefined;

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
    this.#growing = new GrowingBody(controller, encodings, limits, wire, (result) => {
      settle(result);
      if (isDecodeFailure(result)) controller.abort(new Error('the rest of the body is not wanted'));
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
  return header === undefined || isForReader(request, header) ? NONE : parseEncodings(header);
}

const NONE: readonly string[] = [];

/** Compressed error bodies may unpack to 1 MiB before they are cut. */
export function errorBodyLimits(limits: DecodedLimits): DecodedLimits {
  return { ...limits, maxBytes: 1_048_576 };
}
