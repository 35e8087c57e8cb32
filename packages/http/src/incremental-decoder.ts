import type { Transform } from 'node:stream';
import { decoderFailure, RATIO_FREE_BYTES, type DecodedLimits, type DecodeFailure } from './content-decoding.ts';
import type { DispatchController } from './dispatcher.ts';
import { makeDecoders } from './stream/decoders.ts';

/**
 * A compressed body that is read whole, decoded while it arrives: a limit fires with the piece that exceeds it, however
 * slowly the rest would come.
 */
export class IncrementalDecoder {
  readonly #controller: DispatchController;
  readonly #limits: DecodedLimits;
  readonly #settle: (result: Uint8Array | DecodeFailure) => void;
  readonly #decoders: readonly Transform[];
  readonly #pieces: Uint8Array[] = [];
  #wireSize = 0;
  #size = 0;
  #settled = false;

  /**
   * @param controller - pauses the connection while the decoders are behind
   * @param encodings - in the order they were applied; all can be undone
   * @param first - the beginning of the body; it is written by the caller
   * @param settle - told once, never from within `write`
   */
  constructor(
    controller: DispatchController,
    encodings: readonly string[],
    limits: DecodedLimits,
    first: Uint8Array,
    settle: (result: Uint8Array | DecodeFailure) => void,
  ) {
    this.#controller = controller;
    this.#limits = limits;
    this.#settle = settle;
    this.#decoders = makeDecoders(encodings, first);
    for (const [i, decoder] of this.#decoders.entries()) {
      const encoding = encodings.at(-1 - i) as string;
      decoder.on('error', (error) => this.#end(decoderFailure(error, encoding)));
      this.#bound(decoder);
      const next = this.#decoders[i + 1];
      if (next !== undefined) decoder.pipe(next);
    }
    const outlet = this.#decoders.at(-1) as Transform;
    outlet.on('data', (piece: Uint8Array) => {
      this.#pieces.push(piece);
      this.#size += piece.length;
    });
    outlet.on('end', () => this.#end(Buffer.concat(this.#pieces, this.#size)));
  }

  /** A piece from the wire. */
  write(piece: Uint8Array): void {
    this.#wireSize += piece.length;
    const inlet = this.#decoders[0] as Transform;
    if (this.#settled || inlet.write(piece)) return;
    this.#controller.pause();
    inlet.once('drain', () => this.#controller.resume());
  }

  /** The last piece has come. */
  end(): void {
    this.#decoders[0]?.end();
  }

  /** Nobody wants it any more. */
  destroy(): void {
    this.#settled = true;
    for (const decoder of this.#decoders) decoder.destroy();
    this.#pieces.length = 0;
  }

  /** Limits hold for what comes out of each encoding: of two, the first may be the bomb. */
  #bound(decoder: Transform): void {
    const { maxBytes, maxRatio } = this.#limits;
    let size = 0;
    decoder.on('data', (piece: Uint8Array) => {
      size += piece.length;
      if (size > maxBytes) this.#end({ kind: 'maxBytes', allowed: maxBytes });
      else if (size > RATIO_FREE_BYTES && size > this.#wireSize * maxRatio) {
        this.#end({ kind: 'maxRatio', allowed: maxRatio });
      }
    });
  }

  #end(result: Uint8Array | DecodeFailure): void {
    if (this.#settled) return;
    this.destroy();
    this.#settle(result);
  }
}
